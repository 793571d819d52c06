"""The use cases over a real database, with a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from bot.alerting import Alerting
from bot.announcing import Announcer
from bot.domain.alert import Alert, Event
from bot.domain.inhibition import Inhibition
from bot.domain.jobs import Terms
from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.plan import Plan
from bot.domain.rule import RuleGroup
from bot.domain.silence import Timetable
from bot.escalating import Escalating
from bot.monitoring import Monitoring
from bot.silence_book import SilenceBook
from bot.silencing import Silencing
from checks.result import State
from storage import alerts
from storage.database import Database
from storage.outbox import EntryKind
from storage.tables import alerts as alerts_table
from storage.tables import outbox
from tests.domain.findings import all_of, rule
from tests.storage.stored import NOON, Clock

HOT, COLD = {"cpu": 95}, {"cpu": 5}


@dataclass
class Rules:
    """The same rules for every source."""

    groups: tuple[RuleGroup, ...] = field(
        default_factory=lambda: all_of(rule("cpu > 90", dedupe=timedelta(hours=1)))
    )

    inhibitions: tuple[Inhibition, ...] = ()

    def groups_for(self, source: Source, *, watch: bool = False) -> tuple[RuleGroup, ...]:
        return () if watch else self.groups

    def terms_of(self, job: str) -> Terms:
        return Terms(zone=ZoneInfo("UTC"))


class Bot:
    """Monitoring and alerting on one database. `woken` counts how often there was something to deliver."""

    def __init__(
        self,
        database: Database,
        groups: tuple[RuleGroup, ...] | None = None,
        timetables: tuple[Timetable, ...] = (),
        plan: Plan | None = None,
        inhibitions: tuple[Inhibition, ...] = (),
    ) -> None:
        self.database = database
        self.clock = Clock()
        self.woken = 0
        self.announcer = announcer = Announcer(database=database, channel="#alerts", plan=plan)
        book = SilenceBook(database=database, timetables=timetables)
        self.monitoring = Monitoring(
            database=database,
            rulebook=Rules(groups, inhibitions) if groups is not None else Rules(),
            announcer=announcer,
            clock=self.clock,
            wake=self._wake,
            silences=book,
        )
        self.silencing = Silencing(
            database=database, announcer=announcer, book=book, clock=self.clock, wake=self._wake
        )
        self.alerting = Alerting(
            database=database,
            announcer=announcer,
            silencing=self.silencing,
            clock=self.clock,
            wake=self._wake,
        )
        self.escalating = Escalating(
            database=database, announcer=announcer, clock=self.clock, wake=self._wake
        )

    def _wake(self) -> None:
        self.woken += 1

    def seen(
        self,
        fields: Mapping[str, Any],
        *,
        resource: str = "web-1",
        state: State = State.OK,
        at: datetime | None = None,
        kind: SourceKind = SourceKind.CHECK,
        name: str = "host",
    ) -> Observation:
        """An observation made now."""
        return Observation(
            source=Source(kind=kind, name=name),
            resource=resource,
            state=state,
            at=at or self.clock(),
            summary="as measured",
            fields=fields,
        )

    async def sees(self, fields: Mapping[str, Any], **named: Any) -> None:
        await self.monitoring.record(self.seen(fields, **named))

    async def alerts(self) -> list[Alert]:
        """Every alert, oldest first."""
        async with self.database.snapshot() as connection:
            rows = await connection.execute(sa.select(alerts_table).order_by(alerts_table.c.id))
            return [alerts.alert_of(row) for row in rows]

    async def alert(self) -> Alert:
        """The one alert there is."""
        (found,) = await self.alerts()
        return found

    async def history(self, alert_id: int = 1) -> list[Event]:
        async with self.database.snapshot() as connection:
            return await alerts.history(connection, alert_id)

    async def owed(self) -> list[str]:
        """What waits to be delivered: `view`, or the event a line is about."""
        async with self.database.snapshot() as connection:
            rows = await connection.execute(
                sa.select(outbox).where(outbox.c.state == "pending").order_by(outbox.c.id)
            )
            return [_owed(row) for row in rows]


def _owed(row: Any) -> str:
    if row.kind == EntryKind.VIEW:
        return "view"
    return str(row.payload["event"]["kind"] if "event" in row.payload else row.payload["text"])


@asynccontextmanager
async def running(
    database: Database,
    groups: tuple[RuleGroup, ...] | None = None,
    timetables: tuple[Timetable, ...] = (),
    plan: Plan | None = None,
) -> AsyncIterator[Bot]:
    """A bot whose writer runs."""
    bot = Bot(database, groups, timetables, plan)
    bot.monitoring.start()
    try:
        yield bot
    finally:
        await bot.monitoring.stop()


__all__ = ["COLD", "HOT", "NOON", "Bot", "running"]
