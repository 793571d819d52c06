"""What waits for destinations and which refuse, on both engines."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.domain.severity import Severity
from storage import destinations, outbox
from storage.database import Database
from storage.outbox import Lane, Sent, view_key
from storage.tables import outbox as table
from tests.storage.bot import HOT, NOON, running

HOOK, SLACK = Lane(destination="hook", channel=""), Lane(destination="slack", channel="#alerts")


async def owed(database: Database, lane: Lane) -> str:
    """The state of the one entry of a lane."""
    async with database.snapshot() as connection:
        query = sa.select(table.c.state).where(table.c.destination == lane.destination)
        return str((await connection.execute(query)).scalar_one())


async def mark(database: Database, alert_id: int, lane: Lane, note: str | None = None) -> None:
    async with database.transaction() as connection:
        await outbox.mark_stale(
            database, connection, alert_id=alert_id, lane=lane, priority=10, now=NOON, due_at=NOON, note=note
        )


async def test_a_destination_that_refuses_is_news_once_and_when_it_works_again(database: Database) -> None:
    async with database.transaction() as connection:
        assert await destinations.refuses(database, connection, "hook", "HTTP 404", NOON)
        assert not await destinations.refuses(database, connection, "hook", "HTTP 410", NOON)
        assert await destinations.refusing(connection) == {"hook": "HTTP 404"}
        assert await destinations.works(connection, "hook")
        assert not await destinations.works(connection, "hook")
        assert await destinations.refusing(connection) == {}


async def test_what_was_refused_is_tried_again_and_what_has_no_way_out_is_let_go(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await mark(database, 1, HOOK)
        async with database.transaction() as connection:
            entry = await outbox.claim(connection, HOOK, "me", NOON)
            assert entry is not None
            await outbox.bury(connection, entry, "HTTP 404")
        assert await owed(database, HOOK) == "dead"
        async with database.transaction() as connection:
            await destinations.revive(connection, ["hook"], NOON)
        assert await owed(database, HOOK) == "pending"
        async with database.transaction() as connection:
            await destinations.abandon(connection, ["slack"])
        assert await owed(database, HOOK) == "dead"
        assert await owed(database, SLACK) == "pending"


async def test_what_people_have_not_heard_is_a_first_word_or_a_loud_line(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        async with database.transaction() as connection:
            assert await destinations.unheard(connection, "slack") == [1]
            entry = await outbox.claim(connection, SLACK, "me", bot.clock())
            assert entry is not None
            sent = Sent(key=entry.key, alert_id=1, destination="slack", channel="C1", ts="1", shown="x")
            await outbox.record(database, connection, entry, sent, bot.clock())
        await mark(database, 1, SLACK)
        async with database.snapshot() as connection:
            assert await destinations.unheard(connection, "slack") == [], "an edit calls nobody"
        async with database.transaction() as connection:
            await outbox.add_post(
                database, connection, key="line", lane=SLACK, payload={"loud": True}, priority=15, now=NOON,
                alert_id=1,
            )  # fmt: skip
        async with database.snapshot() as connection:
            assert await destinations.unheard(connection, "slack") == [1]


async def test_lines_said_with_a_first_word_are_not_said_again(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        key = view_key(1, HOOK)
        async with database.transaction() as connection:
            for name in ("a", "b"):
                await outbox.add_post(
                    database, connection, key=name, lane=HOOK, payload={"n": name}, priority=15, now=NOON,
                    alert_id=1,
                )  # fmt: skip
            lines = await destinations.lines_waiting(connection, key)
            assert [payload["n"] for _, payload in lines] == ["a", "b"]
            await destinations.settle(connection, [number for number, _ in lines])
            assert await destinations.lines_waiting(connection, key) == []


async def test_more_to_tell_keeps_an_entry_pending(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        for more, state in ((True, "pending"), (False, "done")):
            async with database.transaction() as connection:
                entry = await outbox.claim(connection, SLACK, "me", bot.clock())
                assert entry is not None
                assert entry.in_doubt_since is None
                await outbox.record(database, connection, entry, None, bot.clock(), more=more)
            assert await owed(database, SLACK) == state


@pytest.mark.parametrize("again", [None, "Slack is back"])
async def test_a_note_is_kept_from_the_first_time(database: Database, again: str | None) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await mark(database, 1, HOOK, "Slack cannot be reached")
        await mark(database, 1, HOOK, again)
        async with database.transaction() as connection:
            entry = await outbox.claim(connection, HOOK, "me", NOON + timedelta(seconds=1))
        assert entry is not None
        assert entry.payload["note"] == "Slack cannot be reached"


async def test_a_press_on_an_untrue_message_makes_no_destination_hear_twice(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        for lane in (HOOK, SLACK):
            await mark(database, 1, lane)
            async with database.transaction() as connection:
                entry = await outbox.claim(connection, lane, "me", bot.clock())
                assert entry is not None
                heard = f"firing:{Severity.HIGH.priority}:0"
                sent = Sent(
                    key=entry.key, alert_id=1, destination=lane.destination, channel="", ts="1", shown=heard
                )
                await outbox.record(database, connection, entry, sent, bot.clock())
        async with database.transaction() as connection:
            await outbox.doubt_view(connection, 1)
            kept = await outbox.sent(connection, view_key(1, HOOK))
            doubted = await outbox.sent(connection, view_key(1, SLACK))
        assert kept is not None
        assert kept.shown == "firing:P2:0"
        assert doubted is not None
        assert doubted.shown == ""
