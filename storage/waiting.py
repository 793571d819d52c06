"""What waits in a lane to be put together: alerts that were never posted there, lines for the threads of groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.severity import Severity
from storage.database import in_parts
from storage.outbox import EntryKind, Lane
from storage.tables import alert_group_members as members
from storage.tables import alerts, decisions, messages, outbox

SETTLED: dict[str, Any] = {
    "state": "done", "attempts": 0, "leased_by": None, "leased_until": None, "last_error": None,
}  # fmt: skip
"""Nothing is owed of an entry any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The view of an alert that waits and was never posted. `channel` is the one it was meant for."""

    entry_id: int
    key: str
    alert_id: int
    channel: str
    severity: Severity
    calls: bool


_NOW = sa.bindparam("now", type_=outbox.c.due_at.type)
_WAITING = (
    sa.select(
        outbox.c.id, outbox.c.key, outbox.c.alert_id, outbox.c.payload, alerts.c.severity, alerts.c.status
    )
    .join(alerts, alerts.c.id == outbox.c.alert_id)
    .where(
        outbox.c.state == "pending",
        outbox.c.kind == EntryKind.VIEW.value,
        outbox.c.destination == sa.bindparam("destination"),
        outbox.c.channel == sa.bindparam("channel"),
        outbox.c.in_doubt_since.is_(None),
        outbox.c.root_key.is_(None),
        outbox.c.payload["only_here"]
        .as_boolean()
        .is_not(True),  # an incident's channel shows each of its own
        sa.or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= _NOW),
        alerts.c.detail["held_by"].as_string().is_(None),
        sa.or_(
            alerts.c.silenced_until.is_(None),
            alerts.c.silenced_until <= sa.func.coalesce(alerts.c.closed_at, _NOW),
        ),
        sa.not_(sa.exists().where(messages.c.key == outbox.c.key)),
        sa.not_(sa.exists().where(members.c.view_key == outbox.c.key)),
    )
    .order_by(outbox.c.priority, outbox.c.id)
    .limit(sa.bindparam("most"))
)


_WAITING_SINCE = _WAITING.with_only_columns(outbox.c.created_at).where(outbox.c.due_at <= _NOW)
_WAITING = _WAITING.with_for_update(of=outbox, skip_locked=True)


async def waiting(connection: AsyncConnection, lane: Lane, now: datetime, most: int) -> list[Waiting]:
    """Alerts whose first message in a lane waits and will be shown, the most urgent first; locked.

    Those that are not due yet are among them, and none that may have been posted already.
    """
    asked = {"destination": lane.destination, "channel": lane.channel, "now": now, "most": most}
    return [
        Waiting(
            entry_id=row.id,
            key=row.key,
            alert_id=row.alert_id,
            channel=row.payload.get("channel", lane.channel),
            severity=Severity(row.severity),
            calls=row.status == "active",
        )
        for row in await connection.execute(_WAITING, asked)
    ]


async def waiting_since(connection: AsyncConnection, lane: Lane, now: datetime) -> datetime | None:
    """When the first that `waiting` would find of those due began; locks nothing."""
    asked = {"destination": lane.destination, "channel": lane.channel, "now": now, "most": 1}
    since: datetime | None = await connection.scalar(_WAITING_SINCE, asked)
    return since


async def names_of(connection: AsyncConnection, found: Iterable[Waiting], destination: str) -> list[str]:
    """Everybody whom alerts name where they wait, in the order of the alerts."""
    asked = {each.alert_id: each.channel for each in found}
    named: dict[int, list[str]] = {}
    query = sa.select(decisions.c.alert_id, decisions.c.outcome).order_by(decisions.c.id)
    for some in in_parts(asked):
        for row in await connection.execute(query.where(decisions.c.alert_id.in_(some))):
            for place in row.outcome.get("places", ()):
                if (place["destination"], place["channel"]) == (destination, asked[row.alert_id]):
                    named[row.alert_id] = place["mentions"]
    return list(dict.fromkeys(name for number in asked for name in named.get(number, ())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines that wait for the thread of a group, the most urgent first."""

    root_key: str
    priority: int
    alert_id: int
    entry_ids: tuple[int, ...]
    kinds: dict[str, int]
    names: tuple[str, ...]
    broadcast: bool


_LINES = sa.and_(
    outbox.c.state == "pending",
    outbox.c.kind == EntryKind.POST.value,
    outbox.c.destination == sa.bindparam("destination"),
    outbox.c.channel == sa.bindparam("channel"),
    outbox.c.root_key.like("group:%"),
    outbox.c.key.not_like("joined:%"),
    outbox.c.key.not_like("together:%"),
    outbox.c.in_doubt_since.is_(None),
)
_CROWDED = (
    sa.select(outbox.c.root_key)
    .where(_LINES)
    .group_by(outbox.c.root_key)
    .having(sa.func.count() > sa.bindparam("most"), sa.func.min(outbox.c.due_at) <= _NOW)
)


async def crowded(
    connection: AsyncConnection, lane: Lane, now: datetime, most: int, portion: int
) -> list[Lines]:
    """Of each group for whose thread more than `most` lines wait, one of them due, up to `portion`; locked."""
    asked = {"destination": lane.destination, "channel": lane.channel}
    keys = [row[0] for row in await connection.execute(_CROWDED, {**asked, "now": now, "most": most})]
    found = []
    for key in keys:
        query = (
            sa.select(outbox.c.id, outbox.c.alert_id, outbox.c.priority, outbox.c.payload)
            .where(_LINES, outbox.c.root_key == key)
            .order_by(outbox.c.priority, outbox.c.id)
            .limit(portion)
            .with_for_update(skip_locked=True)
        )
        rows = (await connection.execute(query, asked)).all()
        if rows:
            found.append(_lines(key, rows))
    return found


def _lines(key: str, rows: Sequence[Any]) -> Lines:
    kinds: dict[str, int] = {}
    for row in rows:
        kind = row.payload["event"]["kind"]
        kinds[kind] = kinds.get(kind, 0) + 1
    return Lines(
        root_key=key,
        priority=rows[0].priority,
        alert_id=rows[0].alert_id,
        entry_ids=tuple(row.id for row in rows),
        kinds=kinds,
        names=tuple(dict.fromkeys(name for row in rows for name in row.payload.get("mentions", ()))),
        broadcast=any(row.payload.get("broadcast") for row in rows),
    )


async def settle_entries(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """Nothing is owed of some entries: another one says it."""
    for some in in_parts(ids):
        await connection.execute(sa.update(outbox).where(outbox.c.id.in_(some)).values(**SETTLED))
