"""Executions of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.jobs import PastRun, Record
from bot.domain.run import REFUSED, Run, RunStatus
from checks.result import Value
from storage.database import Database
from storage.tables import Instant, runs

_instant = Instant()
_ENDED = sa.and_(
    runs.c.job == sa.bindparam("job"), runs.c.finished_at <= sa.bindparam("until", type_=_instant)
)
_WITHIN = sa.and_(_ENDED, runs.c.finished_at > sa.bindparam("since", type_=_instant))
# A value of the JSON text; read in Python it would cost every run of the window its fields.
_REFUSED = sa.and_(
    runs.c.status == RunStatus.ERROR.value, sa.cast(runs.c.fields, sa.Text).like(f'%"{REFUSED}"%')
)
_COUNTS = sa.select(runs.c.status, sa.func.count()).where(_WITHIN).group_by(runs.c.status)
_REFUSALS = sa.select(sa.func.count()).select_from(runs).where(_WITHIN, _REFUSED)
_NEWEST = (
    sa.select(
        runs.c.status,
        runs.c.finished_at,
        runs.c.received_at,
        runs.c.duration_seconds,
        _REFUSED.label("refused"),
    )
    .where(_ENDED)
    .order_by(runs.c.finished_at.desc(), runs.c.id.desc())
    .limit(sa.bindparam("newest", type_=sa.Integer))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run with its number, by which pages are turned."""

    id: int
    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some runs, newest first. `before` continues to older ones; None when these are the last."""

    runs: Sequence[StoredRun]
    before: tuple[datetime, int] | None


async def add(database: Database, connection: AsyncConnection, run: Run, received_at: datetime) -> int | None:
    """Store a run and return its number; None when its `run_id` was stored before."""
    statement = database.insert(runs).values(
        run_id=run.run_id,
        job=run.job,
        status=run.status.value,
        level=run.level,
        finished_at=run.finished_at,
        duration_seconds=run.duration_seconds,
        exit_code=run.exit_code,
        fields=dict(run.fields),
        received_at=received_at,
    )
    result = await connection.execute(
        statement.on_conflict_do_nothing(index_elements=["run_id"]).returning(runs.c.id)
    )
    number: int | None = result.scalar_one_or_none()
    return number


async def is_known(connection: AsyncConnection, run_id: str) -> bool:
    """Whether a run with this id was stored."""
    return await connection.scalar(sa.select(runs.c.id).where(runs.c.run_id == run_id)) is not None


async def record(
    connection: AsyncConnection, job: str, until: datetime, *, window: timedelta, newest: int
) -> Record:
    """A job's newest runs that ended by an instant, and how many of each kind did within a window before it."""
    values = {"job": job, "until": until, "since": until - window, "newest": newest}
    counted = await connection.execute(_COUNTS, values)
    counts: dict[str, int] = {row[0]: row[1] for row in counted}
    refused = await connection.scalar(_REFUSALS, values) if counts.get(RunStatus.ERROR.value) else 0
    return Record(
        newest=[_past(row) for row in await connection.execute(_NEWEST, values)],
        succeeded=counts.get(RunStatus.SUCCESS.value, 0),
        ended=sum(counts.values()),
        refused=int(refused or 0),
    )


def _past(row: sa.Row[Any]) -> PastRun:
    return PastRun(
        status=RunStatus(row.status),
        finished_at=row.finished_at,
        received_at=row.received_at,
        duration_seconds=row.duration_seconds,
        refused=bool(row.refused),
    )


async def page(
    connection: AsyncConnection,
    *,
    job: str | None = None,
    status: RunStatus | None = None,
    since: datetime | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int = 10,
) -> Page:
    """The newest runs that fit, older than `before` where given."""
    query = sa.select(runs).order_by(runs.c.finished_at.desc(), runs.c.id.desc()).limit(limit + 1)
    if job is not None:
        query = query.where(runs.c.job == job)
    if status is not None:
        query = query.where(runs.c.status == status.value)
    if since is not None:
        query = query.where(runs.c.finished_at >= since)
    if before is not None:
        query = query.where(sa.tuple_(runs.c.finished_at, runs.c.id) < sa.tuple_(*_bound(before)))
    found = [StoredRun(id=row.id, run=_run(row)) for row in await connection.execute(query)]
    shown = found[:limit]
    more = len(found) > limit
    return Page(runs=shown, before=(shown[-1].run.finished_at, shown[-1].id) if more else None)


async def between(
    connection: AsyncConnection, start: datetime, end: datetime, jobs: Sequence[str] | None = None
) -> list[Run]:
    """Runs that ended in [start, end), oldest first."""
    query = (
        sa.select(runs)
        .where(runs.c.finished_at >= start, runs.c.finished_at < end)
        .order_by(runs.c.finished_at, runs.c.id)
    )
    if jobs is not None:
        query = query.where(runs.c.job.in_(jobs))
    return [_run(row) for row in await connection.execute(query)]


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Delete runs that ended before an instant; returns how many rows went."""
    return (await connection.execute(sa.delete(runs).where(runs.c.finished_at < before))).rowcount


async def job_names(connection: AsyncConnection) -> list[str]:
    """Every job that has a run."""
    return [row[0] for row in await connection.execute(sa.select(runs.c.job).distinct().order_by(runs.c.job))]


def _bound(before: tuple[datetime, int]) -> tuple[Any, Any]:
    at, number = before
    return sa.literal(at, runs.c.finished_at.type), sa.literal(number)


def _run(row: sa.Row[Any]) -> Run:
    fields: Mapping[str, Value] = row.fields
    return Run(
        run_id=row.run_id,
        job=row.job,
        status=RunStatus(row.status),
        level=row.level,
        finished_at=row.finished_at,
        duration_seconds=row.duration_seconds,
        exit_code=row.exit_code,
        fields=fields,
    )
