"""The web server of a Tocsin without Slack, and what a job or a person does at it."""

import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
from pydantic import SecretStr

from bot.config import parse
from bot.domain.jobs import OpenRun
from bot.domain.run import Run
from bot.domain.run_filter import RunFilter
from bot.pinging import Pinging
from handlers.http.addresses import Addresses
from handlers.http.pings import PingRoutes
from handlers.http.run_routes import RunRoutes
from handlers.http.server import HttpServer
from storage import open_runs, runs
from storage.database import Database
from tests.jobs.hearing import ENVIRON, HEAD, Ear, hearing

TOKEN = "a-token-for-the-api"
KEY = "fqOOd6-F4MMNuCEnzTU01w"
BACKUP, OTHER = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278", "0ef2e7a2-0c6b-4c8c-9a5a-4f4a2c2f7c11"
RID, RID2 = "123e4567-e89b-12d3-a456-426614174000", "9f0a5a9e-5f0e-4a5f-8f60-4f6f1d3c2b1a"
JOBS = f"""
jobs:
  Nightly Backup: {{every: 1d, ping: {BACKUP}}}
  sync: {{every: 1h, ping: {OTHER}}}
  report: {{every: 1h}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server answered."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Door:
    """A running web server and the Tocsin behind it."""

    ear: Ear
    server: HttpServer
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """One request."""
        async with self.session.request(method, self.url + path, **options) as found:
            return Answer(status=found.status, text=await found.text(), headers=found.headers.copy())

    async def ping(self, address: str, body: str | bytes | None = None, method: str = "") -> Answer:
        """A ping, as `GET`, or as `POST` with a body."""
        method = method or ("GET" if body is None else "POST")
        sent = body.encode() if isinstance(body, str) else body
        return await self.ask(method, f"/ping/{address}", data=None if sent is None else io.BytesIO(sent))

    async def post(self, body: Any, kind: str = "application/json", **headers: str) -> Answer:
        """Runs, posted with the token."""
        data = (
            body
            if isinstance(body, bytes)
            else (body if isinstance(body, str) else json.dumps(body)).encode()
        )
        sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind, **headers}
        return await self.ask("POST", "/api/v1/runs", data=io.BytesIO(data), headers=sent)

    async def listed(self, query: str = "") -> Answer:
        """`GET /api/v1/runs`."""
        return await self.ask("GET", f"/api/v1/runs?{query}", headers={"Authorization": f"Bearer {TOKEN}"})

    async def runs(self, job: str | None = None) -> list[Run]:
        """What is kept, newest first, with what was printed."""
        async with self.ear.database.snapshot() as connection:
            page = await runs.page(connection, RunFilter(job=job, limit=500))
            found = [await runs.get(connection, run.number) for run in page.runs]
        return [run for run in found if run is not None]

    async def open(self) -> list[OpenRun]:
        """The runs that have begun and not ended."""
        async with self.ear.database.snapshot() as connection:
            return await open_runs.list_all(connection)

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass."""
        self.ear.clock.now += timedelta(seconds=seconds)


@asynccontextmanager
async def door(
    database: Database, config: str = JOBS, *, key: str = KEY, body_limit: int = 1024**2
) -> AsyncIterator[Door]:
    """A Tocsin that listens."""
    settings = parse((HEAD + config).encode(), "tocsin.yml", ENVIRON)
    async with hearing(database, config) as ear, aiohttp.ClientSession() as session:
        clock = ear.clock
        addresses = Addresses(
            database=database, key=key, jobs={name: job.ping for name, job in settings.jobs.items()}
        )
        pinging = Pinging(database=database, monitoring=ear.monitoring, clock=clock)

        async def healthy() -> Mapping[str, str]:
            return {"database": "ok"}

        server = HttpServer(
            routes=(
                PingRoutes(addresses=addresses, pinging=pinging),
                RunRoutes(database=database, monitoring=ear.monitoring, clock=clock),
            ),
            token=SecretStr(TOKEN),
            body_limit=body_limit,
            health=healthy,
        )
        await server.start("127.0.0.1", 0)
        try:
            yield Door(ear, server, session)
        finally:
            await server.stop()
