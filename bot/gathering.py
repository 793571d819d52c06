"""Many alerts that wait for a channel become one message: decided when they are about to be delivered.

The group, its members and its entry in the outbox commit together, so that an alert is always either to be told
by itself or a part of a group whose message is owed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

from bot.announcing import view_priority
from bot.domain.grouping import MOST_ALONE, MOST_NAMES, join, takes_more
from bot.domain.route import SLACK
from bot.domain.severity import Severity
from storage import groups, outbox, waiting
from storage.database import Connection, Database
from storage.groups import Group
from storage.outbox import Lane
from storage.waiting import Waiting

_PORTION = 1000
_REFRESH = timedelta(seconds=2)
_LEAST = view_priority(Severity.LOW, urgent=True)


class Gathered(Enum):
    """What became of the alerts that wait for a lane."""

    NOTHING = "each is told by itself"
    ALL = "they joined a group"
    MORE = "there may be more to join: ask again"


async def first_waits_since(connection: Connection, lane: Lane, now: datetime) -> datetime | None:
    """When the first of those alerts began that `gather` would find; None when there is nothing to gather."""
    return await waiting.waiting_since(connection, lane, now) if lane.destination == SLACK else None


async def gather(database: Database, connection: Connection, lane: Lane, now: datetime) -> Gathered:
    """Put alerts that wait for a lane into groups, P1 into one of their own; at most 1000 at a time."""
    taking = await groups.taking(connection, lane)
    found = await waiting.waiting(connection, lane, now, _PORTION)
    outcome = Gathered.NOTHING
    for urgent in (True, False):
        some = [each for each in found if (each.severity is Severity.CRITICAL) is urgent]
        if not some:
            continue
        group = await _still_taking(connection, taking.get(urgent), now)
        if group is None and len(some) <= MOST_ALONE:
            continue
        if group is None:
            group = await _begin(database, connection, lane, now, urgent=urgent)
        if group is None:
            return Gathered.MORE  # another replica was faster: join its group
        await _join(database, connection, lane, group, some, now)
        outcome = Gathered.ALL
    return Gathered.MORE if outcome is Gathered.ALL and len(found) == _PORTION else outcome


async def gather_lines(database: Database, connection: Connection, lane: Lane, now: datetime) -> None:
    """Make one of the lines that wait for the thread of a group, where they are many."""
    if lane.destination != SLACK:
        return
    for lines in await waiting.crowded(connection, lane, now, MOST_ALONE, _PORTION):
        await waiting.settle_entries(connection, lines.entry_ids)
        await outbox.add_post(
            database,
            connection,
            key=f"together:{lines.entry_ids[0]}:{lines.root_key}",
            lane=lane,
            alert_id=lines.alert_id,
            root_key=lines.root_key,
            payload={
                "together": lines.kinds,
                "mentions": list(lines.names[:MOST_NAMES]),
                "broadcast": lines.broadcast,
            },
            priority=lines.priority,
            now=now,
        )


async def _still_taking(connection: Connection, group: Group | None, now: datetime) -> Group | None:
    if group is None or takes_more(group.joined_at, await groups.has_open(connection, group.id), now):
        return group
    await groups.close(connection, group.id, now)
    return None


async def _begin(
    database: Database, connection: Connection, lane: Lane, now: datetime, *, urgent: bool
) -> Group | None:
    """A new group whose message is owed."""
    group = await groups.begin(database, connection, lane, urgent=urgent, now=now)
    if group is not None:
        await groups.add_entry(database, connection, group.id, lane, _LEAST, now)
    return group


async def _join(
    database: Database,
    connection: Connection,
    lane: Lane,
    group: Group,
    found: Sequence[Waiting],
    now: datetime,
) -> None:
    """Let a group stand for alerts, and call those whom it has not called."""
    priority = view_priority(min(each.severity for each in found), urgent=True)
    key = groups.group_key(group.id, lane)
    posted = not await groups.is_untouched(connection, key)
    await groups.take(connection, group.id, key, found)
    callers = [each for each in found if each.calls]
    wanted = await waiting.names_of(connection, callers, lane.destination)
    joining = join(group.names, wanted, posted=posted, called_at=group.called_at, now=now)
    says = bool(joining.called) or (joining.again and bool(callers))
    await groups.joined(connection, group.id, joining.names, now, called=says)
    await outbox.stale_again(connection, key, due_at=now + _REFRESH if posted else now, priority=priority)
    if says:
        worst = callers[0]
        await outbox.add_post(
            database,
            connection,
            key=f"joined:{group.id}:{worst.key}",
            lane=lane,
            alert_id=worst.alert_id,
            root_key=key,
            payload={
                "joined": len(callers),
                "mentions": list(joining.called),
                "broadcast": joining.again and worst.severity is Severity.CRITICAL,
            },
            priority=priority + 5,
            now=now,
        )
