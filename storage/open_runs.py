"""Runs that have begun and were not heard of since."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.jobs import OpenRun
from bot.domain.run import Start
from storage.database import Database, in_parts
from storage.tables import open_runs

_OLDEST_FIRST = (open_runs.c.started_at, open_runs.c.id)
_OF_JOBS = (
    sa.select(open_runs)
    .where(open_runs.c.job.in_(sa.bindparam("jobs", expanding=True)))
    .order_by(*_OLDEST_FIRST)
)


async def add(
    database: Database, connection: AsyncConnection, begun: Start, *, overlapped: bool
) -> OpenRun | None:
    """Remember that a run has begun; None when another replica was told so first."""
    row = {"job": begun.job, "rid": begun.rid, "started_at": begun.at, "overlapped": overlapped}
    statement = database.insert(open_runs).values(row).on_conflict_do_nothing(index_elements=["job", "rid"])
    number = (await connection.execute(statement.returning(open_runs.c.id))).scalar_one_or_none()
    if number is None:
        return None
    return OpenRun(id=number, job=begun.job, rid=begun.rid, started_at=begun.at, overlapped=overlapped)


async def note_overlap(connection: AsyncConnection, job: str) -> None:
    """Remember of every open run of a job that another ran at the same time."""
    await connection.execute(sa.update(open_runs).where(open_runs.c.job == job).values(overlapped=True))


async def delete(connection: AsyncConnection, numbers: Iterable[int]) -> None:
    """Forget open runs that have ended or were given up."""
    for some in in_parts(numbers):
        await connection.execute(sa.delete(open_runs).where(open_runs.c.id.in_(some)))


async def of_jobs(connection: AsyncConnection, jobs: Iterable[str]) -> list[OpenRun]:
    """The open runs of some jobs, oldest first."""
    return [
        _open_run(row)
        for some in in_parts(jobs)
        for row in await connection.execute(_OF_JOBS, {"jobs": some})
    ]


async def list_all(connection: AsyncConnection) -> list[OpenRun]:
    """Every open run, oldest first."""
    query = sa.select(open_runs).order_by(*_OLDEST_FIRST)
    return [_open_run(row) for row in await connection.execute(query)]


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Delete those that began before an instant; returns how many went."""
    return (await connection.execute(sa.delete(open_runs).where(open_runs.c.started_at < before))).rowcount


def _open_run(row: sa.Row[Any]) -> OpenRun:
    return OpenRun(
        id=row.id, job=row.job, rid=row.rid, started_at=row.started_at, overlapped=bool(row.overlapped)
    )
