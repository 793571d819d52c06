"""The outbox: which views are stale and which posts wait, who has claimed them, and what was posted where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.tables import alerts, messages, outbox

LEASE = timedelta(seconds=60)
_CARDS = "card:"


class EntryKind(StrEnum):
    """`view`: an alert's message is stale. `group`: that of many alerts is. `post`: something to say once."""

    VIEW = "view"
    GROUP = "group"
    POST = "post"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Deliveries to one channel of one destination, made one after another."""

    destination: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A claimed entry. `in_doubt_since`: an earlier attempt may have posted it; ask before posting again."""

    id: int
    key: str
    kind: EntryKind
    lane: Lane
    alert_id: int | None
    payload: Mapping[str, Any]
    priority: int
    generation: int
    created_at: datetime
    attempts: int
    in_doubt_since: datetime | None
    root_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that stands somewhere. `shown` identifies the content it shows."""

    key: str
    alert_id: int | None
    destination: str
    channel: str
    ts: str
    shown: str


def view_key(alert_id: int, lane: Lane) -> str:
    """The key of an alert's message in a lane, wherever that message had to go in the end."""
    return f"alert:{alert_id}:{lane.destination}:{lane.channel}"


def card_key(kind: str, number: int) -> str:
    """The key of a card: a message that is edited in place and is not about an alert."""
    return f"{_CARDS}{kind}:{number}"


async def mark_stale(
    database: Database,
    connection: AsyncConnection,
    *,
    alert_id: int,
    lane: Lane,
    priority: int,
    now: datetime,
    due_at: datetime,
    only_here: bool = False,
    note: str | None = None,
) -> None:
    """Say that an alert's view must be made true again, at the latest by `due_at`.

    With `only_here` it is let go of when its channel can be posted to no longer. A `note` says why a place is told
    that was not meant to be; kept only where nothing was marked before.
    """
    payload: dict[str, Any] = {"channel": lane.channel}
    payload |= {"only_here": True} if only_here else {}
    payload |= {"note": note} if note else {}
    key = view_key(alert_id, lane)
    await mark_view(database, connection, key=key, lane=lane, payload=payload, priority=priority, now=now,
                    due_at=due_at, alert_id=alert_id)  # fmt: skip


async def mark_view(
    database: Database,
    connection: AsyncConnection,
    *,
    key: str,
    lane: Lane,
    payload: Mapping[str, Any],
    priority: int,
    now: datetime,
    due_at: datetime,
    alert_id: int | None = None,
) -> None:
    """Say that a message that is edited in place must be made true again; without an alert, `payload` says of what."""
    statement = database.insert(outbox).values(
        key=key,
        kind=EntryKind.VIEW.value,
        destination=lane.destination,
        channel=lane.channel,
        alert_id=alert_id,
        payload=dict(payload),
        priority=priority,
        state="pending",
        generation=1,
        created_at=now,
        due_at=due_at,
        attempts=0,
    )
    new = statement.excluded
    waiting = sa.and_(outbox.c.state == "pending", outbox.c.due_at < new.due_at)
    more_urgent = sa.and_(outbox.c.state == "pending", outbox.c.priority < new.priority)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "state": "pending",
                "generation": outbox.c.generation + 1,
                "priority": sa.case((more_urgent, outbox.c.priority), else_=new.priority),
                "due_at": sa.case((waiting, outbox.c.due_at), else_=new.due_at),
                "attempts": sa.case((outbox.c.state == "pending", outbox.c.attempts), else_=0),
            },
        )
    )


async def mark_card_stale(
    database: Database, connection: AsyncConnection, *, key: str, lane: Lane, priority: int, now: datetime
) -> None:
    """Say that a card must be made true now. Its key is a `card_key`."""
    payload = {"channel": lane.channel}
    await mark_view(
        database, connection, key=key, lane=lane, payload=payload, priority=priority, now=now, due_at=now
    )


async def stale_again(
    connection: AsyncConnection, key: str, *, due_at: datetime, priority: int | None = None
) -> None:
    """Say that a message known by its key must be made true again, at the latest by `due_at`."""
    waits = outbox.c.state == "pending"
    values: dict[str, Any] = {
        "state": "pending",
        "generation": outbox.c.generation + 1,
        "due_at": sa.case((sa.and_(waits, outbox.c.due_at < due_at), outbox.c.due_at), else_=due_at),
        "attempts": sa.case((waits, outbox.c.attempts), else_=0),
    }
    if priority is not None:
        values["priority"] = sa.case((outbox.c.priority < priority, outbox.c.priority), else_=priority)
    await connection.execute(sa.update(outbox).where(outbox.c.key == key).values(**values))


