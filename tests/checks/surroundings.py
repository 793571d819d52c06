"""What the tests of checks that read things stand in: a context with a settable clock, and real services."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlsplit

import pytest

from checks.client import probe_client
from checks.kinds import options_of
from checks.options import Check, CheckContext
from checks.result import CheckResult

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


@dataclass
class SetClock:
    """A clock that stands where the test put it."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@asynccontextmanager
async def surroundings(clock: SetClock | None = None, zone: tzinfo = UTC) -> AsyncIterator[CheckContext]:
    """A check's context with a real HTTP client and real threads."""
    with ThreadPoolExecutor(4) as threads:
        async with probe_client() as client:
            yield CheckContext(http=client, threads=threads, timezone=zone, clock=clock or SetClock())


def build(kind: str, context: CheckContext, options: Mapping[str, Any]) -> Check:
    """The check of a kind, from settings as they stand in a file."""
    return options_of(kind).model_validate(dict(options)).build(context)


async def found(kind: str, context: CheckContext, **options: Any) -> CheckResult:
    """What one run of a check finds."""
    return await build(kind, context, options).run()


def absent(reason: str) -> None:
    """Skip for want of something real; in continuous integration nothing may be wanting."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def require_service(url: str, name: str) -> str:
    """The URL, if something listens there."""
    parts = urlsplit(url)
    try:
        socket.create_connection((str(parts.hostname), int(parts.port or 0)), 1).close()
    except OSError:
        absent(f"no {name} at {parts.hostname}:{parts.port}")
    return url


def unused_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def everything_said(result: CheckResult) -> str:
    """All a person could read of a result and its parts."""
    own = [result.summary, result.remedy or "", str(dict(result.fields)), result.resource or ""]
    own += [diagnostic.title + diagnostic.text for diagnostic in result.diagnostics]
    return "\n".join(own + [everything_said(part) for part in result.parts])
