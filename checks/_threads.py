"""Blocking work in the bounded threads, which ends soon after nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from threading import Event
from typing import TypeVar

T = TypeVar("T")


class AbandonedError(Exception):
    """The work stopped because its task was cancelled; nobody sees this."""


async def in_thread(threads: Executor, work: Callable[[Event], T]) -> T:
    """What `work` returns. The event is set when the caller is cancelled: look at it often."""
    abandoned = Event()
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, work, abandoned)
    except asyncio.CancelledError:
        abandoned.set()
        raise
