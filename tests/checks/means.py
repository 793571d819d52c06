"""What every probe's test needs: the means of a check, a clock to shift, servers, a TLS authority."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from checks.client import probe_client
from checks.options import CheckContext
from checks.result import CheckResult

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ShiftedClock:
    """The real time, moved by as much as a test says."""

    shift: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.shift


@asynccontextmanager
async def means(clock: Callable[[], datetime] | None = None) -> AsyncIterator[CheckContext]:
    """A check's context with a real client and real threads."""
    with ThreadPoolExecutor(4) as threads:
        async with probe_client() as client:
            yield CheckContext(http=client, threads=threads, timezone=UTC, clock=clock or ShiftedClock())


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[int]:
    """A TCP server of the test's own; gives its port. Its connections end with it."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(response: bytes) -> Serve:
    """A server that reads a request's headers, answers these bytes and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()
        writer.write_eof() if writer.can_write_eof() else writer.close()
        await reader.read()

    return serve


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that hears everything and says nothing."""
    del writer
    while await reader.read(65536):
        pass


def unused_port() -> int:
    """A loopback port nobody listens on."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass
class Authority:
    """A certificate authority of the test's own."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def file(self) -> str:
        path = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(path)
        return str(path)

    def server(
        self, *names: str, expires: timedelta = timedelta(days=90), begins: timedelta = timedelta(days=-30)
    ) -> ssl.SSLContext:
        """A server's context with a certificate for these names, valid from and until these offsets."""
        now = datetime.now(UTC)
        certificate = self.ca.issue_cert(*names, not_before=now + begins, not_after=now + expires)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context


async def cut_off(probe: Callable[[float], Awaitable[CheckResult]], words: str) -> CheckResult:
    """The result of a probe that its deadline ends, with these words in its summary.

    On a busy machine a short deadline may come before the step a test means; then a longer one is tried.
    """
    for seconds in (0.2, 1.0, 5.0):
        result = await probe(seconds)
        if words in result.summary:
            break
    assert f"within {seconds:g} s" in result.summary
    assert words in result.summary
    return result


def text_of(result: CheckResult) -> str:
    """Everything a person would read of a result."""
    return "\n".join([result.summary, result.remedy or "", *(d.title + d.text for d in result.diagnostics)])
