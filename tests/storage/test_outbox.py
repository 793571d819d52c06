"""The outbox: what is owed, in which order it is claimed, by whom, and what becomes of a delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain.alert import Change, acknowledge, recover, repeat
from bot.domain.severity import Severity
from storage import outbox
from storage.database import Connection, Database
from storage.outbox import LEASE, Entry, EntryKind, Lane, Sent
from storage.tables import alerts as alerts_table
from storage.tables import messages
from storage.tables import outbox as outbox_table
from tests.databases import Opener
from tests.storage.stored import ALERTS, HOUR, MINUTE, NOON, OPS, announce, announced, firing, new_alert


async def run(database: Database, query: Callable[..., Awaitable[Any]], *arguments: Any, **named: Any) -> Any:
    async with database.transaction() as connection:
        return await query(connection, *arguments, **named)


async def claim(
    database: Database, lane: Lane = ALERTS, now: datetime = NOON, owner: str = "me"
) -> Entry | None:
    found: Entry | None = await run(database, outbox.claim, lane, owner, now)
    return found


async def claimed(database: Database, lane: Lane = ALERTS, now: datetime = NOON) -> Entry:
    found = await claim(database, lane, now)
    assert found is not None, "nothing can be claimed"
    return found


async def stale(database: Database, alert_id: int, *, due_at: datetime = NOON, priority: int = 20) -> None:
    async with database.transaction() as connection:
        await outbox.mark_stale(
            database, connection, alert_id=alert_id, lane=ALERTS, priority=priority, now=NOON, due_at=due_at
        )


async def post(
    database: Database, key: str, *, lane: Lane = ALERTS, priority: int = 45, **named: Any
) -> bool:
    async with database.transaction() as connection:
        return await outbox.add_post(
            database,
            connection,
            key=key,
            lane=lane,
            payload={"text": key},
            priority=priority,
            now=NOON,
            **named,
        )


def message(entry: Entry, shown: str = "as it is") -> Sent:
    return Sent(
        key=entry.key,
        alert_id=entry.alert_id,
        destination="slack",
        channel="C1",
        ts=f"{entry.id}.0",
        shown=shown,
    )


async def deliver(database: Database, entry: Entry, now: datetime = NOON) -> None:
    async with database.transaction() as connection:
        await outbox.record(database, connection, entry, message(entry), now)


async def deliver_all(database: Database, lane: Lane = ALERTS, now: datetime = NOON) -> list[str]:
    """Claim and deliver until nothing is left; returns the keys in order."""
    keys = []
    while (entry := await claim(database, lane, now)) is not None:
        keys.append(entry.key)
        await deliver(database, entry, now)
    return keys


async def lanes(database: Database, now: datetime = NOON) -> list[Lane]:
    async with database.snapshot() as connection:
        return await outbox.ready_lanes(connection, now)


async def next_due(database: Database, now: datetime = NOON) -> datetime | None:
    async with database.snapshot() as connection:
        return await outbox.next_due(connection, now)


async def state(database: Database, entry: Entry) -> str:
    async with database.snapshot() as connection:
        return str(
            await connection.scalar(sa.select(outbox_table.c.state).where(outbox_table.c.id == entry.id))
        )


# --- what is owed -----------------------------------------------------------------------------------------


async def test_a_view_that_goes_stale_again_and_again_is_one_entry(database: Database) -> None:
    alert = await new_alert(database)
    for _ in range(5):
        await stale(database, alert.id)
    entry = await claimed(database)
    assert (entry.kind, entry.alert_id, entry.key) == (
        EntryKind.VIEW,
        alert.id,
        f"alert:{alert.id}:slack:#alerts",
    )
    assert entry.generation == 5
    assert await claim(database) is None


async def test_a_count_may_wait_but_never_puts_off_what_is_due_sooner(database: Database) -> None:
    alert = await new_alert(database)
    await stale(database, alert.id, due_at=NOON + 30 * MINUTE)
    assert await claim(database) is None
    assert await next_due(database) == NOON + 30 * MINUTE
    await stale(database, alert.id, due_at=NOON + 5 * MINUTE)
    await stale(database, alert.id, due_at=NOON + 20 * MINUTE)
    assert await next_due(database) == NOON + 5 * MINUTE
    await stale(database, alert.id, due_at=NOON)
    assert (await claimed(database)).alert_id == alert.id


async def test_a_count_never_takes_the_urgency_from_a_message_that_still_waits(database: Database) -> None:
    first = await announced(database, severity=Severity.CRITICAL)
    counted = repeat(first, firing(severity=Severity.CRITICAL), NOON)
    await announce(database, counted, NOON)
    entry = await claimed(database)
    assert entry.priority == 10
    await deliver(database, entry)
    await stale(database, first.id, priority=18)
    assert (await claimed(database)).priority == 18


async def test_a_post_is_said_once_however_often_it_is_queued(database: Database) -> None:
    assert await post(database, "digest:1")
    assert not await post(database, "digest:1")
    assert await deliver_all(database) == ["digest:1"]
    assert not await post(database, "digest:1")
    assert await deliver_all(database) == []


async def test_an_alert_that_fires_owes_its_message_and_one_line_for_each_event_after(
    database: Database,
) -> None:
    alert = await announced(database)
    change = acknowledge(alert, "U1", "on it", NOON)
    assert isinstance(change, Change)
    taken = await announce(database, change, NOON)
    await announce(database, recover(taken, "fine", NOON), NOON)
    view, line, last = [await claimed_after(database) for _ in range(3)]
    assert view.kind is EntryKind.VIEW
    assert [entry.payload["event"]["kind"] for entry in (line, last)] == ["acknowledged", "recovered"]
    assert line.payload["event"] | {"at": ""} == {
        "kind": "acknowledged",
        "at": "",
        "text": "on it",
        "actor": "U1",
    }


async def claimed_after(database: Database) -> Entry:
    """The next entry, delivered."""
    entry = await claimed(database)
    await deliver(database, entry)
    return entry


# --- who claims what --------------------------------------------------------------------------------------


async def test_the_most_urgent_goes_first_and_within_it_the_oldest(database: Database) -> None:
    for key, priority in [("c", 45), ("a", 10), ("d", 45), ("b", 20)]:
        await post(database, key, priority=priority)
    assert await deliver_all(database) == ["a", "b", "c", "d"]


async def test_lanes_are_named_by_what_is_most_urgent_in_them(database: Database) -> None:
    await post(database, "a", priority=45)
    await post(database, "b", lane=OPS, priority=10)
    assert await lanes(database) == [OPS, ALERTS]
    assert await deliver_all(database, OPS) == ["b"]
    assert await lanes(database) == [ALERTS]


async def test_what_is_claimed_is_nobody_elses_until_its_lease_ends(database: Database) -> None:
    await post(database, "a")
    first = await claimed(database)
    assert (first.attempts, first.in_doubt_since) == (1, None)
    assert await claim(database, owner="other") is None
    assert await lanes(database) == []
    again = await claim(database, now=NOON + LEASE, owner="other")
    assert again is not None
    assert (again.id, again.attempts, again.in_doubt_since) == (first.id, 2, NOON)


async def test_two_claimers_never_get_one_entry(open_database: Opener) -> None:
    databases = [open_database() for _ in range(4)]
    for number in range(40):
        await post(databases[0], f"post {number}", lane=ALERTS if number % 2 else OPS)
    taken: list[int] = []

    async def work(number: int) -> None:
        database, lane = databases[number % 4], (ALERTS, OPS)[number % 2]
        while (entry := await claim(database, lane, owner=f"worker {number}")) is not None:
            taken.append(entry.id)
            await asyncio.sleep(0)

    await asyncio.gather(*map(work, range(8)))
    assert len(taken) == len(set(taken))
    for lane in (ALERTS, OPS):  # somebody may have looked while another held the row
        while (entry := await claim(databases[0], lane)) is not None:
            taken.append(entry.id)
    assert sorted(taken) == sorted(set(taken))
    assert len(taken) == 40


async def test_a_line_waits_for_its_alerts_message_and_for_the_lines_before_it(open_database: Opener) -> None:
    database, other = open_database(), open_database()
    alert = await new_alert(database)
    await post(database, "line 1", alert_id=alert.id, priority=1)
    await post(database, "line 2", alert_id=alert.id, priority=1)
    assert await claim(database) is None
    await stale(database, alert.id)
    view = await claimed(database)
    assert view.kind is EntryKind.VIEW
    assert await claim(other) is None
    await deliver(database, view)
    first = await claimed(database)
    assert first.key == "line 1"
    assert await claim(other) is None
    await deliver(database, first)
    assert (await claimed(other)).key == "line 2"


async def test_a_line_that_must_wait_holds_up_the_lines_after_it_and_nothing_else(database: Database) -> None:
    alert = await new_alert(database)
    await stale(database, alert.id)
    await deliver(database, await claimed(database))
    for key in ("line 1", "line 2"):
        await post(database, key, alert_id=alert.id)
    await post(database, "digest")
    line = await claimed(database)
    await run(database, outbox.postpone, line, NOON + HOUR, "ratelimited", in_doubt=False)
    assert (await claimed(database)).key == "digest"
    assert await claim(database) is None
    assert await deliver_all(database, now=NOON + HOUR) == ["line 1", "line 2", "digest"]


async def test_a_line_that_can_never_be_said_holds_up_no_other(database: Database) -> None:
    alert = await new_alert(database)
    await stale(database, alert.id)
    await deliver(database, await claimed(database))
    for key in ("line 1", "line 2"):
        await post(database, key, alert_id=alert.id)
    await run(database, outbox.bury, await claimed(database), "no_text")
    assert await deliver_all(database) == ["line 2"]


# --- what becomes of a delivery ---------------------------------------------------------------------------


async def test_a_delivered_message_is_known_with_what_it_shows(database: Database) -> None:
    alert = await new_alert(database)
    await stale(database, alert.id)
    entry = await claimed(database)
    await deliver(database, entry)
    async with database.snapshot() as connection:
        assert await outbox.sent(connection, entry.key) == message(entry)
        assert await outbox.sent(connection, "none") is None
        assert await outbox.counts(connection) == {"done": 1}
    await run(database, outbox.doubt_view, alert.id)
    async with database.snapshot() as connection:
        found = await outbox.sent(connection, entry.key)
        assert found is not None
        assert (found.shown, found.ts) == ("", message(entry).ts)
    await run(database, outbox.forget, entry.key)
    async with database.snapshot() as connection:
        assert await outbox.sent(connection, entry.key) is None


async def test_a_view_that_goes_stale_while_it_is_delivered_is_delivered_again(database: Database) -> None:
    alert = await new_alert(database)
    await stale(database, alert.id)
    entry = await claimed(database)
    await stale(database, alert.id)
    await deliver(database, entry)
    assert await state(database, entry) == "pending"
    again = await claimed(database)
    assert (again.id, again.in_doubt_since) == (entry.id, None)
    await deliver(database, again)
    assert await state(database, entry) == "done"


async def test_a_view_that_goes_stale_while_it_is_refused_is_tried_again(database: Database) -> None:
    alert = await new_alert(database)
    await stale(database, alert.id)
    entry = await claimed(database)
    await stale(database, alert.id)
    await run(database, outbox.bury, entry, "invalid_blocks")
    assert (await claimed(database)).id == entry.id


async def test_a_dead_view_lives_again_when_its_alert_changes(database: Database) -> None:
    alert = await new_alert(database)
    await stale(database, alert.id)
    entry = await claimed(database)
    await run(database, outbox.bury, entry, "invalid_blocks")
    assert await state(database, entry) == "dead"
    assert await claim(database) is None
    await stale(database, alert.id)
    assert (await claimed(database)).attempts == 1


async def test_an_attempt_that_certainly_failed_leaves_no_doubt(database: Database) -> None:
    await post(database, "a")
    await run(database, outbox.postpone, await claimed(database), NOON + MINUTE, "refused", in_doubt=False)
    assert await next_due(database) == NOON + MINUTE
    again = await claimed(database, now=NOON + MINUTE)
    assert (again.attempts, again.in_doubt_since) == (2, None)


async def test_an_attempt_that_may_have_succeeded_stays_in_doubt_since_it_was_first_made(
    database: Database,
) -> None:
    await post(database, "a")
    for minute in range(3):
        entry = await claimed(database, now=NOON + minute * MINUTE)
        await run(database, outbox.postpone, entry, NOON + (minute + 1) * MINUTE, "no answer", in_doubt=True)
    last = await claimed(database, now=NOON + 3 * MINUTE)
    assert (last.attempts, last.in_doubt_since) == (4, NOON)


async def test_what_is_not_delivered_says_why(database: Database) -> None:
    await post(database, "a")
    await post(database, "b")
    await run(database, outbox.postpone, await claimed(database), NOON, "x" * 5000, in_doubt=False)
    async with database.snapshot() as connection:
        assert list(await outbox.errors(connection)) == [("#alerts", "x" * 1000)]
    await deliver_all(database)
    async with database.snapshot() as connection:
        assert list(await outbox.errors(connection)) == []


async def test_an_entry_can_go_to_another_channel_at_once(database: Database) -> None:
    await post(database, "a", lane=OPS)
    await run(database, outbox.move, await claimed(database, OPS), "#alerts")
    assert await claim(database, OPS) is None
    moved = await claimed(database)
    assert (moved.lane, moved.in_doubt_since) == (ALERTS, None)


async def test_a_tocsin_that_starts_takes_back_what_the_one_before_had_claimed(database: Database) -> None:
    await post(database, "a")
    await claimed(database)
    await run(database, outbox.release_all)
    again = await claimed(database)
    assert again.in_doubt_since == NOON  # it may have been posted before the other one died


async def test_old_posts_are_dropped_and_views_stay(database: Database) -> None:
    alert = await new_alert(database)
    await stale(database, alert.id)
    await post(database, "line", alert_id=alert.id)
    await post(database, "waits", lane=OPS)
    await deliver_all(database)
    await run(database, outbox.purge, NOON)
    async with database.snapshot() as connection:
        assert await outbox.counts(connection) == {"done": 2, "pending": 1}
    await run(database, outbox.purge, NOON + timedelta(days=7))
    async with database.snapshot() as connection:
        assert await outbox.counts(connection) == {"done": 1, "pending": 1}
        assert await outbox.sent(connection, "line") is None
        assert await outbox.sent(connection, f"alert:{alert.id}:slack:#alerts") is not None


async def test_nothing_is_owed_about_an_alert_that_was_forgotten(database: Database) -> None:
    alert = await new_alert(database)
    await stale(database, alert.id)
    await deliver(database, await claimed(database))
    await post(database, "line", alert_id=alert.id)

    async def delete(connection: Connection) -> None:
        await connection.execute(sa.delete(alerts_table))

    await run(database, delete)
    assert await claim(database) is None
    async with database.snapshot() as connection:
        assert (await connection.execute(sa.select(messages))).all() == []
