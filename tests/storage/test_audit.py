"""What people did is kept with the act or not at all, found again, and forgotten with its alerts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.alert import Change, Refusal
from bot.domain.audit import Deed, Via
from storage import audit
from storage.audit import AuditFilter
from storage.database import Database
from tests.storage.bot import COLD, HOT, NOON, Bot, running


async def deeds(bot: Bot, wanted: AuditFilter | None = None) -> list[Deed]:
    async with bot.database.snapshot() as connection:
        found, total = await audit.page(connection, wanted or AuditFilter())
    assert total >= len(found)
    return found[::-1]


async def test_an_act_is_kept_once_and_a_refused_one_not_at_all(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        assert isinstance(await bot.alerting.acknowledge(1, "U0SAM", "on it"), Change)
        assert isinstance(await bot.alerting.acknowledge(1, "U0ALEX"), Refusal)
        assert isinstance(await bot.alerting.resolve(1, "deploy-bot", via=Via.API), Change)

        first, second = await deeds(bot)

    assert (first.who, first.act, first.via, first.before, first.after, first.note) == (
        "U0SAM", "acknowledged", Via.SLACK, "active", "acknowledged", "on it",
    )  # fmt: skip
    assert (second.who, second.act, second.via, second.before, second.after) == (
        "deploy-bot", "resolved", Via.API, "acknowledged", "resolved",
    )  # fmt: skip
    assert first.subject == (await bot.alert()).firing.title


async def test_what_happens_by_itself_is_nobodys_act(database: Database) -> None:
    async with running(database) as bot:
        await bot.sees(HOT)
        await bot.sees(COLD)
        assert await deeds(bot) == []


async def test_an_act_that_is_not_committed_is_not_kept(database: Database) -> None:
    deed = Deed(who="U0SAM", at=NOON, act="resolved", via=Via.SLACK, subject="x")

    async def interrupted() -> None:
        async with database.transaction() as connection:
            await audit.add(connection, deed)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await interrupted()
    assert await deeds(Bot(database)) == []


async def test_deeds_are_found_by_alert_person_and_time_in_pages(database: Database) -> None:
    bot = Bot(database)
    one = Deed(who="U0SAM", at=NOON, act="resolved", via=Via.SLACK, subject="x", alert_id=1)
    async with database.transaction() as connection:
        for number in range(6):
            at = NOON + timedelta(hours=number)
            await audit.add(connection, replace(one, who=f"U{number % 2}", at=at, alert_id=number % 3))

    assert len(await deeds(bot, AuditFilter(alert_id=1))) == 2
    assert {deed.who for deed in await deeds(bot, AuditFilter(who=frozenset({"U1"})))} == {"U1"}
    assert len(await deeds(bot, AuditFilter(since=NOON + timedelta(hours=4)))) == 2
    newest = await deeds(bot, AuditFilter(limit=4))
    older = await deeds(bot, AuditFilter(limit=4, before=newest[0].id))
    assert len(older) == 2
    assert older[-1].at < newest[0].at
    async with database.snapshot() as connection:
        assert await audit.people(connection, NOON) == ["U0", "U1"]


async def test_deeds_are_forgotten_after_their_time(database: Database) -> None:
    bot = Bot(database)
    deed = Deed(who="U0SAM", at=NOON, act="resolved", via=Via.SLACK, subject="x")
    async with database.transaction() as connection:
        await audit.add(connection, deed)
        await audit.add(connection, replace(deed, at=NOON + timedelta(hours=2)))
        assert await audit.forget(connection, NOON + timedelta(hours=1)) == 1
    assert [each.at for each in await deeds(bot)] == [NOON + timedelta(hours=2)]
