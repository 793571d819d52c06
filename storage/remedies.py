"""Attempts of remedies: what is due, what is under way, and how often each ran."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.remedy import Attempt, AttemptState, Rivals
from storage.database import Database
from storage.tables import alerts
from storage.tables import remedy_attempts as attempts

_COLUMNS = tuple(field.name for field in fields(Attempt) if field.name != "id")
_UNDER_WAY = attempts.c.state.in_([AttemptState.RUNNING.value, AttemptState.VERIFYING.value])
_NOT_BEGUN = (AttemptState.DUE.value, AttemptState.WAITING.value)
_MOST_DUE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Which attempts count against each other: of a remedy since an instant.

    Those that do the same always do; with `whole_resource` also those that do something else at it.
    """

    since: datetime
    whole_resource: bool


async def add(database: Database, connection: AsyncConnection, attempt: Attempt) -> bool:
    """Store a new attempt; False when that number is there already."""
    statement = database.insert(attempts).values(**_values(attempt))
    statement = statement.on_conflict_do_nothing(index_elements=["alert_id", "remedy", "episode", "number"])
    return (await connection.execute(statement.returning(attempts.c.id))).scalar_one_or_none() is not None


async def get(connection: AsyncConnection, attempt_id: int, *, lock: bool = False) -> Attempt | None:
    """One attempt; `lock`: nobody else changes it or its alert before this transaction ends.

    The alert is locked first, as by whoever stores a change of it and then follows it up here.
    """
    query = sa.select(attempts).where(attempts.c.id == attempt_id)
    if lock:
        mine = sa.select(attempts.c.alert_id).where(attempts.c.id == attempt_id).scalar_subquery()
        await connection.execute(sa.select(alerts.c.id).where(alerts.c.id == mine).with_for_update())
        query = query.with_for_update()
    row = (await connection.execute(query)).first()
    return None if row is None else _attempt(row)


async def newest(connection: AsyncConnection, alert_id: int, remedy: str) -> Attempt | None:
    """The last attempt of a remedy at an alert."""
    query = sa.select(attempts).where(attempts.c.alert_id == alert_id, attempts.c.remedy == remedy)
    row = (await connection.execute(query.order_by(attempts.c.id.desc()).limit(1))).first()
    return None if row is None else _attempt(row)


async def of_alert(connection: AsyncConnection, alert_id: int) -> list[Attempt]:
    """Every attempt at an alert, oldest first."""
    query = sa.select(attempts).where(attempts.c.alert_id == alert_id).order_by(attempts.c.id)
    return [_attempt(row) for row in await connection.execute(query)]


async def due(connection: AsyncConnection, now: datetime) -> list[Attempt]:
    """The attempts that somebody must look at: to run, to verify, or since whoever ran them has gone."""
    query = sa.select(attempts).where(attempts.c.due_at <= now).order_by(attempts.c.due_at, attempts.c.id)
    return [_attempt(row) for row in await connection.execute(query.limit(_MOST_DUE))]


async def offers(connection: AsyncConnection, alert_id: int) -> list[Attempt]:
    """The attempts at an alert that wait for somebody's approval."""
    query = sa.select(attempts).where(
        attempts.c.alert_id == alert_id, attempts.c.state == AttemptState.WAITING.value
    )
    return [_attempt(row) for row in await connection.execute(query.order_by(attempts.c.id))]


async def change(connection: AsyncConnection, before: Attempt, after: Attempt) -> bool:
    """Store an attempt unless somebody else has changed its state, owner or time since; False then.

    Raises DatabaseError when it would run beside another that does the same or is at the same resource.
    """
    unchanged = sa.and_(
        attempts.c.id == before.id,
        attempts.c.state == before.state.value,
        attempts.c.owner.is_not_distinct_from(before.owner),
        attempts.c.due_at.is_not_distinct_from(before.due_at),
    )
    statement = sa.update(attempts).where(unchanged).values(**_values(after))
    return (await connection.execute(statement)).rowcount == 1


async def rivals(connection: AsyncConnection, attempt: Attempt, target: str, limit: Limit) -> Rivals:
    """What bears on an attempt of that target."""
    same = attempts.c.target == target
    here = sa.or_(same, attempts.c.resource == attempt.resource)
    others = sa.and_(attempts.c.remedy == attempt.remedy, attempts.c.id != attempt.id)
    busy = sa.select(sa.func.count()).where(others, here, _UNDER_WAY)
    used = sa.select(attempts.c.started_at).where(
        attempts.c.remedy == attempt.remedy,
        here if limit.whole_resource else same,
        attempts.c.started_at > limit.since,
    )
    rows = await connection.execute(used.order_by(attempts.c.started_at))
    return Rivals(busy=bool(await connection.scalar(busy)), used=tuple(row[0] for row in rows))


async def follow_end(connection: AsyncConnection, alert_id: int, now: datetime) -> None:
    """The alert ended: what has not begun is not needed, what is to be verified can be looked at now."""
    mine = attempts.c.alert_id == alert_id
    await connection.execute(
        sa.update(attempts)
        .where(mine, attempts.c.state.in_(_NOT_BEGUN))
        .values(state=AttemptState.EXPIRED.value, due_at=None, ended_at=now, outcome="the alert ended")
    )
    await connection.execute(
        sa.update(attempts)
        .where(mine, attempts.c.state == AttemptState.VERIFYING.value, attempts.c.due_at > now)
        .values(due_at=now)
    )


async def hasten(connection: AsyncConnection, alert_id: int, now: datetime) -> None:
    """What was put off may be possible now."""
    put_off = sa.and_(attempts.c.state == AttemptState.DUE.value, attempts.c.due_at > now)
    await connection.execute(
        sa.update(attempts).where(attempts.c.alert_id == alert_id, put_off).values(due_at=now)
    )


async def interrupt_all(connection: AsyncConnection, now: datetime) -> None:
    """Whoever ran attempts has gone. Only for a database with one Tocsin, when that one starts."""
    running = attempts.c.state == AttemptState.RUNNING.value
    await connection.execute(sa.update(attempts).where(running).values(due_at=now))


async def next_due(connection: AsyncConnection) -> datetime | None:
    """When somebody must look next."""
    found: datetime | None = await connection.scalar(sa.select(sa.func.min(attempts.c.due_at)))
    return found


def _values(attempt: Attempt) -> dict[str, Any]:
    return {name: getattr(attempt, name) for name in _COLUMNS} | {
        "state": attempt.state.value,
        "values": dict(attempt.values),
    }


def _attempt(row: sa.Row[Any]) -> Attempt:
    found = dict(row._mapping)
    return Attempt(**{**found, "state": AttemptState(found["state"])})
