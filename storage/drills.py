"""Drills: which test alerts were sent where, and what their result message shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.severity import Severity
from storage.tables import drills


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPlace:
    """A place the test alert is sent to: what people call it, and the key of its outbox entry."""

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A drill. `shown` is what became of each place when the result was last written, in words by name."""

    id: int = 0
    by: str
    channel: str
    severity: Severity
    about: str
    started_at: datetime
    places: tuple[DrillPlace, ...] = ()
    shown: Mapping[str, str]
    ended_at: datetime | None = None


async def add(connection: AsyncConnection, drill: Drill) -> int:
    """Store a new drill; returns its number."""
    statement = sa.insert(drills).values(**_row(drill)).returning(drills.c.id)
    return int((await connection.execute(statement)).scalar_one())


async def get(connection: AsyncConnection, number: int) -> Drill | None:
    """The drill of a number."""
    row = (await connection.execute(sa.select(drills).where(drills.c.id == number))).first()
    return None if row is None else _drill(row)


async def running(connection: AsyncConnection) -> list[Drill]:
    """The drills that still wait for an arrival."""
    query = sa.select(drills).where(drills.c.ended_at.is_(None)).order_by(drills.c.id)
    return [_drill(row) for row in await connection.execute(query)]


async def update(connection: AsyncConnection, drill: Drill) -> None:
    """Store how a drill stands."""
    await connection.execute(sa.update(drills).where(drills.c.id == drill.id).values(**_row(drill)))


async def forget(connection: AsyncConnection, before: datetime) -> None:
    """Delete the drills that began before an instant."""
    await connection.execute(sa.delete(drills).where(drills.c.started_at < before))


def _row(drill: Drill) -> dict[str, Any]:
    return {
        "by": drill.by,
        "channel": drill.channel,
        "severity": int(drill.severity),
        "about": drill.about,
        "started_at": drill.started_at,
        "places": [{"name": place.name, "key": place.key} for place in drill.places],
        "shown": dict(drill.shown),
        "ended_at": drill.ended_at,
    }


def _drill(row: sa.Row[Any]) -> Drill:
    return Drill(
        id=row.id,
        by=row.by,
        channel=row.channel,
        severity=Severity(row.severity),
        about=row.about,
        started_at=row.started_at,
        places=tuple(DrillPlace(name=place["name"], key=place["key"]) for place in row.places),
        shown=row.shown,
        ended_at=row.ended_at,
    )