async def add_post(
    database: Database,
    connection: AsyncConnection,
    *,
    key: str,
    lane: Lane,
    payload: Mapping[str, Any],
    priority: int,
    now: datetime,
    alert_id: int | None = None,
    root_key: str | None = None,
    due_at: datetime | None = None,
) -> bool:
    """Queue something to say once; False when its key was queued before.

    With an `alert_id` it goes into the thread of that alert's message in this lane, after that message, or
    into that of the message `root_key`.
    """
    statement = database.insert(outbox).values(
        key=key,
        kind=EntryKind.POST.value,
        destination=lane.destination,
        channel=lane.channel,
        alert_id=alert_id,
        payload=dict(payload),
        priority=priority,
        state="pending",
        generation=1,
        created_at=now,
        due_at=due_at or now,
        attempts=0,
        root_key=root_key or (None if alert_id is None else view_key(alert_id, lane)),
    )
    statement = statement.on_conflict_do_nothing(index_elements=["key"])
    return (await connection.execute(statement.returning(outbox.c.id))).scalar_one_or_none() is not None


def _claimable(now: sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
    """Pending, due, not leased; what stands in a thread only after its first message and the lines before."""
    earlier = outbox.alias("earlier")
    root = messages.alias("root")
    in_thread = sa.and_(outbox.c.root_key.is_not(None), outbox.c.alert_id.is_not(None))
    has_earlier = sa.exists().where(
        earlier.c.alert_id == outbox.c.alert_id,
        earlier.c.kind == EntryKind.POST.value,
        earlier.c.root_key == outbox.c.root_key,
        earlier.c.state == "pending",
        earlier.c.id < outbox.c.id,
        outbox.c.kind == EntryKind.POST.value,
    )
    has_root = sa.exists().where(root.c.key == outbox.c.root_key)
    return sa.and_(
        outbox.c.state == "pending",
        outbox.c.due_at <= now,
        sa.or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= now),
        sa.or_(sa.not_(in_thread), sa.and_(has_root, sa.not_(has_earlier))),
    )


_NOW = sa.bindparam("now", type_=outbox.c.due_at.type)
_READY = (
    sa.select(outbox.c.destination, outbox.c.channel)
    .where(_claimable(_NOW))
    .group_by(outbox.c.destination, outbox.c.channel)
    .order_by(sa.func.min(outbox.c.priority))
)
_NEXT = sa.select(sa.func.min(outbox.c.due_at)).where(outbox.c.state == "pending", outbox.c.due_at > _NOW)
_MOST_URGENT = (
    sa.select(outbox.c.id, outbox.c.in_doubt_since)
    .where(
        _claimable(_NOW),
        outbox.c.destination == sa.bindparam("destination"),
        outbox.c.channel == sa.bindparam("channel"),
    )
    .order_by(outbox.c.priority, outbox.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)


async def ready_lanes(connection: AsyncConnection, now: datetime) -> list[Lane]:
    """Lanes with something to deliver at `now`, the most urgent first."""
    rows = await connection.execute(_READY, {"now": now})
    return [Lane(destination=row[0], channel=row[1]) for row in rows]


async def next_due(connection: AsyncConnection, now: datetime) -> datetime | None:
    """When the next entry that is not due yet falls due."""
    due: datetime | None = await connection.scalar(_NEXT, {"now": now})
    return due


async def claim(connection: AsyncConnection, lane: Lane, owner: str, now: datetime) -> Entry | None:
    """Lease the most urgent entry of a lane. From here on its delivery is in doubt until it is recorded.

    Two claimers never get the same entry: the update holds only while nobody else leased it.
    """
    wanted = {"now": now, "destination": lane.destination, "channel": lane.channel}
    found = (await connection.execute(_MOST_URGENT, wanted)).first()
    if found is None:
        return None
    statement = (
        sa.update(outbox)
        .where(outbox.c.id == found.id)
        .values(
            leased_by=owner,
            leased_until=now + LEASE,
            attempts=outbox.c.attempts + 1,
            in_doubt_since=sa.func.coalesce(
                outbox.c.in_doubt_since, sa.literal(now, outbox.c.created_at.type)
            ),
        )
        .returning(outbox)
    )
    row = (await connection.execute(statement)).one()
    return Entry(
        id=row.id,
        key=row.key,
        kind=EntryKind(row.kind),
        lane=Lane(destination=row.destination, channel=row.channel),
        alert_id=row.alert_id,
        payload=row.payload,
        priority=row.priority,
        generation=row.generation,
        created_at=row.created_at,
        attempts=row.attempts,
        in_doubt_since=found.in_doubt_since,
        root_key=row.root_key,
    )


async def record(
    database: Database,
    connection: AsyncConnection,
    entry: Entry,
    sent: Sent | None,
    now: datetime,
    *,
    more: bool = False,
) -> None:
    """An entry was delivered. It stays pending when its view went stale again meanwhile, or `more` is to be told."""
    if sent is not None:
        values = {
            "alert_id": sent.alert_id,
            "destination": sent.destination,
            "channel": sent.channel,
            "ts": sent.ts,
            "shown": sent.shown,
        }
        statement = database.insert(messages).values(key=sent.key, posted_at=now, **values)
        await connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))
    fresh = outbox.c.generation == (-1 if more else entry.generation)
    await connection.execute(
        sa.update(outbox)
        .where(outbox.c.id == entry.id)
        .values(
            state=sa.case((fresh, "done"), else_="pending"),
            attempts=0,
            in_doubt_since=None,
            leased_by=None,
            leased_until=None,
            last_error=None,
        )
    )


