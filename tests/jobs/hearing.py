"""Jobs that report to a Tocsin whose clock a test moves."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bot.announcing import Announcer
from bot.config import parse
from bot.config.rulebook import rulebook
from bot.domain.alert import Alert, Event
from bot.domain.observation import Source, SourceKind
from bot.domain.run import Run, RunStatus
from bot.domain.standing import Standing
from bot.monitoring import Monitoring
from bot.watching import Watch
from checks.result import Value
from storage import alerts, outbox, sources
from storage.database import Database
from storage.tables import outbox as outbox_table

START = datetime(2025, 3, 3, tzinfo=UTC)  # a Monday
ENVIRON = {"SLACK_BOT_TOKEN": "xoxb-1-test", "SLACK_APP_TOKEN": "xapp-1-test"}
HEAD = 'name: Test\nslack: {channel: "#ops"}\n'


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Ear:
    """One Tocsin without Slack: it hears runs, looks at jobs, and keeps alerts."""

    database: Database
    clock: Clock
    monitoring: Monitoring
    watch: Watch

    async def at(self, instant: datetime | str) -> None:
        """Let it be an instant (or `HH:MM`, `HH:MM:SS` UTC of the day) and look at the jobs."""
        if isinstance(instant, str):
            hour, minute, *second = (int(part) for part in instant.split(":"))
            instant = self.clock.now.replace(hour=hour, minute=minute, second=second[0] if second else 0)
        assert instant >= self.clock.now, "time does not go back"
        self.clock.now = instant
        await self.look()

    async def after(self, **length: float) -> None:
        """Let time pass, and look at the jobs."""
        await self.at(self.clock.now + timedelta(**length))

    async def look(self) -> None:
        """Look at the jobs, as every few seconds."""
        await self.watch.tick()
        await self.monitoring.settle()

    async def start(self, job: str, rid: str | None = None, *, ago: float = 0) -> bool:
        """A job says that it has begun, so many seconds ago."""
        return await self.monitoring.record_start(job, rid, self.clock.now - timedelta(seconds=ago))

    async def run(
        self,
        job: str,
        status: str = "SUCCESS",
        *,
        run_id: str | None = None,
        seconds: float | None = None,
        ago: float = 0,
        **fields: Value,
    ) -> bool:
        """A job says that a run of so many seconds ended, so many seconds ago."""
        run = Run(
            run_id=run_id,
            job=job,
            status=RunStatus(status),
            finished_at=self.clock.now - timedelta(seconds=ago),
            duration_seconds=seconds,
            exit_code=0 if status == "SUCCESS" else 124 if status == "TIMEOUT" else 1,
            fields=fields,
        )
        return await self.monitoring.record_run(run)

    async def alerts(self) -> dict[str, Alert]:
        """The open alerts by their titles."""
        async with self.database.snapshot() as connection:
            return {alert.firing.title: alert for alert in await alerts.list_open(connection)}

    async def titles(self) -> list[str]:
        """The titles of the open alerts."""
        return sorted(await self.alerts())

    async def history(self, alert: Alert) -> list[Event]:
        """What happened to an alert."""
        async with self.database.snapshot() as connection:
            return await alerts.history(connection, alert.id)

    async def ever(self) -> int:
        """How many alerts there have been."""
        async with self.database.snapshot() as connection:
            return len(await alerts.opened_between(connection, START, START + timedelta(days=4000)))

    async def said(self) -> list[str]:
        """The posts that wait to be sent, but for lines of alerts."""
        query = sa.select(outbox_table.c.payload).where(
            outbox_table.c.kind == outbox.EntryKind.POST.value, outbox_table.c.alert_id.is_(None)
        )
        async with self.database.snapshot() as connection:
            return [row[0]["text"] for row in await connection.execute(query.order_by(outbox_table.c.id))]

    async def standing(self, job: str) -> Standing:
        """How a job stands."""
        async with self.database.snapshot() as connection:
            found = await sources.list_all(connection, SourceKind.JOB)
        return next(each for each in found if each.source.name == job)

    async def fields(self, job: str) -> Mapping[str, Value]:
        """What rules saw of a job's newest run."""
        async with self.database.snapshot() as connection:
            found = await sources.get(connection, Source(kind=SourceKind.JOB, name=job), job)
        assert found is not None
        return found.fields


@asynccontextmanager
async def hearing(database: Database, config: str, now: datetime = START) -> AsyncIterator[Ear]:
    """A Tocsin on a database that has looked once."""
    clock = Clock(now)
    rules = rulebook(parse((HEAD + config).encode(), "tocsin.yml", ENVIRON))
    monitoring = Monitoring(
        database=database,
        rulebook=rules,
        announcer=Announcer(database=database, channel="#ops"),
        clock=clock,
        wake=lambda: None,
    )
    watch = Watch(
        database=database,
        monitoring=monitoring,
        expected=rules,
        clock=clock,
    )
    monitoring.start()
    ear = Ear(database, clock, monitoring, watch)
    try:
        await ear.look()
        yield ear
    finally:
        await monitoring.stop()
