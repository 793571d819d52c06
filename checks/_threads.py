"""Blocking work in threads: looks that may hang, and work that ends when nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from threading import Event
from typing import Any, TypeVar

T = TypeVar("T")


class Looks:
    """Runs blocking functions in threads. Ask `is_hanging` before starting anew."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._last: asyncio.Future[Any] | None = None

    @property
    def is_hanging(self) -> bool:
        """Whether a look that was given up on has still not come back."""
        return self._last is not None and not self._last.done()

    async def __call__(self, look: Callable[[], T]) -> T:
        """What the function returns. Cancelling gives up waiting; the look itself goes on."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, look)
        self._last = future
        future.add_done_callback(_retrieve)
        return await asyncio.shield(future)


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()  # nobody may be waiting any more, and an unseen error would be logged as a bug


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
