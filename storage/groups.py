"""Groups: many alerts of a lane told in one message, which views it stands for, and how they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.grouping import GroupState, Standing, Tally
from bot.domain.severity import Severity
from storage.alerts import alert_of
from storage.database import Database, in_parts
from storage.outbox import EntryKind, Lane, stale_again
from storage.tables import alert_group_members as members
from storage.tables import alert_groups as groups
from storage.tables import alerts, decisions, messages, outbox

_HELD_BY = alerts.c.detail["held_by"].as_string()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The view of an alert that waits and was never posted. `channel` is the one it was meant for."""

    entry_id: int
    key: str
    alert_id: int
    channel: str
    severity: Severity
    calls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group that takes further alerts."""

    id: int
    joined_at: datetime
    called_at: datetime
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """The group that a view is a part of. `opened`: it has a message of its own in the group's thread."""

    group_id: int
    key: str
    opened: bool


def group_key(group_id: int, lane: Lane) -> str:
    """The key of a group's message."""
    return f"group:{group_id}:{lane.destination}:{lane.channel}"


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
        _HELD_BY.is_(None),
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


async def taking(connection: AsyncConnection, lane: Lane) -> dict[bool, Group]:
    """The groups of a lane that take further alerts, locked with their entries, by whether they are urgent.

    To be locked before any view: who changes an alert locks its view first and its group's entry then, and
    nobody who holds an entry waits for a view.
    """
    query = sa.select(groups).where(
        groups.c.destination == lane.destination,
        groups.c.channel == lane.channel,
        groups.c.closed_at.is_(None),
    )
    found = {}
    for row in (await connection.execute(query.order_by(groups.c.id).with_for_update())).all():
        entry = sa.select(outbox.c.id).where(outbox.c.key == group_key(row.id, lane)).with_for_update()
        await connection.execute(entry)
        found[row.urgent] = Group(
            id=row.id, joined_at=row.joined_at, called_at=row.called_at, names=tuple(row.names)
        )
    return found


async def begin(
    database: Database, connection: AsyncConnection, lane: Lane, *, urgent: bool, now: datetime
) -> Group | None:
    """A new group that takes alerts; None when somebody else began one meanwhile."""
    statement = database.insert(groups).values(
        destination=lane.destination, channel=lane.channel, urgent=urgent,
        opened_at=now, joined_at=now, called_at=now, names=[],
    )  # fmt: skip
    statement = statement.on_conflict_do_nothing().returning(groups.c.id)  # type: ignore[assignment]
    number = (await connection.execute(statement)).scalar_one_or_none()
    return None if number is None else Group(id=int(number), joined_at=now, called_at=now, names=())


async def close(connection: AsyncConnection, group_id: int, now: datetime) -> None:
    """Let a group take no further alerts."""
    await connection.execute(sa.update(groups).where(groups.c.id == group_id).values(closed_at=now))


