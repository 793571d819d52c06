"""What comes together changes what it would have changed one by one."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.jobs import Record, past_run
from bot.domain.run import REFUSED, Run, RunStatus
from bot.domain.severity import Severity
from storage import runs
from storage.database import Connection, Database
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
