"""A machine with jobs: `tocsin exec` in real processes, and a bot that takes their runs over a real socket."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

T = TypeVar("T")
Json = dict[str, Any]

TOKEN = "a-token-for-the-api"
_ROOT = Path(__file__).resolve().parents[2]


async def until(predicate: Callable[[], T], seconds: float = 20.0) -> T:
    """What the predicate finds, as soon as it finds something."""
    end = time.monotonic() + seconds
    while not (found := predicate()):
        assert time.monotonic() < end, "this never came"
        await asyncio.sleep(0.01)
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits only to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@dataclass(frozen=True)
class Done:
    """How a process ended."""

    code: int
    out: bytes
    err: str


@dataclass
class Machine:
    """Where jobs run; everything that they leave is under `folder`."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        self.environ = {
            **kept,
            "PYTHONPATH": str(_ROOT),
            "TOCSIN_URL": "http://127.0.0.1:9",
            "TOCSIN_SPOOL": str(self.folder / "spool"),
            "TOCSIN_LOCK_DIR": str(self.folder / "locks"),
            **self.environ,
        }

    @property
    def log(self) -> Path:
        return self.folder / "runs.jsonl"

    def report_to(self, bot: Bot) -> None:
        """Let jobs report to this bot."""
        self.environ |= {"TOCSIN_URL": bot.url, "TOCSIN_TOKEN": TOKEN}

    async def start(self, *arguments: str, **pipes: Any) -> asyncio.subprocess.Process:
        """Start `tocsin exec` with these arguments."""
        streams = {
            "stdin": asyncio.subprocess.DEVNULL,
            "stdout": asyncio.subprocess.PIPE,
            "stderr": asyncio.subprocess.PIPE,
            **pipes,
        }
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot.execution", *arguments, env=self.environ, cwd=self.folder, **streams
        )

    async def exec(self, *arguments: str, **pipes: Any) -> Done:
        """Run `tocsin exec` to its end."""
        return await ended(await self.start(*arguments, **pipes))

    async def job(self, script: str, *options: str, name: str = "nightly", **pipes: Any) -> Done:
        """Run a shell script as a job whose runs are logged."""
        return await self.exec(name, "--log", str(self.log), *options, "--", "sh", "-c", script, **pipes)

    def runs(self) -> list[Json]:
        """The lines of the log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def waiting(self) -> list[Path]:
        """What the bot has not taken."""
        return sorted((self.folder / "spool").glob("*.run"))


async def ended(process: asyncio.subprocess.Process) -> Done:
    """A process at its end; its input, if it is a pipe, has ended then."""
    if process.stdin is not None:
        process.stdin.close()
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Done(process.returncode, out or b"", (err or b"").decode())


@dataclass
class Bot:
    """Takes what is posted; `answer` may refuse it."""

    url: str = ""
    posts: list[tuple[str, Any]] = field(default_factory=list)
    answer: Callable[[web.Request], web.StreamResponse | None] = lambda _request: None
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    refuse_job: str = ""
    heard: int = 0
    """Requests that came in, answered or not."""

    @property
    def runs(self) -> list[Json]:
        return [run for path, body in self.posts if path == "/api/v1/runs" for run in body]

    @property
    def alerts(self) -> list[Json]:
        return [body for path, body in self.posts if path == "/api/v1/alerts"]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.heard += 1
        await self.hold.wait()
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        if (refusal := self.answer(request)) is not None:
            return refusal
        if request.path == "/api/v1/alerts":
            self.posts.append((request.path, body))
            return web.json_response({"id": 1}, status=202)
        known = {run["run_id"] for run in self.runs}
        items = []
        for run in body:
            items.append({"outcome": self._outcome(run, known), "details": "no"})
            known.add(run["run_id"])
        taken = [run for run, item in zip(body, items, strict=True) if item["outcome"] == "accepted"]
        self.posts.append((request.path, taken))
        return web.json_response({"items": items}, status=202 if taken else 422)

    def _outcome(self, run: Json, known: set[str]) -> str:
        if run["job_name"] == self.refuse_job:
            return "refused"
        return "repeated" if run["run_id"] in known else "accepted"


@asynccontextmanager
async def listening(port: int = 0) -> AsyncIterator[Bot]:
    """A bot on a port of its own, or on this one."""
    bot = Bot()
    bot.hold.set()
    app = web.Application(client_max_size=1024**2)
    app.router.add_post("/{tail:.*}", bot.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    bot.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield bot
    finally:
        bot.hold.set()
        await runner.cleanup()