async def has_open(connection: AsyncConnection, group_id: int) -> bool:
    """Whether an alert of a group is open."""
    query = (
        sa.select(members.c.alert_id)
        .join(alerts, alerts.c.id == members.c.alert_id)
        .where(members.c.group_id == group_id, alerts.c.closed_at.is_(None))
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def take(connection: AsyncConnection, group_id: int, root_key: str, found: Sequence[Waiting]) -> None:
    """Let a group stand for views: nothing waits for a message of theirs any more.

    Of the lines that waited for it those that call people wait for the group's; its list says the rest.
    """
    rows = [
        {"view_key": each.key, "group_id": group_id, "alert_id": each.alert_id, "opened": False}
        for each in found
    ]
    await connection.execute(sa.insert(members), rows)
    await settle_entries(connection, [each.entry_id for each in found])
    for some in in_parts([each.alert_id for each in found]):
        keys = sa.select(members.c.view_key).where(members.c.alert_id.in_(some))
        lines = sa.update(outbox).where(
            outbox.c.state == "pending",
            outbox.c.alert_id.in_(some),
            outbox.c.kind == EntryKind.POST.value,
            outbox.c.root_key.in_(keys),
        )
        loud = outbox.c.payload["loud"].as_boolean()
        await connection.execute(lines.where(loud.is_(True)).values(root_key=root_key))
        await connection.execute(lines.values(**_SETTLED))


_SETTLED: dict[str, Any] = {
    "state": "done", "attempts": 0, "leased_by": None, "leased_until": None, "last_error": None,
}  # fmt: skip


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
        await connection.execute(sa.update(outbox).where(outbox.c.id.in_(some)).values(**_SETTLED))


async def joined(
    connection: AsyncConnection, group_id: int, names: Sequence[str], now: datetime, *, called: bool
) -> None:
    """Keep that alerts joined a group, the names it knows, and whether it called people."""
    values: dict[str, Any] = {"joined_at": now, "names": list(names)}
    if called:
        values["called_at"] = now
    await connection.execute(sa.update(groups).where(groups.c.id == group_id).values(**values))


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


async def add_entry(
    database: Database, connection: AsyncConnection, group_id: int, lane: Lane, priority: int, now: datetime
) -> None:
    """Queue a group's message."""
    await connection.execute(
        database.insert(outbox).values(
            key=group_key(group_id, lane),
            kind=EntryKind.GROUP.value,
            destination=lane.destination,
            channel=lane.channel,
            payload={"channel": lane.channel, "group": group_id},
            priority=priority,
            state="pending",
            generation=1,
            created_at=now,
            due_at=now,
            attempts=0,
        )
    )


async def is_untouched(connection: AsyncConnection, key: str) -> bool:
    """Whether a message was certainly never posted, and is not being posted now."""
    query = sa.select(outbox.c.id).where(
        outbox.c.key == key,
        outbox.c.in_doubt_since.is_(None),
        sa.not_(sa.exists().where(messages.c.key == key)),
    )
    return (await connection.execute(query)).first() is not None


_MEMBER = (
    sa.select(members.c.group_id, members.c.opened, groups.c.destination, groups.c.channel)
    .join(groups, groups.c.id == members.c.group_id)
    .where(members.c.view_key == sa.bindparam("view_key"))
)


async def member(connection: AsyncConnection, view_key: str) -> Member | None:
    """The group that stands for a view."""
    row = (await connection.execute(_MEMBER, {"view_key": view_key})).first()
    if row is None:
        return None
    lane = Lane(destination=row.destination, channel=row.channel)
    return Member(group_id=row.group_id, key=group_key(row.group_id, lane), opened=row.opened)


async def settle_view(connection: AsyncConnection, view_key: str) -> None:
    """Nothing is owed of a view for which a group stands."""
    await connection.execute(sa.update(outbox).where(outbox.c.key == view_key).values(**_SETTLED))


async def open_member(
    connection: AsyncConnection, group_id: int, alert_id: int, now: datetime
) -> bool | None:
    """Let alerts of a group have their messages in its thread: whether one stands there; None: it has no such."""
    query = sa.select(members.c.view_key, messages.c.ts).join(
        messages, messages.c.key == members.c.view_key, isouter=True
    )
    query = query.where(members.c.group_id == group_id, members.c.alert_id == alert_id)
    found = (await connection.execute(query)).all()
    if not found:
        return None
    keys = [row.view_key for row in found]
    group = (await connection.execute(sa.select(groups).where(groups.c.id == group_id))).one()
    root = group_key(group_id, Lane(destination=group.destination, channel=group.channel))
    await connection.execute(sa.update(members).where(members.c.view_key.in_(keys)).values(opened=True))
    await connection.execute(sa.update(outbox).where(outbox.c.key.in_(keys)).values(root_key=root))
    await connection.execute(sa.update(messages).where(messages.c.key.in_(keys)).values(shown=""))
    for key in keys:
        await stale_again(connection, key, due_at=now)
    return all(row.ts is not None for row in found)


async def threads(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Where the messages of the groups of some alerts stand in Slack: channel and ts."""
    query = (
        sa.select(members.c.alert_id, groups.c.id, groups.c.destination, groups.c.channel)
        .join(groups, groups.c.id == members.c.group_id)
        .where(members.c.alert_id.in_(ids), groups.c.destination == "slack")
    )
    keys = {
        row.alert_id: group_key(row.id, Lane(destination=row.destination, channel=row.channel))
        for row in await connection.execute(query)
    }
    standing = sa.select(messages.c.key, messages.c.channel, messages.c.ts).where(
        messages.c.key.in_(set(keys.values()))
    )
    found = {row.key: (row.channel, row.ts) for row in await connection.execute(standing)} if keys else {}
    return {number: found[key] for number, key in keys.items() if key in found}


async def active_ones(connection: AsyncConnection, group_id: int) -> list[int]:
    """The alerts of a group that nobody has acknowledged."""
    query = (
        sa.select(alerts.c.id)
        .join(members, members.c.alert_id == alerts.c.id)
        .where(members.c.group_id == group_id, alerts.c.status == "active")
        .distinct()
        .order_by(alerts.c.id)
    )
    return [row[0] for row in await connection.execute(query)]


async def state(
    connection: AsyncConnection, group_id: int, now: datetime, most: int = 100
) -> GroupState | None:
    """A group with its figures and the first of its alerts: open before over, by priority, newest before older."""
    group = (await connection.execute(sa.select(groups).where(groups.c.id == group_id))).first()
    of_group = sa.select(members.c.alert_id).where(members.c.group_id == group_id)
    standing = _standing(now)
    figures = (
        await connection.execute(
            sa.select(alerts.c.severity, standing, sa.func.count())
            .where(alerts.c.id.in_(of_group))
            .group_by(alerts.c.severity, standing)
            .order_by(alerts.c.severity)
        )
    ).all()
    if group is None or not figures:
        return None
    span = sa.select(
        sa.func.min(alerts.c.opened_at), sa.func.max(alerts.c.closed_at), sa.func.count(alerts.c.closed_at)
    )
    began, ended, over = (await connection.execute(span.where(alerts.c.id.in_(of_group)))).one()
    tallies = tuple(
        Tally(severity=Severity(row[0]), standing=Standing(row[1]), count=int(row[2])) for row in figures
    )
    return GroupState(
        id=group_id,
        urgent=group.urgent,
        tallies=tallies,
        first=await _first(connection, of_group, most),
        began_at=began,
        ended_at=ended if over == sum(tally.count for tally in tallies) else None,
        names=tuple(group.names),
    )


async def _first(connection: AsyncConnection, of_group: Any, most: int) -> tuple[Any, ...]:
    order = (
        alerts.c.closed_at.is_not(None), alerts.c.severity, alerts.c.opened_at.desc(), alerts.c.id.desc(),
    )  # fmt: skip
    numbers = sa.select(alerts.c.id).where(alerts.c.id.in_(of_group)).order_by(*order).limit(most)
    ids = [row[0] for row in await connection.execute(numbers)]
    rows = await connection.execute(sa.select(alerts).where(alerts.c.id.in_(ids)).order_by(*order))
    return tuple(alert_of(row) for row in rows)


def _standing(now: datetime) -> sa.ColumnElement[str]:
    """`standing_of` in the words of the database."""
    quiet = sa.or_(alerts.c.silenced_until > now, _HELD_BY.is_not(None))
    return sa.case(
        (alerts.c.status.in_(("resolved", "expired")), alerts.c.status),
        (quiet, sa.literal_column("'silenced'")),
        (alerts.c.status == "active", sa.literal_column("'open'")),
        else_=sa.literal_column("'acknowledged'"),
    ).label("standing")


async def forget(connection: AsyncConnection) -> None:
    """Delete groups whose alerts were all forgotten, with what is known of their messages."""
    empty = sa.select(groups).where(sa.not_(sa.exists().where(members.c.group_id == groups.c.id)))
    for row in (await connection.execute(empty)).all():
        key = group_key(row.id, Lane(destination=row.destination, channel=row.channel))
        for table in (outbox, messages):
            await connection.execute(sa.delete(table).where(table.c.key == key))
        await connection.execute(sa.delete(groups).where(groups.c.id == row.id))
