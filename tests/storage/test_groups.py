"""Many alerts that wait for a lane become a group: what is a part of it, what it owes, what it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.announcing import Announcer
from bot.domain.alert import (
    Alert,
    Change,
    Event,
    EventKind,
    acknowledge,
    fire,
    recover,
    reopen,
    repeat,
    silence,
)
from bot.domain.grouping import GroupState, Standing
from bot.domain.route import Place
from bot.domain.severity import Severity
from bot.gathering import Gathered, gather, gather_lines
from bot.grouping import Grouping, Opened
from storage import alerts as alerts_store
from storage import groups, outbox, silences
from storage.database import Database
from storage.outbox import EntryKind
from storage.tables import alert_group_members, alert_groups, messages
from storage.tables import alerts as alerts_table
from storage.tables import outbox as outbox_table
from tests.databases import Opener
from tests.storage.stored import ALERTS, HOUR, MINUTE, NOON, OPS, Clock, announce, announced, firing
from tests.storage.test_outbox import claim, claimed, deliver, deliver_all, state


async def storm(
    database: Database, count: int, severity: Severity = Severity.HIGH, *, name: str = "web"
) -> list[Alert]:
    return [
        await announced(database, resource=f"{name}-{number}", severity=severity, mention="@oncall")
        for number in range(count)
    ]


async def gathered(database: Database, now: datetime = NOON) -> Gathered:
    async with database.transaction() as connection:
        return await gather(database, connection, ALERTS, now)


async def read(database: Database, number: int = 1, now: datetime = NOON) -> GroupState:
    async with database.snapshot() as connection:
        found = await groups.state(connection, number, now)
    assert found is not None
    return found


async def pending(database: Database) -> list[str]:
    async with database.snapshot() as connection:
        query = sa.select(outbox_table.c.key).where(outbox_table.c.state == "pending")
        return [row[0] for row in await connection.execute(query.order_by(outbox_table.c.id))]


def changed(change: object) -> Change:
    assert isinstance(change, Change)
    return change


async def told(database: Database, alerts: Sequence[Alert]) -> None:
    """Let alerts be a group whose message stands."""
    assert await gathered(database) is Gathered.ALL
    await deliver_all(database)


KEY = "group:1:slack:#alerts"


# --- what becomes a group ---------------------------------------------------------------------------------


async def test_five_are_told_one_by_one(database: Database) -> None:
    await storm(database, 5)
    assert await gathered(database) is Gathered.NOTHING
    assert len(await deliver_all(database)) == 5


async def test_six_are_one_message_and_owe_none_of_their_own(database: Database) -> None:
    await storm(database, 6)
    assert await gathered(database) is Gathered.ALL
    entry = await claimed(database)
    assert (entry.kind, entry.key, entry.priority) == (EntryKind.GROUP, KEY, 20)
    await deliver(database, entry)
    assert await pending(database) == []
    assert (await read(database)).total == 6


async def test_p1_are_counted_apart_and_go_first(database: Database) -> None:
    await storm(database, 6)
    await storm(database, 5, Severity.CRITICAL, name="db")
    assert await gathered(database) is Gathered.ALL
    assert (await read(database)).count(Standing.OPEN) == 6
    keys = await deliver_all(database)
    assert [key.split(":")[0] for key in keys] == ["alert"] * 5 + ["group"]


async def test_p1_become_a_group_of_their_own(database: Database) -> None:
    await storm(database, 7)
    await storm(database, 6, Severity.CRITICAL, name="db")
    await gathered(database)
    assert [(await read(database, number)).urgent for number in (1, 2)] == [True, False]
    assert await deliver_all(database) == ["group:1:slack:#alerts", "group:2:slack:#alerts"]


async def test_those_that_nobody_is_told_of_do_not_count(database: Database) -> None:
    quiet = (await storm(database, 6))[0]
    await announce(database, changed(silence(quiet, "U1", HOUR, None, NOON)), NOON)
    assert await gathered(database) is Gathered.NOTHING
    await announced(database, resource="held", held_by="database")
    assert await gathered(database) is Gathered.NOTHING


async def test_those_that_ended_while_they_waited_are_a_part(database: Database) -> None:
    for alert in await storm(database, 6):
        await announce(database, recover(alert, "fine", NOON + MINUTE), NOON + MINUTE)
    await gathered(database)
    found = await read(database)
    assert (found.count(Standing.RESOLVED), found.ended_at) == (6, NOON + MINUTE)
    assert await deliver_all(database) == [KEY]


async def test_one_that_may_have_been_posted_is_left_alone(database: Database) -> None:
    await storm(database, 6)
    entry = await claimed(database)
    async with database.transaction() as connection:
        await outbox.postpone(connection, entry, NOON, "no answer", in_doubt=True)
    assert await gathered(database) is Gathered.NOTHING
    await storm(database, 1, name="more")
    assert await gathered(database) is Gathered.ALL
    assert entry.key in await pending(database)


async def test_one_that_certainly_failed_and_waits_longer_is_a_part(database: Database) -> None:
    await storm(database, 6)
    async with database.transaction() as connection:
        entry = await outbox.claim(connection, ALERTS, "me", NOON)
        assert entry is not None
        await outbox.postpone(connection, entry, NOON + HOUR, "refused", in_doubt=False)
    assert await gathered(database) is Gathered.ALL
    assert await deliver_all(database) == [KEY]


async def test_every_channel_is_counted_by_itself(database: Database) -> None:
    await storm(database, 4)
    announcer = Announcer(database=database, channel="#ops")
    for number in range(4):
        async with database.transaction() as connection:
            await announcer.store(connection, fire(firing(resource=f"ops-{number}"), NOON), NOON)
    assert await gathered(database) is Gathered.NOTHING
    async with database.transaction() as connection:
        assert await gather(database, connection, OPS, NOON) is Gathered.NOTHING


async def test_what_an_incidents_channel_shows_is_never_put_together(database: Database) -> None:
    for alert in await storm(database, 6):
        async with database.transaction() as connection:
            await outbox.mark_stale(
                database, connection, alert_id=alert.id, lane=OPS, priority=20, now=NOON, due_at=NOON,
                only_here=True,
            )  # fmt: skip
    async with database.transaction() as connection:
        assert await gather(database, connection, OPS, NOON) is Gathered.NOTHING


async def test_two_replicas_make_one_group_of_a_storm(open_database: Opener) -> None:
    databases = [open_database() for _ in range(3)]
    await storm(databases[0], 30)

    async def work(database: Database) -> None:
        for _ in range(3):
            await gathered(database)

    await asyncio.gather(*map(work, databases))
    while await gathered(databases[0]) is Gathered.MORE:
        pass
    async with databases[0].snapshot() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(alert_groups)) == 1
        assert await connection.scalar(sa.select(sa.func.count()).select_from(alert_group_members)) == 30
    assert await deliver_all(databases[0]) == [KEY]


async def test_gathering_while_alerts_change_loses_no_change(open_database: Opener) -> None:
    first, second = open_database(), open_database()
    found = await storm(first, 12)

    async def recovers() -> None:
        for alert in found:
            await announce(second, recover(alert, "fine", NOON), NOON)

    async def gathers() -> None:
        for _ in range(12):
            await gathered(first)
            await asyncio.sleep(0)

    await asyncio.gather(recovers(), gathers())
    await gathered(first)
    later = NOON + MINUTE
    assert await deliver_all(first, now=later) in ([KEY], [KEY, KEY])
    assert await pending(first) == []
    assert (await read(first)).count(Standing.RESOLVED) == 12


# --- who joins later --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("later", "joins"), [(timedelta(0), True), (9 * MINUTE, True), (10 * MINUTE, False)])
async def test_a_young_group_takes_even_one_more(database: Database, later: timedelta, joins: bool) -> None:
    await told(database, await storm(database, 6))
    await announced(database, NOON + later, resource="late")
    expected = Gathered.ALL if joins else Gathered.NOTHING
    assert await gathered(database, NOON + later) is expected
    assert (await read(database)).total == (7 if joins else 6)


async def test_a_group_that_is_over_takes_no_more(database: Database) -> None:
    found = await storm(database, 6)
    await told(database, found)
    for alert in found:
        await announce(database, recover(alert, "fine", NOON), NOON)
    await announced(database, NOON + MINUTE, resource="late")
    assert await gathered(database, NOON + MINUTE) is Gathered.NOTHING


async def test_after_a_group_that_takes_no_more_there_can_be_another(database: Database) -> None:
    await told(database, await storm(database, 6))
    later = NOON + HOUR
    for number in range(6):
        await announced(database, later, resource=f"late-{number}")
    assert await gathered(database, later) is Gathered.ALL
    assert [(await read(database, number)).total for number in (1, 2)] == [6, 6]


# --- what it owes -----------------------------------------------------------------------------------------


async def test_a_change_makes_the_groups_message_stale_and_no_other(database: Database) -> None:
    first, *_ = found = await storm(database, 6)
    await told(database, found)
    await announce(database, changed(acknowledge(first, "U1", None, NOON)), NOON)
    assert await pending(database) == [KEY]
    assert await deliver_all(database, now=NOON + MINUTE) == [KEY]
    assert (await read(database)).count(Standing.ACKNOWLEDGED) == 1


async def test_a_mere_count_makes_nothing_stale(database: Database) -> None:
    first, *_ = found = await storm(database, 6)
    await told(database, found)
    await announce(database, repeat(first, first.firing, NOON + MINUTE), NOON + MINUTE)
    assert await pending(database) == []


async def test_a_problem_that_comes_back_is_said_in_the_groups_thread(database: Database) -> None:
    first, *_ = found = await storm(database, 6)
    await told(database, found)
    over = await announce(database, recover(first, "fine", NOON), NOON)
    await deliver_all(database, now=NOON + MINUTE)
    await announce(database, reopen(over, first.firing, NOON, "again"), NOON)
    keys = await pending(database)
    assert keys[0] == KEY
    assert [key.split(":")[0] for key in keys[1:]] == ["line"]
    line = (await rows(database, keys[1]))[0]
    assert (line.root_key, line.payload["loud"]) == (KEY, True)


async def rows(database: Database, key: str) -> Sequence[sa.Row[tuple[object, ...]]]:
    async with database.snapshot() as connection:
        query = sa.select(outbox_table).where(outbox_table.c.key == key)
        return (await connection.execute(query)).all()


async def test_lines_that_waited_for_a_message_wait_for_the_groups_or_not_at_all(database: Database) -> None:
    first, second, *_ = await storm(database, 6)
    await announce(database, changed(acknowledge(first, "U1", None, NOON)), NOON)
    announcer = Announcer(database=database, channel="#alerts")
    event = Event(kind=EventKind.ESCALATED, at=NOON, text="nobody acknowledged")
    place = Place(destination="slack", channel="#alerts")
    async with database.transaction() as connection:
        await announcer.add_line(connection, second, event, place, "escalation:2", NOON, loud=True)
    await gathered(database)
    assert await deliver_all(database) == [KEY, "escalation:2:slack:#alerts"]
    assert await pending(database) == []


async def escalate(database: Database, found: Sequence[Alert]) -> None:
    announcer = Announcer(database=database, channel="#alerts")
    event = Event(kind=EventKind.ESCALATED, at=NOON, text="nobody acknowledged")
    place = Place(destination="slack", channel="#alerts")
    async with database.transaction() as connection:
        for alert in found:
            await announcer.add_line(
                connection, alert, event, place, f"escalation:{alert.id}", NOON, mentions=["lead"], loud=True
            )


@pytest.mark.parametrize(("count", "said"), [(5, 5), (6, 1), (1200, 2)])
async def test_many_lines_for_the_thread_are_said_as_one(database: Database, count: int, said: int) -> None:
    found = await storm(database, max(count, 6))
    while await gathered(database) is Gathered.MORE:
        pass
    await deliver_all(database)
    await escalate(database, found[:count])
    later = NOON + MINUTE
    for _ in range(2):
        async with database.transaction() as connection:
            await gather_lines(database, connection, ALERTS, later)
    keys = await deliver_all(database, now=later)
    assert len(keys) == said
    if said < 5:
        line = (await rows(database, keys[0]))[0]
        assert (line.root_key, line.payload["mentions"]) == (KEY, ["lead"])
        assert line.payload["together"] == {"escalated": min(count, 1000)}


async def test_one_that_worsened_to_p1_is_said_in_the_thread(database: Database) -> None:
    first, *_ = found = await storm(database, 6)
    await told(database, found)
    worse = repeat(first, replace(first.firing, severity=Severity.CRITICAL), NOON)
    await announce(database, worse, NOON)
    assert [key.split(":")[0] for key in await pending(database)] == ["group", "line"]


async def test_a_silence_of_a_member_is_told_in_the_groups_thread(database: Database) -> None:
    found = await storm(database, 6)
    await told(database, found)
    async with database.snapshot() as connection:
        where = await silences.threads(connection, [found[0].id])
        standing = await outbox.sent(connection, KEY)
    assert standing is not None
    assert where == {found[0].id: (standing.channel, standing.ts)}


# --- what people do ---------------------------------------------------------------------------------------


def desk(database: Database) -> Grouping:
    announcer = Announcer(database=database, channel="#alerts")
    return Grouping(database=database, announcer=announcer, clock=Clock(), wake=lambda: None)


async def test_all_are_acknowledged_in_bounded_batches_once(database: Database) -> None:
    found = await storm(database, 120)
    await told(database, found)
    assert await desk(database).acknowledge_all(1, "U1") == 120
    assert await desk(database).acknowledge_all(1, "U2") == 0
    async with database.snapshot() as connection:
        for alert in (found[0], found[-1]):
            last = (await alerts_store.history(connection, alert.id))[-1]
            assert (last.kind, last.actor) == (EventKind.ACKNOWLEDGED, "U1")
    assert await deliver_all(database, now=NOON + MINUTE) == [KEY]


async def test_one_that_is_opened_is_kept_true_in_the_thread_like_any_message(database: Database) -> None:
    found = await storm(database, 6)
    await told(database, found)
    third = found[2]
    assert await desk(database).open(1, third.id) is Opened.OPENED
    entry = await claimed(database)
    assert (entry.alert_id, entry.root_key) == (third.id, KEY)
    await deliver(database, entry)
    assert await desk(database).open(1, third.id) is Opened.STOOD
    await deliver(database, await claimed(database))

    await announce(database, recover(third, "fine", NOON), NOON)
    assert set(await pending(database)) == {KEY, entry.key}
    assert set(await deliver_all(database, now=NOON + MINUTE)) == {KEY, entry.key}


async def test_what_is_no_part_of_a_group_cannot_be_opened(database: Database) -> None:
    await told(database, await storm(database, 6))
    assert await desk(database).open(1, 99) is Opened.UNKNOWN
    assert await desk(database).open(7, 1) is Opened.UNKNOWN


# --- what is read and what is forgotten -------------------------------------------------------------------


async def test_the_first_are_those_open_then_by_priority_then_the_newest(database: Database) -> None:
    found = [
        await announced(database, NOON + number * MINUTE, resource=f"r{number}", severity=severity)
        for number, severity in enumerate(
            [Severity.LOW, Severity.HIGH, Severity.HIGH, Severity.MEDIUM, Severity.HIGH, Severity.LOW]
        )
    ]
    await announce(database, recover(found[4], "fine", NOON + 9 * MINUTE), NOON + 9 * MINUTE)
    await gathered(database, NOON + 9 * MINUTE)
    shown = await read(database)
    assert [alert.firing.resource for alert in shown.first] == ["r2", "r1", "r3", "r5", "r0", "r4"]
    assert (shown.began_at, shown.ended_at) == (NOON, None)


async def test_names_are_those_of_the_alerts_that_call(database: Database) -> None:
    await storm(database, 6)
    await announced(database, resource="other", mention="@lead")
    await gathered(database)
    assert (await read(database)).names == ("oncall", "lead")


async def test_a_group_is_forgotten_with_its_last_alert(database: Database) -> None:
    await told(database, await storm(database, 6))
    async with database.transaction() as connection:
        await outbox.purge(connection, NOON + HOUR)
        assert await outbox.sent(connection, KEY) is not None
        await groups.forget(connection)
        assert await groups.state(connection, 1, NOON) is not None
        await connection.execute(sa.delete(alerts_table))
        await groups.forget(connection)
        for table in (alert_groups, alert_group_members, messages, outbox_table):
            assert (await connection.execute(sa.select(table))).all() == []


async def test_nothing_is_gathered_twice_by_a_claim_between(database: Database) -> None:
    await storm(database, 6)
    await gathered(database)
    entry = await claimed(database)
    await storm(database, 3, name="late")
    assert await gathered(database) is Gathered.ALL
    await deliver(database, entry)
    assert await state(database, entry) == "pending"  # it was joined while it was posted
    assert await claim(database, now=NOON + MINUTE) is not None
    assert (await read(database)).total == 9
