"""The real scheduler over real monitoring and a real database, with checks that tests make up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from bot.announcing import Announcer
from bot.config.probing import CheckSettings
from bot.monitoring import Monitoring
from bot.probe import Probe
from bot.scheduler import Scheduler
from checks.options import Check
from checks.result import CheckResult, State
from storage.database import Database
from storage.tables import results
from tests.databases import sqlite_database
from tests.storage.bot import Rules

ZONE = ZoneInfo("UTC")


def clock() -> datetime:
    return datetime.now(UTC)


def probe_of(name: str, check: Check, *, every: timedelta, timeout: timedelta | None = None) -> Probe:
    """A check of a test's own, with the settings that any kind has."""
    keys = {"type": "env", "required": {"PATH": "nonempty"}, "every": every, "timeout": timeout or every}
    return Probe(name=name, settings=CheckSettings.model_validate(keys), check=check, zone=ZONE, clock=clock)


@dataclass
class Good:
    """A check that is well, and when it was run."""

    starts: list[float] = field(default_factory=list)

    async def run(self) -> CheckResult:
        self.starts.append(perf_counter())
        return CheckResult(state=State.OK, summary="well")

    @property
    def longest_pause(self) -> float:
        return max(late - early for early, late in zip(self.starts, self.starts[1:], strict=False))


@dataclass
class Doing:
    """A check that does whatever a test says."""

    deed: Callable[[], Awaitable[Any]]

    async def run(self) -> CheckResult:
        found: CheckResult = await self.deed()
        return found


@dataclass
class Stage:
    """A scheduler that runs, and what its database holds."""

    scheduler: Scheduler
    monitoring: Monitoring
    database: Database

    async def found(self) -> Mapping[str, Any]:
        """The last result of each check, as it is stored."""
        await self.monitoring.settle()
        async with self.database.snapshot() as connection:
            rows = await connection.execute(sa.select(results).order_by(results.c.id))
            return {row.name: row for row in rows}


@asynccontextmanager
async def playing(folder: Path, *probes: Probe) -> AsyncIterator[Stage]:
    """Run these checks until the end of the block."""

    async def ignore(name: str, observations: Any) -> None:
        del name, observations

    async with sqlite_database(folder / "tocsin.db") as database:
        monitoring = Monitoring(
            database=database,
            rulebook=Rules(()),
            announcer=Announcer(database=database, channel="#alerts"),
            clock=clock,
            wake=lambda: None,
        )
        monitoring.start()
        scheduler = Scheduler(monitoring=monitoring, clock=clock, report=ignore)
        scheduler.add_probes(probes)
        scheduler.start()
        try:
            yield Stage(scheduler, monitoring, database)
        finally:
            await scheduler.stop()
            await monitoring.stop()


__all__ = ["Doing", "Good", "Stage", "clock", "playing", "probe_of"]
