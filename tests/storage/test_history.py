"""What looks back read from the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.config.rulebook import rulebook
from bot.domain.alert import Alert, recover, reopen, resolve
from bot.domain.anomaly import IN_A_ROW
from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.rollup import Rollup
from bot.domain.rule import RuleGroup
from bot.domain.run import Run, RunStatus
from bot.domain.severity import Severity
from checks.result import State
from storage import history, rollups, runs, sources
from storage.database import Database
from tests.config.reading import read
from tests.storage.bot import running
from tests.storage.stored import HOUR, MINUTE, NOON, announce, announced, firing


async def look(database: Database, query: Any, *arguments: Any) -> Any:
    async with database.snapshot() as connection:
        return await query(connection, *arguments)


async def ended(database: Database, alert: Alert, at: datetime) -> Alert:
    return await announce(database, recover(alert, "fine", at), at)


async def test_a_problems_beginnings_are_its_firings_and_its_returns(database: Database) -> None:
    first = await ended(database, await announced(database), NOON + MINUTE)
    back = reopen(first, firing(), NOON + 2 * MINUTE, "came back")
    await ended(database, await announce(database, back, NOON + 2 * MINUTE), NOON + 3 * MINUTE)
    await announced(database, NOON + HOUR)
    await announced(database, rule="other")
    key = first.fingerprint
    assert await look(database, history.beginnings, key, NOON) == [
        NOON + HOUR,
        NOON + 2 * MINUTE,
        NOON,
    ]
    assert await look(database, history.beginnings, key, NOON + MINUTE) == [NOON + HOUR, NOON + 2 * MINUTE]
    assert await look(database, history.beginnings, "none", NOON) == []


async def test_episodes_tell_who_resolved_them_and_leave_out_other_days(database: Database) -> None:
    await ended(database, await announced(database, rule="by itself"), NOON + MINUTE)
    taken = await announced(database, NOON + MINUTE, rule="by hand", severity=Severity.LOW)
    change = resolve(taken, "U1", None, NOON + HOUR)
    await announce(database, change, NOON + HOUR)  # type: ignore[arg-type]
    await announced(database, NOON + 2 * MINUTE, rule="open")
    await announced(database, NOON - MINUTE, rule="before")
    await announced(database, NOON + timedelta(days=1), rule="after")

    alone, by_hand, still = await look(database, history.episodes, NOON, NOON + timedelta(days=1))

    assert (alone.rule, alone.resolved_by, alone.resolved_at) == ("by itself", None, NOON + MINUTE)
    assert (by_hand.resolved_by, by_hand.severity) == ("U1", Severity.LOW)
    assert (still.rule, still.resolved_at, still.times) == ("open", None, 1)


HOST = Source(kind=SourceKind.CHECK, name="host")


async def rolled(database: Database, field: str, values: Mapping[datetime, list[float]]) -> None:
    found = {(HOST, hour): {("web-1", field): Rollup.of(each)} for hour, each in values.items()}
    async with database.transaction() as connection:
        await rollups.put(database, connection, found)


async def test_figures_are_the_newest_numbers_of_one_resource(database: Database) -> None:
    for minute in range(5):
        await _found(database, NOON + minute * MINUTE, {"depth": minute, "name": "x"})
    await _found(database, NOON + 5 * MINUTE, {"depth": "many"})
    await _found(database, NOON + 6 * MINUTE, {"depth": 99}, resource="web-2")
    query = ("host", "web-1", "depth", NOON + MINUTE)
    async with database.snapshot() as connection:
        every = await history.figures(database, connection, *query, 100)
        some = await history.figures(database, connection, *query, 3)
    assert every == [(NOON + minute * MINUTE, float(minute)) for minute in range(1, 5)]
    assert some == every[-2:], "the newest three hold two numbers"


async def _found(database: Database, at: datetime, fields: dict[str, Any], resource: str = "web-1") -> None:
    async with database.transaction() as connection:
        await sources.add_result(
            connection, Observation(source=HOST, resource=resource, state=State.OK, at=at, fields=fields)
        )


async def test_figures_of_runs_are_those_of_successes(database: Database) -> None:
    async with database.transaction() as connection:
        for number, status in enumerate([RunStatus.SUCCESS, RunStatus.ERROR, RunStatus.SUCCESS]):
            run = Run(job="j", status=status, finished_at=NOON + number * HOUR, duration_seconds=60.0 + number,
                      fields={"rows": number})  # fmt: skip
            await runs.add(database, connection, run, NOON)
    async with database.snapshot() as connection:
        lasted = await history.run_figures(database, connection, "j", "duration_seconds", NOON, 10)
        rows = await history.run_figures(database, connection, "j", "rows", NOON, 10)
    assert lasted == [(NOON, 60.0), (NOON + 2 * HOUR, 62.0)]
    assert rows == [(NOON, 0.0), (NOON + 2 * HOUR, 2.0)]


def rules(text: str) -> tuple[RuleGroup, ...]:
    settings = read(f"checks:\n  host: {{type: system, every: 5m, {text}}}\n")
    return rulebook(settings).groups_for(HOST)


async def test_an_unusual_figure_alerts_after_some_in_a_row_and_ends_when_it_is_usual_again(
    database: Database,
) -> None:
    await rolled(
        database,
        "cpu_percent",
        {NOON - timedelta(days=days): [20.0, 22.0, 24.0, 26.0] for days in (7, 14, 21, 28)},
    )
    async with running(database, rules("anomaly: [cpu_percent]")) as bot:
        for number in range(6):
            bot.clock.move(5 * MINUTE)
            await bot.sees({"cpu_percent": 75.0})
            assert len(await bot.alerts()) == (number >= IN_A_ROW - 1)
        (alert,) = await bot.alerts()
        assert alert.firing.title == "host: cpu is unusually high at 75%"
        assert (
            "at this hour of the week it is usually 20 to 25.8% (60% of 16 earlier values)"
            in alert.firing.reason
        )
        assert alert.severity is Severity.MEDIUM
        async with database.snapshot() as connection:
            (standing,) = await sources.of_source(connection, HOST)
        assert standing.state is State.OK, "unusual is not wrong"
        for _ in range(IN_A_ROW):
            bot.clock.move(MINUTE)
            await bot.sees({"cpu_percent": 23.0})
        (alert,) = await bot.alerts()
        assert not alert.status.is_open


async def test_without_history_nothing_is_unusual(database: Database) -> None:
    async with running(database, rules("anomaly: [cpu_percent]")) as bot:
        for number in range(10):
            bot.clock.move(5 * MINUTE)
            await bot.sees({"cpu_percent": 99.0 * (number % 2)})
        assert await bot.alerts() == []


async def test_a_disk_that_fills_alerts_before_it_is_full_and_the_alert_past_a_limit_tells_when_it_will_be(
    database: Database,
) -> None:
    groups = rules("forecast: 12h, thresholds: {disk_percent: {P3: 80, P1: 95}, cpu_percent: 99}")
    async with running(database, groups) as bot:
        level = 60.0
        while level < 84:
            bot.clock.move(5 * MINUTE)
            level += 0.25
            await bot.sees({"disk_percent": level, "cpu_percent": level})
        ahead, past = await bot.alerts()
        assert ahead.firing.rule == "host.disk_percent.forecast"
        assert ahead.firing.title.startswith("host: disk will reach 80% in about ")
        assert not ahead.status.is_open, "the threshold itself has taken over"
        assert past.firing.rule == "host.disk_percent"
        assert ". At this rate it reaches 95 in about " in past.firing.reason


async def test_trends_are_read_every_few_minutes_and_not_for_each_observation(database: Database) -> None:
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    sa.event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    async with running(database, rules("forecast: 12h, thresholds: {disk_percent: 90}")) as bot:
        for _ in range(30):
            bot.clock.move(timedelta(seconds=20))
            await bot.sees({"disk_percent": 50.0})
    assert sum("FROM rollups" in statement for statement in asked) == 2
