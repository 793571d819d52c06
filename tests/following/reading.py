"""A Tocsin without Slack that follows logs, read when a test says so."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.config import parse
from bot.domain.run import Run
from bot.domain.run_filter import RunFilter
from bot.following.follower import Follower
from bot.following.following import Following
from storage import runs
from storage.database import Database
from tests.jobs.hearing import ENVIRON, HEAD, START, Ear, hearing


@dataclass
class Reading:
    """What follows, and what it has recorded."""

    ear: Ear
    following: Following

    @property
    def follower(self) -> Follower:
        return self.following.followers[0]

    async def read(self) -> None:
        """Read every log as far as it goes."""
        for follower in self.following.followers:
            while await follower.tick():
                pass

    async def after(self, **length: float) -> None:
        """Let time pass, then read."""
        self.ear.clock.now += timedelta(**length)
        await self.read()

    async def runs(self) -> list[Run]:
        """Every run there is, the first that was recorded first."""
        async with self.ear.database.snapshot() as connection:
            found = await runs.page(connection, RunFilter(limit=10_000))
        return sorted(found.runs, key=lambda run: run.number)

    async def numbers(self) -> list[Any]:
        """The field `n` of every run, in the order in which they were recorded."""
        return [run.fields.get("n") for run in await self.runs()]


@asynccontextmanager
async def reading(database: Database, config: str, now: datetime = START) -> AsyncIterator[Reading]:
    """A Tocsin on a database with these `run_logs` and whatever else."""
    async with hearing(database, config, now) as ear:
        following = Following(
            settings=parse((HEAD + config).encode(), "tocsin.yml", ENVIRON),
            database=database,
            monitoring=ear.monitoring,
            clock=ear.clock,
            wake=lambda: None,
        )
        try:
            yield Reading(ear, following)
        finally:
            await following.stop()


def line(n: int, *, at: datetime | None = START, **fields: Any) -> str:
    """A line of a run, its end included."""
    run: dict[str, Any] = {"job_name": "sync", "status": "SUCCESS", "n": n, **fields}
    if at is not None:
        run = {"timestamp": (at + timedelta(seconds=n)).isoformat(), **run}
    return json.dumps(run) + "\n"


def lines(numbers: Iterable[int], **fields: Any) -> str:
    """Lines of runs."""
    return "".join(line(n, **fields) for n in numbers)
