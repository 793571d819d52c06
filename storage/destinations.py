"""Destinations beside Slack: what waits for them, and which refuse for good."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.outbox import EntryKind
from storage.tables import alert_group_members, alerts, messages, outbox
from storage.tables import destination_troubles as troubles


async def refuses(
    database: Database, connection: AsyncConnection, destination: str, reason: str, now: datetime
) -> bool:
    """Keep that a destination refuses; False when that was known."""
    statement = database.insert(troubles).values(destination=destination, since=now, reason=reason[:1000])
    statement = statement.on_conflict_do_nothing(index_elements=["destination"])
    found = await connection.execute(statement.returning(troubles.c.destination))
    return found.scalar_one_or_none() is not None


async def works(connection: AsyncConnection, destination: str) -> bool:
    """A destination took something; whether it had refused before."""
    statement = sa.delete(troubles).where(troubles.c.destination == destination)
    return (await connection.execute(statement.returning(troubles.c.destination))).first() is not None


async def refusing(connection: AsyncConnection) -> dict[str, str]:
    """Why each destination refuses that does."""
    rows = await connection.execute(sa.select(troubles.c.destination, troubles.c.reason))
    return {row.destination: row.reason for row in rows}


async def lines_waiting(connection: AsyncConnection, root_key: str) -> list[tuple[int, Mapping[str, Any]]]:
    """The lines that wait for an alert's first word in a lane: id and payload, oldest first."""
    query = (
        sa.select(outbox.c.id, outbox.c.payload)
        .where(
            outbox.c.root_key == root_key,
            outbox.c.kind == EntryKind.POST.value,
            outbox.c.state == "pending",
        )
        .order_by(outbox.c.id)
    )
    return [(row.id, row.payload) for row in await connection.execute(query)]


async def settle(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """These entries were said together with another."""
    await connection.execute(
        sa.update(outbox).where(outbox.c.id.in_(ids)).values(state="done", leased_by=None, leased_until=None)
    )


async def unheard(connection: AsyncConnection, destination: str, since: datetime | None = None) -> list[int]:
    """Alerts of which something that calls people waits for a destination: a first word, or a loud line.

    Of a group whose message stands and waits to be edited, those that began `since` an instant; all unless set.
    """
    told = sa.exists().where(messages.c.key == outbox.c.key)
    query = (
        sa.select(outbox.c.key, outbox.c.alert_id, outbox.c.kind, outbox.c.payload, told.label("told"))
        .where(outbox.c.state == "pending", outbox.c.destination == destination)
        .order_by(outbox.c.priority, outbox.c.id)
    )
    found: list[int] = []
    for row in (await connection.execute(query)).all():
        if row.kind == EntryKind.GROUP.value:
            found += await _members(connection, int(row.key.split(":")[1]), since if row.told else None)
        elif row.alert_id is not None and (
            not row.told if row.kind == EntryKind.VIEW.value else row.payload.get("loud")
        ):
            found.append(int(row.alert_id))
    return list(dict.fromkeys(found))


async def _members(connection: AsyncConnection, group_id: int, since: datetime | None) -> list[int]:
    query = (
        sa.select(alerts.c.id)
        .join(alert_group_members, alert_group_members.c.alert_id == alerts.c.id)
        .where(alert_group_members.c.group_id == group_id, alerts.c.closed_at.is_(None))
        .order_by(alerts.c.severity, alerts.c.id)
    )
    if since is not None:
        query = query.where(alerts.c.opened_at >= since)
    return list(await connection.scalars(query))


async def revive(connection: AsyncConnection, destinations: Collection[str], now: datetime) -> None:
    """Let what destinations refused of alerts be tried again: the file may name them rightly now."""
    dead = sa.and_(
        outbox.c.state == "dead",
        outbox.c.destination.in_(destinations),
        outbox.c.alert_id.is_not(None),
    )
    await connection.execute(
        sa.update(outbox)
        .where(dead)
        .values(state="pending", attempts=0, due_at=now, in_doubt_since=None, last_error=None)
    )


async def abandon(connection: AsyncConnection, destinations: Collection[str]) -> None:
    """What waits for destinations that the file no longer has will never be delivered."""
    gone = sa.and_(outbox.c.state == "pending", outbox.c.destination.not_in(destinations))
    await connection.execute(
        sa.update(outbox)
        .where(gone)
        .values(state="dead", last_error="tocsin.yml has this destination no more")
    )
