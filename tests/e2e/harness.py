"""The whole of Tocsin in a local workspace, with a service to break and mend and a clock that can be hurried."""

import asyncio
import contextlib
import io
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from bot.app import Tocsin
from bot.config import parse
from bot.demo.workspace import LocalWorkspace

T = TypeVar("T")
Json = dict[str, Any]

TOKEN = "a-token-for-the-api"
ALEX, SAM, KIM = "U0ALEX", "U0SAM", "U0KIM"
START = datetime(2024, 3, 4, 9, 0, tzinfo=UTC)  # a Monday, long past: APScheduler's own clock is ahead of it
_STILL = 0.05  # seconds without any change after which time may be skipped

SHOP = """
name: Shop
database: {database}
slack: {channel: "#alerts"}
http: {bind: "127.0.0.1:0", token: a-token-for-the-api}
checks:
  backend:
    type: http
    url: {service}/health
    every: {every}
    runbook: https://wiki.example.com/backend
"""


class HurriedClock:
    """A clock that goes on like the real one and can be moved ahead."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began)

    def skip(self, by: timedelta) -> None:
        """Let this much time have passed."""
        self._start += by

    def skip_to(self, instant: datetime) -> None:
        """Let it be this late; never back."""
        self.skip(max(instant - self(), timedelta(0)))


@dataclass
class Service:
    """An HTTP service that answers with what a test sets."""

    status: int = 200
    body: str = "fine"
    content_type: str = "text/plain"
    url: str = ""

    async def answer(self, _request: web.Request) -> web.Response:
        return web.Response(status=self.status, text=self.body, content_type=self.content_type)


@asynccontextmanager
async def serving() -> AsyncIterator[Service]:
    """A service on a port of its own."""
    service = Service()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", service.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()


@dataclass
class Story:
    """One workspace, one service, and Tocsin between them."""

    workspace: LocalWorkspace
    service: Service
    clock: HurriedClock
    config: str
    http: aiohttp.ClientSession
    environ: Mapping[str, str] = field(default_factory=dict)
    bot: Tocsin | None = None
    limited_on_purpose: bool = False
    _running: asyncio.Task[None] | None = None

    # Tocsin's life

    async def start(self, *, connected: bool = True) -> Tocsin:
        """Start Tocsin from its configuration; with `connected`, wait for its socket."""
        environ = {
            "SLACK_BOT_TOKEN": self.workspace.bot_token,
            "SLACK_APP_TOKEN": self.workspace.app_token,
            "SLACK_API_URL": self.workspace.api_url,
            **self.environ,
        }
        self.bot = Tocsin(parse(self.config.encode(), "tocsin.yml", environ), clock=self.clock)
        before = self.workspace.connections
        await self.bot.start()
        self._running = asyncio.create_task(self.bot.run())
        if connected:
            await self.workspace.wait_for(lambda: self.workspace.connections > before)
        return self.bot

    async def stop(self) -> None:
        """Stop Tocsin as SIGTERM does."""
        if self.bot is None:
            return
        bot, self.bot = self.bot, None
        bot.request_stop()
        try:
            if self._running is not None:
                await self._running
        finally:
            await bot.stop()

    async def restart(self) -> Tocsin:
        """Stop it and start it on the same database."""
        await self.stop()
        return await self.start()

    @property
    def tocsin(self) -> Tocsin:
        """Tocsin while it runs."""
        assert self.bot is not None
        return self.bot

    # Time

    async def see(self, predicate: Callable[[], T], seconds: float = 15.0) -> T:
        """What the predicate finds, as soon as it finds something. Time passes quickly where nothing happens."""
        deadline = time.monotonic() + seconds
        while not (found := predicate()):
            if time.monotonic() > deadline:
                raise AssertionError(f"this never came; {self.transcript()}")
            with contextlib.suppress(TimeoutError):
                return await self.workspace.wait_for(predicate, _STILL)
            self.skip(timedelta(seconds=1))
        return found

    async def settle(self) -> None:
        """Let everything happen that was asked for: nothing runs or is queued, nothing is due within seconds."""
        while running := self.tocsin.scheduler._running:
            await asyncio.wait(running)
        await self.tocsin.monitoring.settle()
        await self.tocsin.listeners.finish()
        for _ in range(100):
            due = await self.tocsin.notifier.drain()
            if due is None or due > self.clock() + timedelta(seconds=10):
                return
            self.clock.skip_to(due)
        raise AssertionError("it never comes to rest")

    def skip(self, by: timedelta) -> None:
        """Let time pass."""
        self.clock.skip(by)
        self.tocsin.notifier.wake()

    # What people see

    def alerts(self, text: str = "", channel: str = "alerts") -> list[Json]:
        """The messages about alerts whose content holds `text`, oldest first."""
        return [
            {**message, "channel": channel}
            for message in self.workspace.messages(channel)
            if key_of(message).startswith("alert:") and text in shown(message)
        ]

    async def alert(self, text: str = "", channel: str = "alerts") -> Json:
        """The one alert whose message holds `text`, once it stands there."""
        found = await self.see(lambda: self.alerts(text, channel))
        assert len(found) == 1, f"{len(found)} messages hold {text!r}"
        return found[0]

    def thread(self, message: Json) -> list[str]:
        """The lines of a message's thread."""
        return [reply["text"] for reply in self.workspace.replies(message["channel"], message["ts"])]

    def again(self, message: Json) -> Json:
        """The same message as it is now."""
        channel = message["channel"]
        (found,) = [m for m in self.workspace.messages(channel) if m["ts"] == message["ts"]]
        return {**found, "channel": channel}

    async def becomes(self, message: Json, text: str) -> Json:
        """The same message once it holds `text`."""
        await self.see(lambda: text in shown(self.again(message)))
        return self.again(message)

    async def told(self, user: str, text: str = "", channel: str = "alerts") -> Json:
        """What only this user sees, once it holds `text`."""
        found = await self.workspace.wait_for(
            lambda: [m for m in self.workspace.ephemerals(user, channel) if text in shown(m)]
        )
        return found[-1]

    async def modal(self, user: str = ALEX) -> Json:
        """The window in front of a user."""
        return await self.workspace.wait_for(lambda: self.workspace.open_view(user)) or {}

    def transcript(self) -> str:
        """Everything in the alerts channel, and the last calls."""
        said = [f"- {shown(message)[:600]}" for message in self.workspace.messages("alerts")]
        calls = [f"{call.method} {call.outcome}" for call in self.workspace.calls[-12:]]
        return "\n".join(["in #alerts:", *said, "calls:", *calls])

    # What people do

    async def press(self, message: Json, button: str, user: str = ALEX) -> None:
        """Press a button of an alert."""
        outcome = await self.workspace.click(message["channel"], message["ts"], f"alert:{button}", user=user)
        assert outcome.ok, outcome

    async def pick(self, message: Json, what: str, user: str = ALEX) -> Json:
        """Pick something of an alert's menu; the window that opens."""
        number = key_of(message).split(":")[1]
        outcome = await self.workspace.choose(
            message["channel"], message["ts"], "alert:more", f"{what}:{number}", user=user
        )
        assert outcome.ok, outcome
        return await self.modal(user)

    async def ask(self, command: str, text: str = "", user: str = ALEX) -> str:
        """Give a command; what its answer shows."""
        before = len(self.workspace.ephemerals(user, "general"))
        outcome = await self.workspace.command("general", command, text, user=user)
        assert outcome.ok, outcome
        found = await self.workspace.wait_for(
            lambda: self.workspace.ephemerals(user, "general")[before:], timeout=10
        )
        return shown(found[0])

    # What machines do

    async def change(self, status: int, body: str | None = None, *, check: str = "backend") -> None:
        """Break or mend the service, and let the check look at once instead of at its next time."""
        self.service.status = status
        if body is not None:
            self.service.body = body
        await self.look(check)

    async def looked(self) -> None:
        """Wait until every check has run once."""
        async with asyncio.timeout(15):
            while any(line.standing is None for line in (await self.tocsin.reporting.overview()).checks):
                await asyncio.sleep(0.01)

    async def look(self, check: str = "backend") -> None:
        """Let a check run now, after what runs already."""
        scheduler = self.tocsin.scheduler
        while scheduler._running:
            await asyncio.wait(scheduler._running)
        now = datetime.now(UTC)
        planned = scheduler._scheduler.modify_job(f"check:{check}", next_run_time=now)
        async with asyncio.timeout(15):
            while planned.next_run_time is not None and planned.next_run_time <= now:
                await asyncio.sleep(0)  # until it has been started
        await asyncio.sleep(0)

    async def post(self, path: str, body: Any, *, token: str = TOKEN) -> tuple[int, Json]:
        """POST something to Tocsin: its status and its JSON."""
        text = body if isinstance(body, bytes | str) else json.dumps(body)
        data = io.BytesIO(text if isinstance(text, bytes) else text.encode())
        url = f"http://127.0.0.1:{self.tocsin.http.port}{path}"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        async with self.http.post(url, data=data, headers=headers) as answer:
            return answer.status, await answer.json()

    async def run(self, job: str, status: str = "SUCCESS", **fields: Any) -> None:
        """Report a run."""
        answer = await self.post("/api/v1/runs", {"job_name": job, "status": status, **fields})
        assert answer[0] == 202, answer

    async def health(self) -> tuple[int, Json]:
        """What /health answers."""
        async with self.http.get(f"http://127.0.0.1:{self.tocsin.http.port}/health") as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def story(
    tmp_path: Path,
    config: str = SHOP,
    *,
    database: str = "",
    start: datetime = START,
    every: str = "10m",
    environ: Mapping[str, str] | None = None,
    begin: bool = True,
) -> AsyncIterator[Story]:
    """A workspace, a service and Tocsin, all running; `{service}`, `{every}` and `{database}` are filled in.

    The workspace counts calls as Slack does, and at the end none may have been one too many, unless on purpose.
    """
    clock = HurriedClock(start)
    async with (
        LocalWorkspace(clock=clock, realistic_limits=True) as workspace,
        serving() as service,
        aiohttp.ClientSession() as http,
    ):
        filled = config
        for name, value in {
            "service": service.url,
            "every": every,
            "database": database or f"sqlite:///{tmp_path}/tocsin.db",
        }.items():
            filled = filled.replace(f"{{{name}}}", value)
        told = Story(workspace, service, clock, filled, http, environ or {})
        try:
            if begin:
                await told.start()
            yield told
        finally:
            await told.stop()
        refused = [call.method for call in workspace.calls if call.outcome == "ratelimited"]
        assert told.limited_on_purpose or not refused, f"called too often: {refused}"


def key_of(message: Json) -> str:
    """The key that a message of Tocsin's carries, or nothing."""
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return str(payload.get("key", ""))


def shown(message: Json) -> str:
    """Everything of a message that anybody reads: its text, and the text of its blocks and attachments."""
    return "\n".join(
        [str(message.get("text", "")), *_texts(message.get("blocks")), *_texts(message.get("attachments"))]
    )


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for item in value.values() for text in _texts(item)]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


def buttons(message: Json) -> list[str]:
    """The words on a message's buttons."""
    found: list[str] = []
    for attachment in [message, *message.get("attachments", [])]:
        for block in attachment.get("blocks", []):
            if block["type"] == "actions":
                found += [e["text"]["text"] for e in block["elements"] if e["type"] == "button"]
    return found
