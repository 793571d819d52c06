"""Running a program to its end, and ending it with all it started when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

_GRACE = 2.0  # seconds between asking a program to end and making it
_LINGER = 1.0  # seconds that children may keep the output open after the program itself has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How a program ended. `code` is negative for a signal; `flooded` when it was stopped for its output."""

    code: int
    output: str
    errors: str
    flooded: bool


async def execute(
    arguments: Sequence[str], *, environ: Mapping[str, str], folder: str | None, most_bytes: int
) -> Execution:
    """Run without a shell, in a process group of its own, with nothing on its standard input.

    The whole group gets TERM and then KILL when the caller is cancelled, when the output reaches `most_bytes`
    and when children outlive the program with its output open. A child that makes itself a session of its own
    escapes. Raises OSError when the program cannot be started.
    """
    loop = asyncio.get_running_loop()
    transport, watcher = await loop.subprocess_exec(
        lambda: _Watcher(most_bytes),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        env=dict(environ),
        cwd=folder,
        start_new_session=True,
    )
    try:
        await watcher.settled.wait()
        if not watcher.flooded:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LINGER):
                    await watcher.closed.wait()
    finally:
        await _end(transport, watcher)
    code = transport.get_returncode()
    output, errors = (bytes(watcher.taken[stream]).decode("utf-8", "replace") for stream in (1, 2))
    return Execution(
        code=code if code is not None else -9, output=output, errors=errors, flooded=watcher.flooded
    )


class _Watcher(asyncio.SubprocessProtocol):
    """Collects output up to a bound and notes the end. `settled`: it ended, or must be ended."""

    def __init__(self, most_bytes: int) -> None:
        self.taken = {1: bytearray(), 2: bytearray()}
        self.flooded = False
        self.settled, self.exited, self.closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._most = most_bytes

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        taken = self.taken[fd]
        taken += data[: self._most - len(taken)]
        if len(taken) >= self._most:
            self.flooded = True
            self.settled.set()

    def process_exited(self) -> None:
        self.exited.set()
        self.settled.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.closed.set()


async def _end(transport: asyncio.SubprocessTransport, watcher: _Watcher) -> None:
    if watcher.closed.is_set():  # it ended and so did everything that held its output
        return
    group = transport.get_pid()
    try:
        _signal(group, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await watcher.exited.wait()
    finally:
        _signal(group, signal.SIGKILL)
        transport.close()
    await watcher.exited.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
