"""Groups: many alerts of a lane told in one message, which views it stands for, and how they stand."""

from __future__ import annotations

from collections.abc import Sequence
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
from storage.tables import alerts, messages, outbox
from storage.waiting import SETTLED, Waiting, settle_entries

_HELD_BY = alerts.c.detail["held_by"].as_string()


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
        await connection.execute(lines.values(**SETTLED))


async def joined(
    connection: AsyncConnection, group_id: int, names: Sequence[str], now: datetime, *, called: bool
) -> None:
    """Keep that alerts joined a group, the names it knows, and whether it called people."""
    values: dict[str, Any] = {"joined_at": now, "names": list(names)}
    if called:
        values["called_at"] = now
    await connection.execute(sa.update(groups).where(groups.c.id == group_id).values(**values))


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
    await connection.execute(sa.update(outbox).where(outbox.c.key == view_key).values(**SETTLED))


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
