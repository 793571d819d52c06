"""Runs, what checks found, how everything stands, and which scheduled messages were seen to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.rule import Streak
from bot.domain.run import Run, RunStatus
from bot.domain.run_filter import RunFilter
from checks.result import State
from storage import runs, slots, sources
from storage.database import Database
from storage.tables import Instant
from tests.databases import Opener
from tests.properties import quick
from tests.storage.stored import HOUR, MINUTE, NOON


async def read(
    database: Database, query: Callable[..., Awaitable[Any]], *arguments: Any, **named: Any
) -> Any:
    async with database.snapshot() as connection:
        return await query(connection, *arguments, **named)


def run(**parts: Any) -> Run:
    return Run(**{"job": "parse", "status": RunStatus.SUCCESS, "finished_at": NOON, **parts})


async def add(database: Database, *found: Run) -> list[int | None]:
    async with database.transaction() as connection:
        return [await runs.add(database, connection, each, NOON) for each in found]


async def test_a_run_comes_back_as_it_was_kept(database: Database) -> None:
    rich = run(
        run_id="2026-11-20/1",
        status=RunStatus.TIMEOUT,
        level="CRITICAL",
        finished_at=NOON + timedelta(microseconds=1000),
        duration_seconds=12.25,
        exit_code=124,
        fields={"rows": 7, "nested": {"a": [None, True]}, "text": "“ß” 🙂"},
    )
    kept_rich, kept_plain = await add(database, rich, run())
    assert kept_rich is not None
    assert kept_plain is not None
    assert await read(database, runs.between, NOON, NOON + HOUR) == [
        replace(run(), number=kept_plain), replace(rich, number=kept_rich),
    ]  # fmt: skip


async def test_a_run_with_a_known_id_is_kept_once_and_others_as_often_as_they_come(
    database: Database,
) -> None:
    first, second, *rest = await add(database, run(run_id="1"), run(run_id="1", exit_code=5), run(), run())
    assert first is not None
    assert second is None
    assert None not in rest
    assert [each.exit_code for each in await read(database, runs.between, NOON, NOON + HOUR)] == [None] * 3


@pytest.mark.parametrize("size", [1, 2, 3, 10])
async def test_pages_of_runs_miss_none_and_repeat_none_though_many_ended_at_once(
    database: Database, size: int
) -> None:
    ends = [0, 0, 0, 1, 1, 0, 2, 2, 2, 1]
    await add(
        database,
        *(run(run_id=str(number), finished_at=NOON + end * MINUTE) for number, end in enumerate(ends)),
    )
    shown: list[str | None] = []
    ask = RunFilter(limit=size)
    for _ in range(20):
        page = await read(database, runs.page, ask)
        assert len(page.runs) <= size
        shown += [stored.run_id for stored in page.runs]
        if page.older is None:
            break
        ask = ask.older(page.older)
    order = sorted(range(10), key=lambda number: (ends[number], number), reverse=True)
    assert shown == [str(number) for number in order]


async def test_a_page_shows_what_was_asked_for(database: Database) -> None:
    await add(
        database,
        run(run_id="old", finished_at=NOON - HOUR),
        run(run_id="failed", status=RunStatus.ERROR),
        run(run_id="other", job="load"),
        run(run_id="good"),
    )

    async def found(**wanted: Any) -> list[str | None]:
        page = await read(database, runs.page, RunFilter(**wanted))
        return [stored.run_id for stored in page.runs]

    assert await found() == ["good", "other", "failed", "old"]
    assert await found(job="parse") == ["good", "failed", "old"]
    assert await found(status=RunStatus.ERROR) == ["failed"]
    assert await found(job="parse", since=NOON) == ["good", "failed"]
    assert await found(job="nobody") == []
    assert len(await read(database, runs.between, NOON, NOON + HOUR, ["load"])) == 1


async def test_old_runs_are_forgotten(database: Database) -> None:
    await add(database, *(run(finished_at=NOON - age * HOUR) for age in (1, 3, 2)), run())

    async def left() -> list[datetime]:
        return [each.finished_at for each in await read(database, runs.between, NOON - 9 * HOUR, NOON + HOUR)]

    async with database.transaction() as connection:
        assert await runs.forget(connection, NOON, 2) == 2
    assert await left() == [NOON - HOUR, NOON], "the oldest go first"
    async with database.transaction() as connection:
        assert await runs.forget(connection, NOON, 2) == 1
    assert await left() == [NOON]


def seen(**parts: Any) -> Observation:
    return Observation(
        **{
            "source": Source(kind=SourceKind.CHECK, name="host"),
            "resource": "web-1",
            "state": State.OK,
            "at": NOON,
            "summary": "as measured",
            **parts,
        }
    )


async def put(database: Database, observation: Observation, streaks: dict[str, Streak] | None = None) -> None:
    async with database.transaction() as connection:
        before = await sources.get(connection, observation.source, observation.resource)
        await sources.put(database, connection, observation, streaks or {}, before)


async def test_the_last_word_of_a_source_stands_with_the_streaks_of_its_rules(database: Database) -> None:
    streaks = {"hot": Streak(matches=3, since=NOON), "cold": Streak(clears=9)}
    last = seen(state=State.WARNING, fields={"cpu": 92.5, "nested": {"a": [1]}})
    await put(database, seen(at=NOON - MINUTE))
    await put(database, last, streaks)
    found = await read(database, sources.get, last.source, "web-1")
    assert (found.state, found.summary, found.at, found.fields) == (
        last.state,
        last.summary,
        NOON,
        last.fields,
    )
    assert found.streaks == streaks
    assert await read(database, sources.get, last.source, "web-2") is None


async def test_a_state_stands_since_it_last_changed(database: Database) -> None:
    for minute, state in enumerate([State.OK, State.OK, State.CRITICAL, State.CRITICAL, State.OK]):
        await put(database, seen(at=NOON + minute * MINUTE, state=state))
    found = await read(database, sources.get, seen().source, "web-1")
    assert (found.since, found.at) == (NOON + 4 * MINUTE,) * 2


async def test_every_source_is_listed_once_a_resource(database: Database) -> None:
    job = Source(kind=SourceKind.JOB, name="parse")
    for observation in (
        seen(resource="web-2"),
        seen(source=job, resource="parse"),
        seen(),
        seen(state=State.WARNING),
    ):
        await put(database, observation)
    listed = await read(database, sources.list_all)
    assert [(str(each.source), each.resource) for each in listed] == [
        ("check:host", "web-1"), ("check:host", "web-2"), ("job:parse", "parse"),
    ]  # fmt: skip
    assert len(await read(database, sources.list_all, SourceKind.JOB)) == 1
    assert await read(database, sources.names, SourceKind.CHECK) == ["host"]


async def test_what_checks_found_is_there_for_averages_until_it_is_old(database: Database) -> None:
    async with database.transaction() as connection:
        for minute, state in enumerate([State.OK, State.CRITICAL, State.UNKNOWN]):
            await sources.add_result(
                connection, seen(at=NOON + minute * MINUTE, state=state, fields={"cpu": minute})
            )
        await sources.add_result(connection, seen(source=Source(kind=SourceKind.CHECK, name="other")))
    found = await read(database, sources.results_between, "host", NOON, NOON + 2 * MINUTE)
    assert found == [(NOON, State.OK, {"cpu": 0}), (NOON + MINUTE, State.CRITICAL, {"cpu": 1})]
    later = await read(database, sources.results_between, "host", NOON + MINUTE, NOON + HOUR)
    assert [state for _, state, _ in later] == [State.CRITICAL, State.UNKNOWN]
    async with database.transaction() as connection:
        assert await sources.forget_results(connection, NOON + MINUTE, 10) == 2
    kept = await read(database, sources.results_between, "host", NOON, NOON + HOUR)
    assert [state for _, state, _ in kept] == [State.CRITICAL, State.UNKNOWN]


async def take(database: Database, name: str, minutes: int) -> bool:
    async with database.transaction() as connection:
        return await slots.take(database, connection, name, NOON + minutes * MINUTE)


async def test_each_occurrence_of_a_message_is_taken_once_and_none_after_a_later_one(
    database: Database,
) -> None:
    assert await read(database, slots.last, "digest") is None
    assert [await take(database, "digest", minute) for minute in (0, 0, 30, 0, 30, 60)] == [
        True, False, True, False, False, True,
    ]  # fmt: skip
    assert await take(database, "heartbeat", 0)
    assert await read(database, slots.last, "digest") == NOON + HOUR


async def test_of_replicas_that_reach_for_an_occurrence_at_once_one_has_it(open_database: Opener) -> None:
    databases = [open_database() for _ in range(4)]
    for minute in range(3):
        won = await asyncio.gather(*(take(databases[number % 4], "digest", minute) for number in range(8)))
        assert sum(won) == 1


ZONES = st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"]).map(ZoneInfo)


@quick
@given(wall=st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)), zone=ZONES)
@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])  # type: ignore[no-untyped-call]
def test_every_instant_comes_back_in_utc(dialect: Dialect, wall: datetime, zone: ZoneInfo) -> None:
    instant = wall.replace(tzinfo=zone)
    back = Instant().process_result_value(Instant().process_bind_param(instant, dialect), dialect)
    assert back == instant.astimezone(UTC)
    assert str(back).endswith("+00:00")


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="must be aware"):
        Instant().process_bind_param(NOON.replace(tzinfo=None), sqlite.dialect())
