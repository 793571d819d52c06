"""Actions against a real server and real programs: what is sent, what is kept from it, and how each end is told."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from bot.domain.clock import system_clock
from bot.domain.filling import Call, Command
from bot.performing import Performed, Performer
from tests.checks.surroundings import unused_port

SECONDS = timedelta(seconds=20)


@dataclass
class Server:
    status: int = 200
    text: str = "fine"
    delay: float = 0
    location: str = ""
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.asked.append((request.method, request.raw_path, request.headers.get("Content-Type", ""), body))
        await asyncio.sleep(self.delay)
        headers = {"Location": self.location} if self.location else {}
        return web.Response(status=self.status, text=self.text, headers=headers)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", found.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@pytest.fixture
async def performer() -> AsyncIterator[Performer]:
    found = Performer(clock=system_clock, mask=lambda text: text.replace("s3cret", "••••"), environ=ENVIRON)
    yield found
    await found.close()


ENVIRON = {"PATH": os.environ["PATH"], "SLACK_BOT_TOKEN": "xoxb-token", "LC_ALL": "C.UTF-8", "HOME": "/"}


def python(script: str, *arguments: str) -> Command:
    return Command(arguments=(sys.executable, "-c", script, *arguments))


async def told(performer: Performer, action: Command | Call, limit: timedelta = SECONDS) -> Performed:
    performed = await performer.perform(action, limit)
    assert "s3cret" not in performed.summary + performed.output
    return performed


async def test_json_is_sent_as_json_and_a_body_as_it_is(performer: Performer, server: Server) -> None:
    assert (await told(performer, Call(method="PUT", url=f"{server.url}/a%2Fb", json={"a": [1]}))).ok
    assert (await told(performer, Call(method="POST", url=f"{server.url}/", body="ü"))).ok
    assert server.asked[0] == ("PUT", "/a%2Fb", "application/json", '{"a": [1]}')
    assert server.asked[1][3] == "ü"


async def test_a_refusal_is_told_with_the_last_line_of_the_answer(
    performer: Performer, server: Server
) -> None:
    server.status, server.text = 503, "trouble\nno capacity for s3cret\n"
    performed = await told(performer, Call(method="POST", url=server.url))
    assert not performed.ok
    assert performed.summary.startswith("HTTP 503 Service Unavailable: no capacity for •••• after")


async def test_a_redirect_is_not_followed_and_is_no_success(performer: Performer, server: Server) -> None:
    server.status, server.location = 302, f"{server.url}/elsewhere"
    performed = await told(performer, Call(method="POST", url=server.url))
    assert not performed.ok
    assert "HTTP 302 Found, a redirect, which is not followed" in performed.summary
    assert len(server.asked) == 1


async def test_a_server_that_does_not_answer_in_time_is_given_up(
    performer: Performer, server: Server
) -> None:
    server.delay = 30
    performed = await told(performer, Call(method="POST", url=server.url), timedelta(seconds=0.2))
    assert performed == Performed(ok=False, summary="no end within 0.2 s, so it was stopped")


async def test_nobody_there_is_told_in_words(performer: Performer) -> None:
    performed = await told(performer, Call(method="POST", url=f"http://127.0.0.1:{unused_port()}/"))
    assert not performed.ok
    assert "refused" in performed.summary


async def test_a_command_gets_its_arguments_and_none_of_our_secrets(performer: Performer) -> None:
    script = "import os, sys; print(sys.argv[1:]); print(sorted(os.environ))"
    performed = await told(performer, python(script, "a b", "$HOME;ls"))
    assert performed.ok
    arguments, names = performed.output.splitlines()
    assert arguments == "['a b', '$HOME;ls']"
    assert "SLACK_BOT_TOKEN" not in names
    assert "PATH" in names


async def test_a_command_that_fails_is_told_with_its_last_line(performer: Performer) -> None:
    performed = await told(performer, python("import sys; print('working'); sys.exit('no s3cret here')"))
    assert not performed.ok
    assert performed.summary.startswith("exit code 1: no •••• here after")


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (Command(arguments=("no-such-program",)), "there is no program no-such-program"),
        (Command(arguments=("/etc",)), "/etc cannot be run: Permission denied"),
        (python("import os, signal; os.kill(os.getpid(), signal.SIGTERM)"), "ended by signal 15"),
        (python("print('x' * 3_000_000)"), "it wrote more than 1 MB and was stopped"),
    ],
)
async def test_every_other_end_is_told_as_well(performer: Performer, action: Command, said: str) -> None:
    performed = await told(performer, action)
    assert not performed.ok
    assert performed.summary.startswith(said)
    assert len(performed.output) <= 2000


async def test_a_command_that_takes_too_long_ends_with_all_it_started(
    performer: Performer, tmp_path: Path
) -> None:
    file = tmp_path / "child"
    script = (
        "import subprocess, sys, time; child = subprocess.Popen(['sleep', '60']);"
        " open(sys.argv[1], 'w').write(str(child.pid)); time.sleep(60)"
    )
    performed = await told(performer, python(script, str(file)), timedelta(seconds=2))
    assert performed.summary == "no end within 2 s, so it was stopped"
    stat = Path(f"/proc/{file.read_text()}/stat")
    async with asyncio.timeout(10):  # it was killed; the kernel may take a moment to end it
        while stat.exists() and stat.read_text().split()[2] != "Z":
            await asyncio.sleep(0.01)
