"""Silences over a real database: made, extended, ended, warned of and told of afterwards, restarts included."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bot.domain.alert import Refusal, Status
from bot.domain.schedule import Cron
from bot.domain.severity import Severity
from bot.domain.silence import Origin, Silence, Timetable
from bot.silencing import NotDone
from storage import alerts, outbox, silences
from storage.database import Database
from storage.outbox import Sent
from storage.tables import outbox as outbox_table
from tests.domain.findings import all_of, rule
from tests.storage.bot import COLD, HOT, Bot, running
from tests.storage.stored import ALERTS, HOUR, MINUTE, NOON

NIGHTLY = Timetable(
    name="Nightly",
    match="resource == 'web-1'",
    reason="maintenance",
    begins=(Cron("0 13 * * *", ZoneInfo("UTC")),),
    length=2 * HOUR,
)


async def silence(bot: Bot, match: str = "check == 'host'", length: timedelta = 2 * HOUR) -> Silence:
    made, _ = await bot.silencing.create(
        match=match, until=bot.clock() + length, who="U1", reason="deploying", origin=Origin.SLACK
    )
    return made


async def posts(bot: Bot) -> list[str]:
    """The first line of every message about silences that was queued, oldest first, delivered or not."""
    async with bot.database.snapshot() as connection:
        rows = await connection.execute(
            sa.select(outbox_table.c.payload)
            .where(outbox_table.c.key.like("silence:%"))
            .order_by(outbox_table.c.id)
        )
        return [row.payload["text"] for row in rows]


async def kinds(bot: Bot, alert_id: int = 1) -> list[str]:
    return [event.kind.value for event in await bot.history(alert_id)]


async def shows(bot: Bot, alert_id: int = 1) -> None:
    """Let the alert's message stand in Slack."""
    async with bot.database.transaction() as connection:
        entry = await outbox.claim(
            connection, outbox.Lane(destination="slack", channel="#alerts"), "me", bot.clock()
        )
        assert entry is not None
        key = outbox.view_key(alert_id, ALERTS)
        sent = Sent(key=key, alert_id=alert_id, destination="slack", channel="C1", ts="1.1", shown="x")
        await outbox.record(bot.database, connection, entry, sent, bot.clock())


