"""Pings a second, answered after the commit, beside a bare aiohttp handler and Healthchecks on uwsgi.

    python -m benchmarks.pings [--seconds 8] [--rounds 3] [--connections 64] [--jobs 100]

The same client pings each server in turn, round after round, over kept-alive connections where the server keeps
them: `GET /ping/<uuid>`, jobs taken in turn. Tocsin judges and stores each ping in SQLite (`synchronous=FULL`)
before it answers; the bare handler only answers. Healthchecks is measured when TOCSIN_BENCH_HEALTHCHECKS names a
checkout of it with a folder `venv` that holds its requirements and uwsgi; it runs as its container does (four
processes), on SQLite too. Exits with 1 when Tocsin is below one of its aims.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web

from bot.announcing import Announcer
from bot.config import parse
from bot.config.rulebook import rulebook
from bot.domain.clock import system_clock
from bot.monitoring import Monitoring
from bot.pinging import Pinging
from handlers.http.addresses import Addresses
from handlers.http.pings import PingRoutes
from handlers.http.run_routes import RunRoutes
from handlers.http.server import HttpServer
from storage.database import Database
from storage.schema import upgrade

OF_BARE, OF_HEALTHCHECKS = 0.4, 20.0
CHECKOUT = "TOCSIN_BENCH_HEALTHCHECKS"
_WARM_UP = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What one round of pings came to."""

    per_second: float
    p99_ms: float
    refused: int


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def serve(folder: str, port: int, ids: Sequence[str]) -> None:
    """Tocsin without Slack: until it is killed."""
    jobs = "\n".join(f"  job_{number}: {{every: 1h, ping: {ping}}}" for number, ping in enumerate(ids))
    settings = parse(f"jobs:\n{jobs}\n".encode(), "tocsin.yml", {}, tokens_needed=False)
    database = Database(f"sqlite:///{folder}/tocsin.db")
    await upgrade(database)
    monitoring = Monitoring(
        database=database,
        rulebook=rulebook(settings),
        announcer=Announcer(database=database, channel="#alerts"),
        clock=system_clock,
        wake=lambda: None,
    )
    addresses = Addresses(
        database=database, key="", jobs={name: job.ping for name, job in settings.jobs.items()}
    )
    pinging = Pinging(database=database, monitoring=monitoring, clock=system_clock)

    async def healthy() -> dict[str, str]:
        return {"database": "ok"}

    server = HttpServer(
        routes=(
            PingRoutes(addresses=addresses, pinging=pinging),
            RunRoutes(database=database, monitoring=monitoring, clock=system_clock),
        ),
        token=None,
        body_limit=1024**2,
        health=healthy,
    )
    writer = monitoring.start()
    await server.start("127.0.0.1", port)
    await writer


def _serve(folder: str, port: int, ids: Sequence[str]) -> None:
    asyncio.run(serve(folder, port, ids))


def _serve_bare(port: int) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="OK")

    app = web.Application()
    app.router.add_get("/ping/{uuid}", answer)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


@contextmanager
def _process(target: Callable[..., None], *arguments: object) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