async def postpone(
    connection: AsyncConnection, entry: Entry, due_at: datetime, error: str, *, in_doubt: bool
) -> None:
    """Try again at `due_at`. Not `in_doubt`: it is certain that nothing was posted."""
    values: dict[str, Any] = {
        "due_at": due_at,
        "leased_by": None,
        "leased_until": None,
        "last_error": error[:1000],
    }
    if not in_doubt:
        values["in_doubt_since"] = None
    await connection.execute(sa.update(outbox).where(outbox.c.id == entry.id).values(**values))


async def hasten(connection: AsyncConnection, lane: Lane, now: datetime) -> None:
    """A lane works again: what failed on it before is due at once."""
    failed = sa.and_(outbox.c.state == "pending", outbox.c.attempts > 0, outbox.c.due_at > now)
    here = sa.and_(outbox.c.destination == lane.destination, outbox.c.channel == lane.channel)
    await connection.execute(sa.update(outbox).where(failed, here).values(due_at=now))


async def bury(connection: AsyncConnection, entry: Entry, error: str) -> None:
    """It can never be delivered; it is kept as a dead letter, unless its view went stale again meanwhile."""
    fresh = outbox.c.generation == entry.generation
    await connection.execute(
        sa.update(outbox)
        .where(outbox.c.id == entry.id)
        .values(
            state=sa.case((fresh, "dead"), else_="pending"),
            leased_by=None,
            leased_until=None,
            last_error=error[:1000],
        )
    )


async def move(connection: AsyncConnection, entry: Entry, channel: str) -> None:
    """Let an entry go to another channel, at once."""
    await connection.execute(
        sa.update(outbox)
        .where(outbox.c.id == entry.id)
        .values(channel=channel, leased_by=None, leased_until=None, in_doubt_since=None)
    )


async def move_thread(connection: AsyncConnection, root_key: str, channel: str, now: datetime) -> None:
    """Let an alert's message be posted in another channel, and what waits for its thread follow it."""
    await connection.execute(
        sa.update(outbox)
        .where(outbox.c.key == root_key, outbox.c.channel != channel)
        .values(channel=channel, state="pending", generation=outbox.c.generation + 1, due_at=now, attempts=0)
    )
    waiting = sa.and_(outbox.c.root_key == root_key, outbox.c.state == "pending")
    await connection.execute(sa.update(outbox).where(waiting).values(channel=channel))


async def channels(connection: AsyncConnection, destination: str) -> dict[str, str]:
    """The id of each channel that is written as a name, where something was posted last."""
    query = (
        sa.select(outbox.c.channel, messages.c.channel)
        .join(messages, messages.c.key == outbox.c.key)
        .where(outbox.c.destination == destination, outbox.c.channel.like("#%"))
        .order_by(messages.c.posted_at)
    )
    return {row[0]: row[1] for row in await connection.execute(query)}


