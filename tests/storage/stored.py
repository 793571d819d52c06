"""Rows that storage's tests are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.announcing import Announcer
from bot.domain.alert import Alert, Change, Firing, fire
from bot.domain.observation import Source, SourceKind
from bot.domain.severity import Severity
from storage import alerts
from storage.database import Database
from storage.outbox import Lane

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ALERTS = Lane(destination="slack", channel="#alerts")
OPS = Lane(destination="slack", channel="#ops")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> datetime:
        self.now += by
        return self.now


def firing(**parts: Any) -> Firing:
    return Firing(
        **{
            "rule": "host.cpu",
            "source": Source(kind=SourceKind.CHECK, name="host"),
            "resource": "web-1",
            "severity": Severity.HIGH,
            "category": "system",
            "title": "web-1 is hot",
            "message": "",
            "reason": "cpu 95",
            **parts,
        }
    )


async def save(database: Database, alert: Alert) -> Alert:
    async with database.transaction() as connection:
        return await alerts.save(connection, alert)


async def new_alert(database: Database, **parts: Any) -> Alert:
    """A stored alert that fired at noon."""
    return await save(database, fire(firing(**parts), NOON).alert)


async def announced(database: Database, now: datetime = NOON, **parts: Any) -> Alert:
    """A stored alert with the entries that its firing owes."""
    announcer = Announcer(database=database, channel="#alerts")
    async with database.transaction() as connection:
        return await announcer.store(connection, fire(firing(**parts), now), now)


async def announce(database: Database, change: Change, now: datetime) -> Alert:
    """Store a further change of an alert with its entries."""
    announcer = Announcer(database=database, channel="#alerts")
    async with database.transaction() as connection:
        return await announcer.store(connection, change, now)
