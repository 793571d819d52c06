"""Escalations of open alerts, and the alerts that quiet hours hold back: rows with due times."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.escalation import Escalation
from storage.database import Database
from storage.tables import escalations, held_alerts


async def get(connection: AsyncConnection, alert_id: int) -> Escalation | None:
    """How far an alert's escalation is; nobody else changes it before this transaction ends."""
    query = sa.select(escalations).where(escalations.c.alert_id == alert_id).with_for_update()
    row = (await connection.execute(query)).first()
    return None if row is None else _escalation(row)


async def find(connection: AsyncConnection, alert_id: int) -> Escalation | None:
    """How far an alert's escalation is, to be shown."""
    row = (await connection.execute(sa.select(escalations).where(escalations.c.alert_id == alert_id))).first()
    return None if row is None else _escalation(row)


async def due(connection: AsyncConnection, now: datetime, limit: int = 500) -> list[Escalation]:
    """The escalations with a moment that has come, the longest due first."""
    query = sa.select(escalations).where(escalations.c.due_at <= now)
    rows = await connection.execute(query.order_by(escalations.c.due_at).limit(limit))
    return [_escalation(row) for row in rows]


async def put(database: Database, connection: AsyncConnection, escalation: Escalation) -> None:
    """Keep how far an escalation is."""
    values = _values(escalation)
    statement = database.insert(escalations).values(**values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["alert_id"], set_=values))


async def end(connection: AsyncConnection, alert_id: int) -> None:
    """Nothing of an alert's escalation is left."""
    await connection.execute(sa.delete(escalations).where(escalations.c.alert_id == alert_id))


async def hold(database: Database, connection: AsyncConnection, alert_id: int, until: datetime) -> None:
    """Tell nobody of an alert before an instant."""
    statement = database.insert(held_alerts).values(alert_id=alert_id, until=until)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["alert_id"], set_={"until": until})
    )


async def is_held(connection: AsyncConnection, alert_id: int) -> bool:
    """Whether nobody is to be told of an alert yet."""
    query = sa.select(held_alerts.c.until).where(held_alerts.c.alert_id == alert_id)
    return (await connection.execute(query)).first() is not None


async def release(connection: AsyncConnection, alert_id: int) -> bool:
    """Let an alert be told; False when it was not held (any more)."""
    statement = sa.delete(held_alerts).where(held_alerts.c.alert_id == alert_id)
    return (await connection.execute(statement)).rowcount == 1


async def held_until(connection: AsyncConnection, now: datetime) -> list[tuple[int, datetime]]:
    """The alerts whose holding back is over, and when it ended."""
    query = sa.select(held_alerts.c.alert_id, held_alerts.c.until).where(held_alerts.c.until <= now)
    rows = await connection.execute(query.order_by(held_alerts.c.alert_id))
    return [(row.alert_id, row.until) for row in rows]


def _values(escalation: Escalation) -> dict[str, Any]:
    return {
        "alert_id": escalation.alert_id,
        "policy": escalation.policy,
        "round": escalation.round,
        "since": escalation.since,
        "done": escalation.done,
        "due_at": escalation.due_at,
        "paused_at": escalation.paused_at,
    }


def _escalation(row: sa.Row[Any]) -> Escalation:
    return Escalation(
        alert_id=row.alert_id,
        policy=row.policy,
        round=row.round,
        since=row.since,
        done=row.done,
        due_at=row.due_at,
        paused_at=row.paused_at,
    )
