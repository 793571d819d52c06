"""What the past tells: how often, when, how much, as people see it in Slack."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import app
from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.rollup import Rollup, hour_of
from checks.result import State
from storage import rollups, sources
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
    window = await shop.pick(alert, "details")
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
        told.clock.skip(timedelta(hours=9))  # past this Monday's report and digest
        await told.tocsin.scheduled.tick()
        await fails_and_recovers(told, 6, timedelta(hours=2))
        told.clock.skip_to(datetime(2024, 3, 11, 16, 0, 5, tzinfo=UTC))
        await told.tocsin.scheduled.tick()
        await told.settle()
        (report,) = [m for m in told.workspace.messages("alerts") if "alerts of 7 days*" in shown(m)]
        assert 'All 6 alerts were "Job failed".' in shown(report)
        (digest,) = [m for m in told.workspace.messages("alerts") if "digest of" in shown(m)]
        assert "*Alerts of 7 days*" in shown(digest)
        assert 'All 6 alerts were "Job failed".' in digest["text"]


LIMITED = """
name: Shop
database: {database}
slack: {channel: "#alerts"}
http: {bind: "127.0.0.1:0", token: a-token-for-the-api}
checks:
  host: {type: system, every: 1h, thresholds: {cpu_percent: 80, disk_percent: {P2: 80, P1: 90}, load_1m: {below: 1}}}
"""


async def measured(told: Story, fields: dict[str, float], hours: int = 24 * 7, every: int = 6) -> None:
    """What a check measured before, rolled up."""
    database, now = told.tocsin.database, hour_of(told.clock())
    source = Source(kind=SourceKind.CHECK, name="host")
    found = {
        (source, now - timedelta(hours=hour)): {
            ("host", name): Rollup.of([value + number / 10 for number in range(every)])
            for name, value in fields.items()
        }
        for hour in range(1, hours + 1)
    }
    async with database.transaction() as connection:
        await rollups.put(database, connection, found)


async def test_thresholds_are_advised_in_slack(tmp_path: Path) -> None:
    async with story(tmp_path, LIMITED) as told:
        await measured(told, {"cpu_percent": 30, "disk_percent": 85})

        seen = await told.ask("/tocsin", "thresholds")

        assert "`host.cpu_percent` above 80 now, past it in 0 of 168 hours; 36 advised, past it in 0" in seen
        assert "95% of the values are at most about 30." in seen
        assert "(1,008 values on 8 days)" in seen
        assert (
            "`host.disk_percent` above P2 80, P1 90 now, past it in 168 of 168 hours; P2 93, P1 96.5" in seen
        )
        assert "`host.load_1m` below 1 now: nothing was measured yet" in seen
        assert "cpu_percent: 36\n      disk_percent: {P2: 93, P1: 96.5}" in seen
        assert "judged by 2 days" in await told.ask("/tocsin", "thresholds 2d")


async def test_thresholds_are_advised_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "tocsin.yml"
    file.write_text(LIMITED.replace("{database}", f"sqlite:///{tmp_path}/tocsin.db"))
    nothing = await asyncio.to_thread(CliRunner().invoke, app, ["thresholds", "-c", str(file)])
    assert nothing.exit_code == 1
    assert "the database cannot be read: no such table" in nothing.output
    async with story(tmp_path, LIMITED, start=datetime.now(UTC)) as told:
        await measured(told, {"cpu_percent": 30})
    said = await asyncio.to_thread(CliRunner().invoke, app, ["thresholds", "-c", str(file), "--days", "8"])
    assert said.exit_code == 0, said.output
    assert "host.cpu_percent: above 80 now" in said.output
    assert said.output.endswith("checks:\n  host:\n    thresholds:\n      cpu_percent: 36\n")
    command = ["thresholds", "-c", str(file), "--json"]
    listed = json.loads((await asyncio.to_thread(CliRunner().invoke, app, command)).output)
    assert [each["field"] for each in listed] == ["cpu_percent", "disk_percent", "load_1m"]
    assert listed[0]["advised"] == [{"limit": 36.0, "severity": None}]
    assert listed[1]["advised"] is None


async def test_a_checks_figures_say_when_a_limit_will_be_reached(tmp_path: Path) -> None:
    async with story(tmp_path, LIMITED) as told:
        now = told.clock()
        async with told.tocsin.database.transaction() as connection:
            for number in range(61):
                await sources.add_result(
                    connection, disk(now - timedelta(minutes=5 * number), 78 - number / 6)
                )
        await told.tocsin.monitoring.record(disk(told.clock(), 78.0))

        seen = await told.ask("/tocsin-status", "host")

        assert "`disk_percent` 78 · P2 above 80; P1 above 90 · at this rate 80 in about 60 min" in seen


def disk(at: datetime, percent: float) -> Observation:
    source = Source(kind=SourceKind.CHECK, name="host")
    return Observation(
        source=source, resource="host", state=State.OK, at=at, fields={"disk_percent": percent}
    )