async def test_an_open_alert_turns_silent_and_is_heard_again_at_the_end(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        made = await silence(bot)
        quiet = await bot.alert()
        assert (quiet.silenced_until, quiet.silenced_by, quiet.silence_reason, quiet.silence_id) == (
            NOON + 2 * HOUR,
            "U1",
            "deploying",
            made.id,
        )
        bot.clock.move(2 * HOUR)
        for _ in range(2):
            await bot.alerting.tick()
        assert (await bot.alert()).silenced_until is None
        assert await kinds(bot) == ["fired", "silenced", "unsilenced"]
        assert (await bot.history())[-1].text == (
            "silence #1 ended; still failing since 2026-11-20 12:00 UTC"
        )


async def test_what_fires_under_a_silence_is_kept_counted_and_resolved(database: Database) -> None:
    async with running(database) as bot:
        await silence(bot)
        await bot.sees(HOT)
        await bot.sees(HOT)
        found = await bot.alert()
        assert (found.count, found.is_silenced(bot.clock()), found.silence_id) == (2, True, 1)
        bot.clock.move(12 * MINUTE)
        await bot.sees(COLD)
        assert (await bot.alert()).status is Status.RESOLVED
        assert await kinds(bot) == ["fired", "silenced", "recovered"]


async def test_what_no_silence_matches_is_told(database: Database) -> None:
    async with running(database) as bot:
        await silence(bot, "severity == 'low'")
        await silence(bot, "cpu / 2 > 40")  # cannot be calculated
        await bot.sees(HOT)
        await bot.alerting.tick()
        assert await kinds(bot) == ["fired"]


async def test_the_longest_silence_keeps_an_alert_quiet_when_a_shorter_one_ends(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await silence(bot, length=HOUR)
        await silence(bot, "rule == 'hot'", 3 * HOUR)
        bot.clock.move(HOUR)
        await bot.alerting.tick()
        found = await bot.alert()
        assert (found.silence_id, found.silenced_until) == (2, NOON + 3 * HOUR)
        assert "unsilenced" not in await kinds(bot)


async def test_the_end_is_warned_of_once_while_something_is_broken_also_after_a_restart(
    database: Database,
) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await silence(bot)
        bot.clock.move(2 * HOUR - 16 * MINUTE)
        await bot.alerting.tick()
        assert len(await posts(bot)) == 1  # that it was made
        bot.clock.move(MINUTE)
        await bot.alerting.tick()
        again = Bot(database)
        again.clock.now = bot.clock()
        for _ in range(2):
            await again.alerting.tick()
        (_, warning) = await posts(bot)
        assert "ends in 15 min" in warning
        assert "1 alert it hides is still open" in warning
        assert "<@U1>, is more time needed?" in warning
        assert "P2" in warning


async def test_an_end_with_nothing_broken_is_not_warned_of_until_something_breaks(database: Database) -> None:
    async with running(database) as bot:
        await silence(bot)
        bot.clock.move(2 * HOUR - 10 * MINUTE)
        await bot.alerting.tick()
        assert len(await posts(bot)) == 1
        await bot.sees(HOT)
        await bot.alerting.tick()
        assert "ends in 10 min" in (await posts(bot))[-1]


async def test_a_warning_about_the_only_alert_goes_into_its_thread(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await shows(bot)
        await silence(bot, length=HOUR)
        bot.clock.move(50 * MINUTE)
        await bot.alerting.tick()
        async with database.snapshot() as connection:
            row = (
                await connection.execute(
                    sa.select(outbox_table).where(outbox_table.c.key.like("silence:1:warning:%"))
                )
            ).one()
        assert (row.channel, row.payload["thread_ts"]) == ("C1", "1.1")


async def test_an_extension_is_made_once_however_often_the_button_is_pressed(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        made = await silence(bot)
        bot.clock.move(110 * MINUTE)
        await bot.alerting.tick()
        longer = await bot.silencing.extend(made.id, made.ends_at, HOUR, "U2")
        assert isinstance(longer, Silence)
        assert longer.ends_at == NOON + 3 * HOUR
        again = await bot.silencing.extend(made.id, made.ends_at, HOUR, "U3")
        assert isinstance(again, NotDone)
        assert (await bot.alert()).silenced_until == NOON + 3 * HOUR
        event = (await bot.history())[-1]
        assert (event.actor, event.text) == (
            "U2",
            "extended until 2026-11-20 15:00 UTC by silence #1: deploying",
        )
        bot.clock.move(60 * MINUTE)
        await bot.alerting.tick()
        assert ["ends in" in post for post in await posts(bot)] == [False, True, True]


async def test_what_a_silence_hid_is_said_once_when_it_ended(database: Database) -> None:
    async with running(database) as bot:
        await silence(bot)
        await bot.sees(HOT)
        await bot.sees(HOT, resource="web-2")
        bot.clock.move(12 * MINUTE)
        await bot.sees(COLD, resource="web-2")
        bot.clock.move(2 * HOUR)
        again = Bot(database)
        again.clock.now = bot.clock()
        for _ in range(2):
            await bot.alerting.tick()
            await again.alerting.tick()
        _, after = await posts(bot)
        assert "Silence #1 of `check == 'host'` has ended. It hid 2 alerts: 1 still open, 1 over." in after
        assert "hot at web-1: open since" in after
        assert "hot at web-2: resolved after 12 min" in after


async def test_a_silence_that_hid_nothing_says_nothing(database: Database) -> None:
    async with running(database, timetables=(NIGHTLY,)) as bot:
        await silence(bot, "severity == 'low'")
        await bot.sees(HOT, resource="web-3")
        for _ in range(5):
            bot.clock.move(HOUR)
            await bot.alerting.tick()
        assert len(await posts(bot)) == 1  # that the first was made


async def test_somebody_ends_it_and_what_still_fails_is_heard(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        made = await silence(bot)
        bot.clock.move(MINUTE)
        ended = await bot.silencing.end(made.id, "U2")
        assert isinstance(ended, Silence)
        assert ended.ended_by == "U2"
        assert (await bot.alert()).silenced_until is None
        assert (await bot.history())[-1].actor == "U2"
        assert "has ended by <@U2>. It hid 1 alert" in (await posts(bot))[-1]
        again = await bot.silencing.end(made.id, "U3")
        assert isinstance(again, NotDone)
        assert again.reason == "Silence #1 is over already."
        unknown = await bot.silencing.end(404, "U3")
        assert isinstance(unknown, NotDone)
        assert unknown.silence is None
        late = await bot.silencing.extend(made.id, made.ends_at, HOUR, "U3")
        assert isinstance(late, NotDone)
        assert "is over" in late.reason


async def test_a_window_of_the_file_silences_warns_ends_and_says_what_it_hid(database: Database) -> None:
    async with running(database, timetables=(NIGHTLY,)) as bot:
        await bot.sees(HOT)
        await bot.alerting.tick()
        assert await kinds(bot) == ["fired"]
        bot.clock.move(HOUR)
        await bot.alerting.tick()
        found = await bot.alert()
        assert (found.silence_name, found.silenced_by, found.silenced_until) == (
            "Nightly",
            None,
            NOON + 3 * HOUR,
        )
        bot.clock.move(106 * MINUTE)
        await bot.alerting.tick()
        bot.clock.move(14 * MINUTE)
        await bot.alerting.tick()
        assert (await bot.alert()).silenced_until is None
        warning, after = await posts(bot)
        assert "The silence *Nightly* ends in 14 min" in warning
        assert "The silence *Nightly* has ended. It hid 1 alert: 1 still open." in after
        assert "<@" not in warning + after
        bot.clock.move(22 * HOUR)
        await bot.alerting.tick()
        assert (await bot.alert()).silence_id == 2, "the next day's window is another"


async def test_a_window_of_the_file_can_be_ended_for_this_time_and_extended(database: Database) -> None:
    async with running(database, timetables=(NIGHTLY,)) as bot:
        bot.clock.move(HOUR)
        await bot.sees(HOT)
        assert (await bot.alert()).silence_id == 1
        await bot.silencing.end(1, "U2")
        await bot.alerting.tick()
        assert (await bot.alert()).silenced_until is None
        bot.clock.move(24 * HOUR)
        await bot.alerting.tick()
        (window,) = (await bot.silencing.listing()).active
        assert window.id == 2
        await bot.silencing.extend(2, window.ends_at, HOUR, "U2")
        bot.clock.move(150 * MINUTE)
        await bot.alerting.tick()
        assert (await bot.alert()).silenced_until == NOON + 28 * HOUR
        bot.clock.move(30 * MINUTE)
        await bot.alerting.tick()
        assert (await bot.alert()).silenced_until is None


async def test_a_window_that_left_the_file_ends(database: Database) -> None:
    async with running(database, timetables=(NIGHTLY,)) as bot:
        bot.clock.move(HOUR)
        await bot.sees(HOT)
    without = Bot(database)
    without.clock.now = bot.clock()
    await without.alerting.tick()
    assert (await without.alert()).silenced_until is None
    assert (await without.silencing.listing()).active == ()


async def test_one_alert_can_be_heard_although_a_silence_of_more_goes_on(database: Database) -> None:
    async with running(database) as bot:
        await silence(bot)
        await bot.sees(HOT)
        await bot.sees(HOT, resource="web-2")
        await bot.alerting.unsilence(1, "U2")
        for _ in range(2):
            await bot.alerting.tick()
        heard, hushed = await bot.alerts()
        assert (heard.silenced_until, hushed.silence_id) == (None, 1)
        event = (await bot.history(1))[-1]
        assert (event.actor, event.text) == (
            "U2",
            "silence #1 goes on without this alert; still failing since 2026-11-20 12:00 UTC",
        )
        assert isinstance(await bot.alerting.unsilence(1, "U2"), Refusal)


async def test_the_button_on_an_alert_never_makes_a_longer_silence_shorter(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await silence(bot, length=3 * HOUR)
        await bot.alerting.silence(1, "U2", HOUR, None)
        await bot.alerting.tick()
        assert (await bot.alert()).silenced_until == NOON + 3 * HOUR


async def test_what_gets_worse_than_its_silence_matches_is_heard(database: Database) -> None:
    worse = rule("cpu > 98", "worse", severity=Severity.CRITICAL, resource="{resource}")
    async with running(database, all_of(rule("cpu > 90", severity=Severity.LOW), worse)) as bot:
        await silence(bot, "severity == 'low' && cpu < 97")
        await bot.sees(HOT)
        assert (await bot.alert()).silence_id == 1
        await bot.sees({"cpu": 97.5})
        await bot.alerting.tick()
        assert (await bot.alert()).silenced_until is None
        assert (await bot.history())[-1].text.startswith("silence #1 does not match any more")


async def test_an_alert_heard_again_calls_people_only_where_its_message_stood_before(
    database: Database,
) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await shows(bot)
        await bot.sees(HOT, resource="web-2")
        made = await silence(bot)
        await bot.silencing.end(made.id, "U1")
        async with database.snapshot() as connection:
            rows = await connection.execute(
                sa.select(outbox_table.c.alert_id, outbox_table.c.payload)
                .where(outbox_table.c.key.like("line:%"))
                .order_by(outbox_table.c.id)
            )
            loud = {row.alert_id: row.payload["loud"] for row in rows}
        assert loud == {1: True, 2: False}


async def test_lines_of_an_alert_that_was_never_seen_are_let_go(database: Database) -> None:
    async with running(database) as bot:
        await silence(bot)
        await bot.sees(HOT)
        await bot.sees(COLD)
        assert {"silenced", "recovered"} <= set(await bot.owed())
        async with database.transaction() as connection:
            await outbox.settle_lines(connection, 1, outbox.view_key(1, ALERTS))
        assert not {"silenced", "recovered"} & set(await bot.owed())


async def test_lines_of_an_alert_that_is_open_or_was_seen_wait_for_their_turn(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await bot.alerting.silence(1, "U1", HOUR)
        async with database.transaction() as connection:
            await outbox.settle_lines(connection, 1, outbox.view_key(1, ALERTS))
        assert "silenced" in await bot.owed()
        await shows(bot)
        await bot.sees(COLD)
        async with database.transaction() as connection:
            await outbox.settle_lines(connection, 1, outbox.view_key(1, ALERTS))
        assert {"silenced", "recovered"} <= set(await bot.owed())


async def test_old_silences_are_forgotten_and_running_ones_are_not(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await silence(bot, length=HOUR)
        await silence(bot, length=48 * HOUR)
        bot.clock.move(24 * HOUR)
        await bot.alerting.tick()
        async with database.transaction() as connection:
            await silences.forget(connection, NOON + 2 * HOUR)
            assert await silences.get(connection, 1) is None
            assert await silences.get(connection, 2) is not None
            assert await alerts.get(connection, 1) is not None


@pytest.mark.parametrize("replicas", [2])
async def test_replicas_warn_and_tell_together_once(database: Database, replicas: int) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await silence(bot)
        others = [Bot(database) for _ in range(replicas)]
        for minutes in (110, 130):
            for each in others:
                each.clock.now = NOON + minutes * MINUTE
                await each.alerting.tick()
        assert len(await posts(bot)) == 3
