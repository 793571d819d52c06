"""Runs that have begun and were not heard of since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.jobs import OpenRun, ended_by
from bot.domain.run import Run, Start
from storage.database import Database
from storage.tables import open_runs

_OF_JOB = (
    sa.select(open_runs)
    .where(open_runs.c.job == sa.bindparam("job"))
    .order_by(open_runs.c.started_at, open_runs.c.id)
)


async def start(
    database: Database, connection: AsyncConnection, begun: Start, given_up_before: datetime
) -> bool:
    """Remember that a run has begun; False when it was told before.

    Runs of the job that began before `given_up_before` are forgotten; the rest now overlap with this one.
    """
    others = await of_job(connection, begun.job)
    if any(each.rid == begun.rid and (begun.rid or each.started_at == begun.at) for each in others):
        return False
    await _delete(connection, [each for each in others if each.started_at < given_up_before])
    overlaps = any(each.started_at >= given_up_before for each in others)
    row = {"job": begun.job, "rid": begun.rid, "started_at": begun.at, "overlapped": overlaps}
    statement = database.insert(open_runs).values(row).on_conflict_do_nothing(index_elements=["job", "rid"])
    await connection.execute(statement)
    if overlaps:
        same = open_runs.c.job == begun.job
        await connection.execute(sa.update(open_runs).where(same).values(overlapped=True))
    return True


async def end(connection: AsyncConnection, run: Run, given_up_before: datetime) -> OpenRun | None:
    """End the open run that a report is about, and return it; those given up of the same job end as well."""
    running = await of_job(connection, run.job)
    ended = ended_by(running, run)
    over = [each for each in running if each is ended or each.started_at < given_up_before]
    await _delete(connection, over)
    return ended


async def of_job(connection: AsyncConnection, job: str) -> list[OpenRun]:
    """A job's open runs, oldest first."""
    return [_open_run(row) for row in await connection.execute(_OF_JOB, {"job": job})]


async def of_jobs(connection: AsyncConnection, jobs: Iterable[str]) -> list[OpenRun]:
    """The open runs of some jobs, oldest first."""
    query = sa.select(open_runs).where(open_runs.c.job.in_(list(jobs)))
    rows = await connection.execute(query.order_by(open_runs.c.started_at, open_runs.c.id))
    return [_open_run(row) for row in rows]


async def list_all(connection: AsyncConnection) -> list[OpenRun]:
    """Every open run, oldest first."""
    query = sa.select(open_runs).order_by(open_runs.c.started_at, open_runs.c.id)
    return [_open_run(row) for row in await connection.execute(query)]


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Delete those that began before an instant; returns how many went."""
    return (await connection.execute(sa.delete(open_runs).where(open_runs.c.started_at < before))).rowcount


async def _delete(connection: AsyncConnection, over: Sequence[OpenRun]) -> None:
    if over:
        ids = [each.id for each in over]
        await connection.execute(sa.delete(open_runs).where(open_runs.c.id.in_(ids)))


def _open_run(row: sa.Row[Any]) -> OpenRun:
    return OpenRun(
        id=row.id, job=row.job, rid=row.rid, started_at=row.started_at, overlapped=bool(row.overlapped)
    )