async def settle_lines(connection: AsyncConnection, alert_id: int, root_key: str) -> None:
    """Let go of the thread lines of an alert that ended before its message ever stood."""
    waiting = sa.and_(
        outbox.c.alert_id == alert_id,
        outbox.c.root_key == root_key,
        outbox.c.kind == EntryKind.POST.value,
        outbox.c.state == "pending",
    )
    is_over = sa.exists().where(alerts.c.id == alert_id, alerts.c.closed_at.is_not(None))
    has_root = sa.exists().where(messages.c.key == root_key)
    statement = sa.update(outbox).where(waiting, is_over, sa.not_(has_root))
    await connection.execute(statement.values(state="done", leased_by=None, leased_until=None))


async def release_all(connection: AsyncConnection) -> None:
    """Take back every lease. Only for a database with one Tocsin, when that one starts."""
    await connection.execute(
        sa.update(outbox).where(outbox.c.state == "pending").values(leased_by=None, leased_until=None)
    )


async def sent(connection: AsyncConnection, key: str) -> Sent | None:
    """Where the message of a key stands."""
    row = (await connection.execute(sa.select(messages).where(messages.c.key == key))).first()
    return None if row is None else _sent(row)


async def forget(connection: AsyncConnection, key: str) -> None:
    """The message of a key stands nowhere any more."""
    await connection.execute(sa.delete(messages).where(messages.c.key == key))


async def doubt_view(connection: AsyncConnection, alert_id: int) -> None:
    """Somebody saw a message that was not true: let the next delivery write it again, whatever it showed."""
    await connection.execute(
        sa.update(messages)
        .where(
            messages.c.alert_id == alert_id,
            messages.c.destination == "slack",
            messages.c.key.like("alert:%"),
        )
        .values(shown="")
    )


async def counts(connection: AsyncConnection) -> Mapping[str, int]:
    """How many entries are in each state."""
    query = sa.select(outbox.c.state, sa.func.count()).group_by(outbox.c.state)
    return {row[0]: int(row[1]) for row in await connection.execute(query)}


async def errors(connection: AsyncConnection, limit: int = 5) -> Iterable[tuple[str, str]]:
    """The newest troubles of entries not delivered: channel and error."""
    query = (
        sa.select(outbox.c.channel, outbox.c.last_error)
        .where(outbox.c.state.in_(("pending", "dead")), outbox.c.last_error.is_not(None))
        .order_by(outbox.c.id.desc())
        .limit(limit)
    )
    return [(row[0], row[1]) for row in await connection.execute(query)]


async def purge(connection: AsyncConnection, before: datetime) -> None:
    """Drop posts delivered before an instant; views stay with their alerts, cards with what they are about."""
    old = sa.and_(
        outbox.c.kind == EntryKind.POST.value, outbox.c.state == "done", outbox.c.created_at < before
    )
    await connection.execute(sa.delete(outbox).where(old))
    views = sa.or_(
        *(messages.c.key.like(f"{kind}:%") for kind in ("alert", "card", "group", "incident-view"))
    )
    gone = sa.and_(messages.c.posted_at < before, sa.not_(views))
    await connection.execute(sa.delete(messages).where(gone))


async def purge_cards(connection: AsyncConnection, before: datetime) -> None:
    """Drop the cards that were first posted before an instant: they are edited no more."""
    old = sa.and_(outbox.c.key.like(f"{_CARDS}%"), outbox.c.created_at < before)
    await connection.execute(sa.delete(outbox).where(old))
    gone = sa.and_(messages.c.key.like(f"{_CARDS}%"), messages.c.posted_at < before)
    await connection.execute(sa.delete(messages).where(gone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of an entry: `arrived_at` when its message stands, `error` when it has failed so far.

    `is_over` says that it is not tried again.
    """

    arrived_at: datetime | None
    error: str | None
    is_over: bool


async def fates(connection: AsyncConnection, keys: Iterable[str]) -> dict[str, Fate]:
    """What became of entries, by key."""
    query = (
        sa.select(outbox.c.key, outbox.c.state, outbox.c.last_error, messages.c.posted_at)
        .outerjoin(messages, messages.c.key == outbox.c.key)
        .where(outbox.c.key.in_(list(keys)))
    )
    return {
        row.key: Fate(arrived_at=row.posted_at, error=row.last_error, is_over=row.state != "pending")
        for row in await connection.execute(query)
    }


def _sent(row: sa.Row[Any]) -> Sent:
    return Sent(
        key=row.key,
        alert_id=row.alert_id,
        destination=row.destination,
        channel=row.channel,
        ts=row.ts,
        shown=row.shown,
    )
