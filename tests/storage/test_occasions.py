"""Cards, ticks, drills and measures in both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from bot.config.telling import Retention
from bot.domain.checkin import CheckinLine
from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.rollup import share_field
from bot.domain.run import Run, RunStatus
from bot.domain.severity import Severity
from bot.upkeep import Upkeep
from checks.result import State
from storage import checkins, checklists, drills, measures, outbox, rollups, runs, sources
from storage.checkins import CheckinCard
from storage.checklists import PostedList
from storage.database import Database
from storage.drills import Drill, DrillPlace
from storage.outbox import Sent
from tests.storage.stored import ALERTS, HOUR, MINUTE, NOON

SYNC = Source(kind=SourceKind.JOB, name="sync")


def card() -> CheckinCard:
    lines = (
        CheckinLine(name="a", state=State.OK, summary="fine", at=NOON),
        CheckinLine(name="b", state=State.PENDING, summary="", at=None),
    )
    return CheckinCard(
        title="Morning", channel="#alerts", due_at=NOON, as_of=NOON, lines=lines, checks=("a", "b"),
        mention=("oncall",), live_until=NOON + HOUR,
    )  # fmt: skip


async def test_a_card_is_kept_as_it_is_and_followed_until_its_end(database: Database) -> None:
    async with database.transaction() as connection:
        number = await checkins.add(connection, card())
    async with database.transaction() as connection:
        stored = await checkins.get(connection, number)
        assert stored == replace(card(), id=number)
        later = replace(stored, as_of=NOON + MINUTE, live_until=None)
        assert await checkins.update(connection, later, NOON)
        assert await checkins.live(connection) == []
        assert not await checkins.update(connection, later, NOON + MINUTE)


async def test_of_two_replicas_that_bring_a_card_up_to_date_one_does(database: Database) -> None:
    async with database.transaction() as connection:
        number = await checkins.add(connection, card())

    async def follow(minutes: int) -> bool:
        async with database.transaction() as connection:
            newer = replace(card(), id=number, as_of=NOON + minutes * MINUTE)
            return await checkins.update(connection, newer, NOON)

    assert sorted(await asyncio.gather(follow(1), follow(2))) == [False, True]


async def test_people_who_tick_together_lose_nothing_and_the_first_stays_remembered(
    database: Database,
) -> None:
    wanted = PostedList(title="Daily", channel="#alerts", due_at=NOON, items=("Look", "Listen", "Think"))
    async with database.transaction() as connection:
        number = await checklists.add(connection, wanted)

    async def tick(item: int, who: str) -> bool:
        async with database.transaction() as connection:
            return await checklists.tick(database, connection, number, item, who, NOON)

    done = await asyncio.gather(tick(0, "U0ALEX"), tick(1, "U0SAM"), tick(0, "U0SAM"), tick(2, "U0KIM"))
    assert sum(done) == 3
    async with database.transaction() as connection:
        found = await checklists.get(connection, number)
        assert found is not None
        assert sorted(found.ticks) == [0, 1, 2]
        assert found.ticks[2].by == "U0KIM"
        assert await checklists.untick(connection, number, 1)
        assert not await checklists.untick(connection, number, 1)
        await checklists.forget(connection, NOON + MINUTE)
        assert await checklists.get(connection, number) is None


async def test_a_drill_waits_until_it_has_ended(database: Database) -> None:
    drill = Drill(
        by="U0ALEX", channel="#alerts", severity=Severity.HIGH, about="Route 1", started_at=NOON,
        places=(DrillPlace(name="slack #alerts", key="drill:1:slack:#alerts"),), shown={"slack #alerts": "under way"},
    )  # fmt: skip
    async with database.transaction() as connection:
        number = await drills.add(connection, drill)
        assert await drills.running(connection) == [replace(drill, id=number)]
        await drills.update(connection, replace(drill, id=number, ended_at=NOON + MINUTE))
        assert await drills.running(connection) == []


async def test_the_fate_of_an_entry_is_told_until_it_arrived_or_failed(database: Database) -> None:
    async with database.transaction() as connection:
        for key in ("good", "bad", "late"):
            await outbox.add_post(
                database, connection, key=key, lane=ALERTS, payload={}, priority=10, now=NOON
            )
        good = await outbox.claim(connection, ALERTS, "me", NOON)
        assert good is not None
        sent = Sent(key="good", alert_id=None, destination="slack", channel="C1", ts="1", shown="")
        await outbox.record(database, connection, good, sent, NOON + MINUTE)
        bad = await outbox.claim(connection, ALERTS, "me", NOON)
        assert bad is not None
        await outbox.bury(connection, bad, "channel_not_found")
        found = await outbox.fates(connection, ["good", "bad", "late", "unknown"])
    assert (found["good"].arrived_at, found["good"].is_over) == (NOON + MINUTE, True)
    assert (found["bad"].arrived_at, found["bad"].error, found["bad"].is_over) == (
        None, "channel_not_found", True,
    )  # fmt: skip
    assert not found["late"].is_over
    assert "unknown" not in found


async def test_a_card_outlives_posts_and_is_dropped_with_what_it_is_about(database: Database) -> None:
    key = outbox.card_key("checklist", 1)
    async with database.transaction() as connection:
        await outbox.mark_card_stale(database, connection, key=key, lane=ALERTS, priority=45, now=NOON)
        entry = await outbox.claim(connection, ALERTS, "me", NOON)
        assert entry is not None
        assert entry.payload["channel"] == "#alerts"
        sent = Sent(key=key, alert_id=None, destination="slack", channel="C1", ts="1", shown="")
        await outbox.record(database, connection, entry, sent, NOON)
        await outbox.purge(connection, NOON + 30 * 24 * HOUR)
        assert await outbox.sent(connection, key) is not None
        await outbox.purge_cards(connection, NOON + MINUTE)
        assert await outbox.sent(connection, key) is None


async def run(database: Database, at: datetime, status: str) -> None:
    found = Run(
        job="sync", status=RunStatus.SUCCESS, finished_at=at, fields={"deploy_status": status, "ms": 5}
    )
    heard = Observation(source=SYNC, resource="sync", state=State.OK, at=at, summary="", fields={})
    async with database.transaction() as connection:
        await sources.put(database, connection, heard, {}, None)
        await runs.add(database, connection, found, received_at=at)


async def test_a_share_is_known_after_the_single_values_are_dropped(database: Database) -> None:
    for number, status in enumerate(["live", "LIVE", "failed", "live"]):
        await run(database, NOON + number * 10 * MINUTE, status)
    now = NOON + 3 * HOUR
    upkeep = Upkeep(
        database=database,
        clock=lambda: now,
        retention=Retention(),
        shares={SYNC: {("deploy_status", "live")}},
    )
    while await upkeep.roll_up():
        pass
    async with database.transaction() as connection:
        await runs.forget(connection, now, 100)
        found, since = await measures.share(
            connection, SYNC, ("deploy_status", "live"), NOON - HOUR, NOON + 2 * HOUR
        )
        assert found is not None
        assert (found.count, found.mean, since) == (4, 0.75, NOON)
        kept = await rollups.hours(connection, SYNC, share_field("deploy_status", "live"), NOON, now)
        assert len(kept) == 1


async def test_a_measure_joins_whole_hours_with_what_is_not_rolled_up_yet(database: Database) -> None:
    for minutes in (0, 30, 61, 200):
        await run(database, NOON + minutes * MINUTE, "live")
    upkeep = Upkeep(database=database, clock=lambda: NOON + 2 * HOUR, retention=Retention())
    while await upkeep.roll_up():
        pass
    async with database.snapshot() as connection:
        found, since = await measures.rollup(connection, SYNC, "ms", NOON - 10 * MINUTE, NOON + 4 * HOUR)
        assert found is not None
        assert (found.count, found.total, since) == (4, 20, NOON)
        nothing = await measures.rollup(connection, SYNC, "other", NOON, NOON + timedelta(days=30))
        assert nothing == (None, None)
