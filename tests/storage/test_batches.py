"""What comes together changes what it would have changed one by one."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.jobs import Record, Terms, past_run, record_figures
from bot.domain.observation import Source, SourceKind
from bot.domain.run import REFUSED, Run, RunStatus
from bot.domain.severity import Severity
from storage import runs
from storage import sources as sources_of
from storage.database import Connection, Database, DatabaseError
from storage.tables import (
    alert_events,
    alerts,
    known_jobs,
    open_runs,
    results,
    rollup_marks,
    run_outputs,
    sources,
)
from storage.tables import runs as runs_table
from tests.databases import Opener
from tests.domain.findings import first_of, rule
from tests.properties import quick
from tests.storage.bot import Bot, running
from tests.storage.stored import HOUR, MINUTE, NOON

WINDOW = 2 * HOUR


@st.composite
def some_runs(draw: st.DrawFn) -> Run:
    """A run at one of few instants, so that many end at one, and at the edges of windows."""
    status = draw(st.sampled_from(RunStatus))
    refused = status is RunStatus.ERROR and draw(st.booleans())
    return Run(
        job="parse",
        status=status,
        finished_at=NOON + 30 * MINUTE * draw(st.integers(0, 16)),
        duration_seconds=draw(st.sampled_from([None, 1.5, 60.0])),
        fields={"error": REFUSED} if refused else {"rows": 5},
    )


def timely(found: Sequence[Run], last: datetime) -> list[bool]:
    """Which runs are the last word when they come."""
    told = []
    for run in found:
        told.append(run.finished_at >= last)
        last = max(last, run.finished_at)
    return told


class Undone(Exception):
    """Nothing of an example is kept for the next."""


async def one_by_one(
    database: Database, connection: Connection, found: Sequence[Run], last: datetime, newest: int
) -> list[Record]:
    told = []
    for run, counts in zip(found, timely(found, last), strict=True):
        await runs.add(database, connection, run, NOON)
        if counts:
            told.append(await runs.record(connection, "parse", run.finished_at, window=WINDOW, newest=newest))
    return told


async def together(
    database: Database, connection: Connection, found: Sequence[Run], last: datetime, newest: int
) -> list[Record]:
    judged = [run.finished_at for run in found if run.finished_at >= last]  # more than are judged in the end
    if not judged:
        return []
    history = await runs.history(connection, "parse", min(judged), max(judged), window=WINDOW, newest=newest)
    await runs.add_all(database, connection, found, NOON)
    told = []
    for run, counts in zip(found, timely(found, last), strict=True):
        history.add(past_run(run, NOON))
        if counts:
            told.append(history.record(run.finished_at, newest))
    return told


@quick
@given(
    before=st.lists(some_runs(), max_size=12),
    found=st.lists(some_runs(), min_size=1, max_size=12),
    newest=st.integers(1, 6),
)
async def test_a_record_read_once_is_what_the_database_would_say_run_by_run(
    database: Database, before: list[Run], found: list[Run], newest: int
) -> None:
    last = max((run.finished_at for run in before), default=NOON)
    told: list[list[Record]] = []
    for way in (one_by_one, together):
        with contextlib.suppress(Undone):
            async with database.transaction() as connection:
                await runs.add_all(database, connection, before, NOON)
                told.append(await way(database, connection, found, last, newest))
                raise Undone
    assert len(told) == 2
    assert [figures(each) for each in told[1]] == [figures(each) for each in told[0]]


def figures(record: Record) -> tuple[Any, ...]:
    return list(record.newest), record.succeeded, record.ended, record.refused


TABLES = {
    "alerts": (alerts, ["fingerprint", "status", "count", "opened_at", "last_seen", "reopened", "closed_at", "detail"]),
    "lines": (alert_events, ["kind", "at", "text"]),
    "sources": (sources, ["kind", "name", "resource", "state", "summary", "since", "at", "fields", "streaks"]),
    "results": (results, ["name", "resource", "state", "at", "fields"]),
    "runs": (runs_table, ["id", "run_id", "job", "status", "finished_at", "fields"]),
    "outputs": (run_outputs, ["run_id", "text"]),
    "open": (open_runs, ["job", "rid", "started_at", "overlapped"]),
    "known": (known_jobs, ["job", "announced", "heard_after", "last_start", "introduced"]),
    "marks": (rollup_marks, ["kind", "name", "hour"]),
}  # fmt: skip


async def stored(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that reports leave behind."""
    found = {}
    async with database.snapshot() as connection:
        for name, (table, columns) in TABLES.items():
            rows = await connection.execute(sa.select(*(table.c[column] for column in columns)))
            found[name] = sorted((tuple(row) for row in rows), key=repr)
    return found


RULES = (
    *first_of(
        rule("exit_code != 0 && consecutive_failures >= 2", "Failing", resource="{job_name}"),
        rule("exit_code != 0", "Failed", failures=1, recoveries=2),
    ),
    *first_of(rule("cpu > 90 && cpu > previous.cpu", "Hotter", depends_on=("other",)), rule("cpu > 90", "Hot")),
    *first_of(rule("cpu > 94", "Hottest", severity=Severity.CRITICAL)),
)  # fmt: skip