@contextmanager
def tocsin(ids: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Tocsin on a port, and the ids of its jobs."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder, _process(_serve, folder, port, ids):
        yield port, ids


@contextmanager
def bare(ids: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """aiohttp alone."""
    port = _free_port()
    with _process(_serve_bare, port):
        yield port, ids


_CHECKS = """
from django.contrib.auth.models import User
from hc.accounts.models import Project
from hc.api.models import Check
project = Project.objects.create(owner=User.objects.create(username="a", email="a@example.org"))
for _ in range({count}):
    print("ping", Check.objects.create(project=project).code)
"""


@contextmanager
def healthchecks(checkout: Path, ids: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Healthchecks on uwsgi with the settings of its container, its daemons left out."""
    port, binaries = _free_port(), checkout / "venv" / "bin"
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            **os.environ,
            "DB_NAME": f"{folder}/hc.sqlite",
            "DEBUG": "False",
            "SECRET_KEY": "benchmark",
        }
        manage = [str(binaries / "python"), "manage.py"]
        run = partial(subprocess.run, cwd=checkout, env=environ, check=True, capture_output=True, text=True)
        run([*manage, "migrate", "--skip-checks"])
        made = run([*manage, "shell", "-c", _CHECKS.format(count=len(ids))]).stdout
        codes = [line.split()[1] for line in made.splitlines() if line.startswith("ping ")]
        options = "--strict --master --die-on-term --harakiri 10 --buffer-size 32768 --post-buffering 16192"
        options += " --processes 4 --enable-threads --threads 1 --thunder-lock --disable-write-exception"
        command = [
            str(binaries / "uwsgi"),
            *options.split(),
            "--max-fd",
            "10000",
            "--module",
            "hc.wsgi:application",
        ]
        command += [
            "--http-socket",
            f"127.0.0.1:{port}",
            "--virtualenv",
            str(checkout / "venv"),
            "--disable-logging",
        ]
        server = subprocess.Popen(
            command, cwd=checkout, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield port, codes
        finally:
            server.terminate()
            server.wait()


async def _reach(port: int, path: str) -> None:
    """Wait until a ping is answered well."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if (await _Pinger(port, [path]).ping())[0]:
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing answers {path} on port {port}")
        await asyncio.sleep(0.1)


class _Pinger:
    """One connection, opened again where the server closes it."""

    def __init__(self, port: int, paths: Sequence[str], offset: int = 0) -> None:
        self._port = port
        self._requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths]
        self._next = offset
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ping(self) -> tuple[bool, float]:
        """Whether a ping was taken, and the seconds until its whole answer had come."""
        request = self._requests[self._next % len(self._requests)]
        self._next += 1
        began = time.perf_counter()
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = head.find(b"content-length:")
        kept = length > 0 and b"connection: close" not in head
        if length > 0:
            await self._reader.readexactly(int(head[length + 15 : head.index(b"\r\n", length)]))
        if not kept or not head.startswith(b"http/1.1") or self._reader.at_eof():
            self._close()
        return b" 200 " in head[:16], time.perf_counter() - began

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def ping_until(self, end: float, took: list[float], refused: list[float]) -> None:
        while time.perf_counter() < end:
            try:
                good, seconds = await self.ping()
            except (OSError, EOFError):
                self._close()  # closed between two pings; only an answered ping counts
                continue
            (took if good else refused).append(seconds)
        self._close()


async def measure(port: int, ids: Sequence[str], connections: int, seconds: float) -> Speed:
    """Ping as fast as answers come, after a warm-up."""
    paths = [f"/ping/{ping}" for ping in ids]
    await _reach(port, paths[0])
    pingers = [_Pinger(port, paths, offset) for offset in range(connections)]
    for length in (_WARM_UP, seconds):
        took: list[float] = []
        refused: list[float] = []
        end = time.perf_counter() + length
        await asyncio.gather(*(pinger.ping_until(end, took, refused) for pinger in pingers))
    took.sort()
    if not took:
        raise RuntimeError(f"no ping was taken, {len(refused)} were refused")
    return Speed(
        per_second=len(took) / seconds, p99_ms=1000 * took[int(len(took) * 0.99)], refused=len(refused)
    )


Server = Callable[[Sequence[str]], AbstractContextManager[tuple[int, Sequence[str]]]]


def compared() -> dict[str, Server]:
    """What is measured here."""
    found: dict[str, Server] = {"bare aiohttp": bare, "Tocsin": tocsin}
    checkout = Path(os.environ.get(CHECKOUT, ""))
    if not os.environ.get(CHECKOUT):
        print(f"Healthchecks is not measured: {CHECKOUT} names no checkout of it")
    elif not (checkout / "venv" / "bin" / "uwsgi").exists():
        print("Healthchecks is not measured: there is no venv/bin/uwsgi in its checkout")
    else:
        found["Healthchecks on uwsgi"] = partial(healthchecks, checkout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=100)
    options = parser.parse_args()
    ids = [str(uuid.uuid4()) for _ in range(options.jobs)]
    servers = compared()
    speeds: dict[str, list[Speed]] = {name: [] for name in servers}
    for _ in range(options.rounds):
        for name, server in servers.items():
            with server(ids) as (port, known):
                speeds[name].append(asyncio.run(measure(port, known, options.connections, options.seconds)))
    middle = {}
    for name, found in speeds.items():
        middle[name] = statistics.median(speed.per_second for speed in found)
        p99 = statistics.median(speed.p99_ms for speed in found)
        refused = sum(speed.refused for speed in found)
        print(f"{name:24} {middle[name]:8.0f} pings/s, p99 {p99:7.1f} ms, {refused} refused")
    aims = {"bare aiohttp": OF_BARE, "Healthchecks on uwsgi": OF_HEALTHCHECKS}
    missed = False
    for name, aim in aims.items():
        if name in middle:
            ratio = middle["Tocsin"] / middle[name]
            missed = missed or ratio < aim
            print(f"Tocsin's pings to those of {name}: {ratio:.2f} (aim: {aim} or more)")
    sys.exit(int(missed))


if __name__ == "__main__":
    main()
