"""Remedies as people see them: restarted and recovered, given up, approved, refused, rehearsed."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from tests.checks.surroundings import absent, require_service
from tests.e2e.harness import ALEX, KIM, SAM, Json, Story, buttons, serving, shown, story

SHOP = """
name: Shop
database: {database}
slack: {channel: "#alerts"}
http: {bind: "127.0.0.1:0", token: a-token-for-the-api}
people: {ops: [U0ALEX, U0SAM]}
permissions: {remedy: [ops]}
checks:
  backend: {type: http, every: 10m, url: "{service}/health", mention: "@ops"}
remedies:
  restart:
    when: check in ['backend', 'frontend'] && severity == 'critical'
    request: {method: POST, url: "{service}/v1/services/srv-1/restart", headers: {Authorization: "Bearer a-secret-for-restarts"}}
    verify_after: 30s
    attempts: 2
    per: 1h
"""


@dataclass
class Platform:
    """A service with an API that restarts it. `heals`: whether a restart helps."""

    heals: bool = True
    healthy: bool = False
    answer: int = 202
    restarts: list[str] = field(default_factory=list)
    url: str = ""

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(status=200 if self.healthy else 503, text="as it is")

    async def restart(self, request: web.Request) -> web.Response:
        self.restarts.append(f"{request.method} {request.path} {request.headers.get('Authorization', '')}")
        self.healthy = self.healthy or self.heals
        return web.Response(status=self.answer, text=f"token {request.headers.get('Authorization', '')}")


@asynccontextmanager
async def platform() -> AsyncIterator[Platform]:
    """A platform on a port of its own."""
    found = Platform()
    app = web.Application()
    app.router.add_get("/health", found.health)
    app.router.add_route("*", "/{tail:.*}", found.restart)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()


async def remedied(told: Story, until: timedelta = timedelta(minutes=5)) -> None:
    """Let remedies do all they have to do within a time."""
    end = told.clock() + until
    await told.tocsin.monitoring.settle()
    while (due := await told.tocsin.remedying.drain()) is not None and due <= end:
        told.clock.skip_to(due)
    await told.settle()


def lines(told: Story, message: Json) -> list[str]:
    """What remedies say in an alert's thread."""
    return [line for line in told.thread(message) if "ecover" in line or "approved" in line]


@pytest.fixture
async def paas() -> AsyncIterator[Platform]:
    async with platform() as found:
        yield found


async def down(told: Story) -> Json:
    """The message about the backend that is down."""
    await told.look()
    return await told.alert("backend")


async def test_a_service_that_is_down_is_restarted_and_recovers(tmp_path: Path, paas: Platform) -> None:
    async with story(tmp_path, SHOP.replace("{service}", paas.url)) as told:
        message = await down(told)
        await remedied(told)
        await told.becomes(message, "Resolved: backend is down")

        assert paas.restarts == ["POST /v1/services/srv-1/restart Bearer a-secret-for-restarts"]
        said = lines(told, message)
        print(told.thread(message))
        assert said[0] == (
            f":wrench: Recovery: running restart (attempt 1 of 2 in 1 h): POST {paas.url}/v1/services/srv-1/restart"
        )
        assert "restart is done: HTTP 202 Accepted" in said[1]
        assert "the check runs again in 30 s" in said[1]
        assert "backend recovered by restart after 3" in said[-1]
        assert "(attempt 1 of 2 in 1 h)" in said[-1]
        assert "a-secret" not in told.transcript() + "".join(told.thread(message))
