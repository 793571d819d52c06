"""What the past tells: how often, when, how much, as people see it in Slack."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.harness import SHOP, START, Story, shown, story

ZONED = SHOP + "timezone: America/Los_Angeles\n"
REPORTS = ZONED + 'reports: {patterns: {schedule: "0 9 * * 1"}}\ndigest: {at: "08:00", patterns: 7d}\n'


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, ZONED) as told:
        yield told


async def fails_and_recovers(told: Story, times: int, apart: timedelta = timedelta(hours=24)) -> None:
    """The job goes wrong for five minutes, again and again."""
    for number in range(times):
        if number:
            told.clock.skip(apart - timedelta(minutes=5))
        await told.run("mail", "ERROR", exit_code=1)
        told.clock.skip(timedelta(minutes=5))
        await told.run("mail")
        await told.settle()


async def test_an_alert_says_how_often_it_came_and_around_when(shop: Story) -> None:
    await fails_and_recovers(shop, 3)
    shop.clock.skip(timedelta(hours=23, minutes=55))
    await shop.run("mail", "ERROR", exit_code=1)

    await shop.see(lambda: shop.alerts("4th time in 7 days, mostly around 01:00"))

    alert = shop.alerts("4th time in 7 days")[-1]
    window = await shop.pick(alert, "history")
    assert "4th time in 7 days, mostly around 01:00" in shown(window)


async def test_patterns_are_told_with_a_chart(shop: Story) -> None:
    await fails_and_recovers(shop, 6, timedelta(hours=2))

    seen = await shop.ask("/tocsin", "patterns")

    assert 'All 6 alerts were "Job failed".' in seen
    assert "Most resolved by themselves: 6 of 6 (100%)" in seen
    assert "*Time to resolve*\n5 min on average, median 5 min" in seen
    assert "01:00 1 · 03:00 1" in seen
    answer = shop.workspace.ephemerals("U0ALEX", "general")[-1]
    assert [block["type"] for block in answer["blocks"]].count("data_visualization") == 1
    shop.clock.skip(timedelta(days=3))
    assert "No alert began in 1 day." in await shop.ask("/tocsin", "patterns 24h")
    assert "alerts of 30 days" in await shop.ask("/tocsin", "patterns 30d")
    assert "is no length of time; write one such as 7d" in await shop.ask("/tocsin", "patterns lots")


async def test_the_weekly_report_and_the_digest_tell_patterns(tmp_path: Path) -> None:
    async with story(tmp_path, REPORTS, start=START) as told:
        await told.tocsin.scheduled.tick()
        told.clock.skip(timedelta(hours=8))
        await fails_and_recovers(told, 6, timedelta(hours=2))
        told.clock.skip_to(datetime(2024, 3, 11, 16, 0, 5, tzinfo=UTC))
        await told.tocsin.scheduled.tick()
        await told.settle()
        (report,) = [m for m in told.workspace.messages("alerts") if "alerts of 7 days*" in shown(m)]
        assert 'All 6 alerts were "Job failed".' in shown(report)
        (digest,) = [m for m in told.workspace.messages("alerts") if "digest of" in shown(m)]
        assert "*Alerts of 7 days*" in shown(digest)
        assert 'All 6 alerts were "Job failed".' in digest["text"]