def reports(bot: Bot, seed: int) -> list[Awaitable[object]]:
    """Findings, runs and starts; some late, refused, twice, or of a run that was announced."""
    chance = random.Random(seed)
    told: list[Awaitable[object]] = []
    for number in range(150):
        at = NOON - 5 * HOUR + number * MINUTE - HOUR * (chance.random() < 0.1)
        kind, job, rid = chance.randrange(4), chance.choice(["parse", "load"]), str(chance.randrange(60))
        if kind == 0:
            told.append(bot.monitoring.record_start(job, chance.choice([rid, None]), at))
        elif kind == 1:
            seen = {"cpu": chance.choice([5, 91, 95])}
            name = chance.choice(["host", "other"])
            told.append(bot.sees(seen, at=at, resource=chance.choice(["a", "b"]), name=name))
        else:
            failed = chance.random() < 0.5
            run = Run(
                job=job,
                run_id=chance.choice([rid, None]),
                status=RunStatus.ERROR if failed else RunStatus.SUCCESS,
                finished_at=at,
                exit_code=int(failed),
                duration_seconds=chance.choice([None, 30.0]),
                fields={"error": REFUSED} if failed and chance.random() < 0.3 else {},
                output=chance.choice(["", f"line {number}"]),
            )
            told.append(bot.monitoring.record_run(run))
    return told


@pytest.mark.parametrize("seed", range(3))
async def test_a_batch_leaves_what_its_reports_leave_one_by_one(open_database: Opener, seed: int) -> None:
    left = []
    for at_once in (False, True):
        database = open_database()
        async with running(database, RULES) as bot:
            told = reports(bot, seed)
            answers = await asyncio.gather(*told) if at_once else [await each for each in told]
            left.append((answers, await stored(database)))
        await emptied(database)
    assert left[1][0] == left[0][0]
    for table in TABLES:
        assert left[1][1][table] == left[0][1][table], table
    assert len(left[0][1]["alerts"]) > 2
    assert left[0][1]["open"]


async def emptied(database: Database) -> None:
    """Nothing of what was reported is left, nor of its numbers."""
    restart = "" if database.is_sqlite else "TRUNCATE TABLE {} RESTART IDENTITY CASCADE"
    async with database.transaction() as connection:
        for table, _ in reversed(TABLES.values()):
            await connection.execute(sa.text(restart.format(table.name)) if restart else sa.delete(table))


async def figures_told(database: Database) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What the last run's figures were, and what all that is stored says they are."""
    async with database.snapshot() as connection:
        standing = await sources_of.get(connection, Source(kind=SourceKind.JOB, name="parse"), "parse")
        assert standing is not None
        record = await runs.record(connection, "parse", standing.at, window=timedelta(hours=24), newest=50)
    said = record_figures(Terms(), record)
    return {name: standing.fields.get(name) for name in said}, said


@pytest.mark.parametrize("seed", range(4))
async def test_what_others_store_or_drop_between_batches_is_counted(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    at = NOON - 60 * HOUR
    async with running(database, RULES) as bot:
        for _ in range(40):
            at += 5 * MINUTE + 1.3 * HOUR * chance.random()
            failed = [chance.random() < 0.6 for _ in range(chance.randrange(1, 4))]
            found = [
                Run(
                    job="parse",
                    status=RunStatus.ERROR if bad else RunStatus.SUCCESS,
                    finished_at=at + number * MINUTE,
                    exit_code=int(bad),
                    fields={"error": REFUSED} if bad and chance.random() < 0.3 else {},
                )
                for number, bad in enumerate(failed)
            ]
            if chance.random() < 0.4:
                async with database.transaction() as connection:
                    for run in found:
                        early = replace(run, finished_at=run.finished_at - 2 * HOUR * chance.random())
                        await runs.add(database, connection, early, NOON)
            if chance.random() < 0.2:
                async with database.transaction() as connection:
                    await runs.forget(connection, at - 20 * HOUR, 3)
            late = replace(found[0], finished_at=at - 5 * HOUR)
            await bot.monitoring.record_runs([late, *found] if chance.random() < 0.3 else found)
            told, said = await figures_told(database)
            assert told == said


async def test_a_batch_that_fails_leaves_no_figures_behind(open_database: Opener) -> None:
    database = open_database()
    if not database.is_sqlite:
        pytest.skip("records are kept between batches on SQLite only")
    run = Run(job="parse", status=RunStatus.ERROR, finished_at=NOON - HOUR, exit_code=1)
    async with running(database, RULES) as bot:
        await bot.monitoring.record_run(run)
        async with database.transaction() as connection:
            refuse = "CREATE TRIGGER refusing BEFORE UPDATE ON sources BEGIN SELECT RAISE(ABORT, 'no'); END"
            await connection.execute(sa.text(refuse))
        for number in range(1, 4):
            with pytest.raises(DatabaseError):
                await bot.monitoring.record_run(replace(run, finished_at=run.finished_at + number * MINUTE))
        async with database.transaction() as connection:
            await connection.execute(sa.text("DROP TRIGGER refusing"))
        await bot.monitoring.record_run(replace(run, finished_at=run.finished_at + 9 * MINUTE))
        told, said = await figures_told(database)
    assert told == said
    assert told["consecutive_failures"] == 2
