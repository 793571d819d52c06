"""What people and time do to alerts: once, by one at a time, told to whoever sees them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.alerting import UnknownAlert
from bot.domain.alert import Change, Refusal, Status
from storage.database import Database
from tests.databases import Opener
from tests.domain.findings import all_of, rule
from tests.storage.bot import COLD, HOT, Bot, running
from tests.storage.stored import HOUR, MINUTE, NOON


async def test_an_acknowledgement_is_kept_told_and_not_repeated(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        first = await bot.alerting.acknowledge(1, "U1", "on it")
        again = await bot.alerting.acknowledge(1, "U2", "me too")
        assert isinstance(first, Change)
        assert isinstance(again, Refusal)
        assert again.reason == "already acknowledged by <@U1>"
        found = await bot.alert()
        assert (found.acknowledged_by, found.note, found.version) == ("U1", "on it", 2)
        assert first.alert == found
        assert await bot.owed() == ["view", "acknowledged"]
        assert [(event.kind.value, event.actor) for event in await bot.history()] == [
            ("fired", None), ("acknowledged", "U1"),
        ]  # fmt: skip


async def test_of_ten_presses_at_once_one_counts_and_nine_are_told_whose_it_was(
    open_database: Opener,
) -> None:
    async with running(open_database()) as bot:
        await bot.sees(HOT)
        others = [Bot(open_database()) for _ in range(3)]
        answers = await asyncio.gather(
            *(others[number % 3].alerting.acknowledge(1, f"U{number}") for number in range(10))
        )
        winners = [answer for answer in answers if isinstance(answer, Change)]
        assert len(winners) == 1
        assert {answer.reason for answer in answers if isinstance(answer, Refusal)} == {
            f"already acknowledged by <@{winners[0].alert.acknowledged_by}>"
        }
        assert await bot.owed() == ["view", "acknowledged"]


async def test_everything_a_person_can_do_is_in_the_history(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await bot.alerting.acknowledge(1, "U1")
        await bot.alerting.unacknowledge(1, "U1")
        await bot.alerting.silence(1, "U2", HOUR, "deploy")
        await bot.alerting.unsilence(1, "U2")
        await bot.alerting.resolve(1, "U3", "restarted")
        told = [(event.kind.value, event.actor, event.text) for event in await bot.history()]
        assert told[1:] == [
            ("acknowledged", "U1", ""),
            ("unacknowledged", "U1", ""),
            ("silenced", "U2", "until 2026-11-20 13:00 UTC by silence #1: deploy"),
            ("unsilenced", "U2", "silence #1 ended; still failing since 2026-11-20 12:00 UTC"),
            ("resolved", "U3", "restarted"),
        ]
        assert await bot.owed() == ["view", *(kind for kind, _, _ in told[1:])]


async def test_an_alert_nobody_knows_is_named(database: Database) -> None:
    with pytest.raises(UnknownAlert, match="there is no alert 404"):
        await Bot(database).alerting.resolve(404, "U1")
    await Bot(database).alerting.show_again(404)


async def test_a_silence_holds_when_the_problem_ends_and_begins_again(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await bot.alerting.silence(1, "U2", timedelta(hours=5), "deploy")
        bot.clock.move(MINUTE)
        await bot.sees(COLD)
        bot.clock.move(2 * HOUR)
        await bot.sees(HOT)
        old, new = await bot.alerts()
        assert old.status is Status.RESOLVED
        assert (new.silenced_until, new.silence_reason) == (NOON + 5 * HOUR, "deploy")
        await bot.alerting.unsilence(new.id, "U1")
        bot.clock.move(MINUTE)
        await bot.sees(COLD)
        bot.clock.move(2 * HOUR)
        await bot.sees(HOT)
        assert (await bot.alerts())[-1].silenced_until is None


async def test_a_silence_that_is_over_is_told_once(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await bot.alerting.silence(1, "U2", HOUR)
        bot.clock.move(HOUR - MINUTE)
        await bot.alerting.tick()
        assert (await bot.alert()).silenced_until is not None
        bot.clock.move(MINUTE)
        for _ in range(2):
            await bot.alerting.tick()
        assert (await bot.alert()).silenced_until is None
        assert [event.kind.value for event in await bot.history()] == ["fired", "silenced", "unsilenced"]


async def test_a_problem_that_comes_back_long_after_its_silence_is_not_told_that_it_ended(
    database: Database,
) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await bot.alerting.silence(1, "U2", MINUTE)
        await bot.sees(COLD)
        bot.clock.move(10 * MINUTE)
        await bot.sees(HOT)
        await bot.alerting.tick()
        assert [event.kind.value for event in await bot.history()] == [
            "fired",
            "silenced",
            "recovered",
            "reopened",
        ]


async def test_an_alert_nothing_is_heard_of_expires(database: Database) -> None:
    async with running(database, all_of(rule("cpu > 90", expire=HOUR))) as bot:
        await bot.sees(HOT)
        bot.clock.move(59 * MINUTE)
        await bot.sees(HOT)
        bot.clock.move(59 * MINUTE)
        await bot.alerting.tick()
        assert (await bot.alert()).status is Status.ACTIVE
        bot.clock.move(MINUTE)
        await bot.alerting.tick()
        found = await bot.alert()
        assert (found.status, found.closed_by, found.closed_at) == (Status.EXPIRED, None, bot.clock())
        assert await bot.owed() == ["view", "expired"]


async def test_replicas_whose_ticks_meet_do_what_is_due_once(open_database: Opener) -> None:
    async with running(open_database(), all_of(rule("cpu > 90", expire=HOUR))) as bot:
        for number in range(5):
            await bot.sees(HOT, resource=f"web-{number}")
        others = [Bot(open_database()) for _ in range(3)]
        for other in others:
            other.clock.now = NOON + HOUR
        await asyncio.gather(*(other.alerting.tick() for other in others))
        await others[0].alerting.tick()
        assert {found.status for found in await bot.alerts()} == {Status.EXPIRED}
        assert [event.kind.value for event in await bot.history(3)] == ["fired", "expired"]


async def test_a_message_that_showed_what_is_not_true_is_written_again(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        woken = bot.woken
        await bot.alerting.show_again(1)
        assert bot.woken == woken + 1
        assert await bot.owed() == ["view"]
