"""What is remembered of each job beside its runs: since when, by which timetable, and how it makes itself heard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.jobs import Sight
from bot.domain.observation import SourceKind
from storage.database import Database, in_parts
from storage.tables import known_jobs, sources

_ANNOUNCED = sa.bindparam("was_announced", type_=sa.Boolean)
_SECONDS = sa.bindparam("seconds", type_=sa.Float)
_HEARD = (
    sa.update(known_jobs)
    .where(
        known_jobs.c.job == sa.bindparam("name"),
        sa.or_(known_jobs.c.announced != _ANNOUNCED, sa.func.abs(known_jobs.c.heard_after - _SECONDS) > 1),
    )
    .values(announced=_ANNOUNCED, heard_after=_SECONDS)
)
_AMONG = sa.select(known_jobs.c.job).where(known_jobs.c.job.in_(sa.bindparam("jobs", expanding=True)))
_SIGHTS = (
    sa.select(
        known_jobs.c.job,
        known_jobs.c.known_since,
        known_jobs.c.last_start,
        known_jobs.c.announced,
        known_jobs.c.heard_after,
        sources.c.at,
    )
    .select_from(
        known_jobs.outerjoin(
            sources,
            sa.and_(
                sources.c.kind == SourceKind.JOB.value,
                sources.c.name == known_jobs.c.job,
                sources.c.resource == known_jobs.c.job,
            ),
        )
    )
    .where(known_jobs.c.timetable != "")
)


async def expect(
    database: Database, connection: AsyncConnection, timetables: Mapping[str, str], now: datetime
) -> None:
    """Remember the timetables of the configured jobs; a new or changed one is known since now."""
    statement = database.insert(known_jobs)
    changed = known_jobs.c.timetable != statement.excluded.timetable
    statement = statement.on_conflict_do_update(
        index_elements=["job"],
        set_={
            "timetable": statement.excluded.timetable,
            "known_since": statement.excluded.known_since,
            "introduced": False,
        },
        where=changed,
    )
    rows = [_row(job, timetable, now) for job, timetable in sorted(timetables.items())]
    if rows:
        await connection.execute(statement, rows)


async def introduce(database: Database, connection: AsyncConnection, job: str, now: datetime) -> bool:
    """Note that a job which the configuration does not know made itself heard; True the first time."""
    statement = database.insert(known_jobs).values({**_row(job, "", now), "introduced": True})
    statement = statement.on_conflict_do_update(
        index_elements=["job"],
        set_={"timetable": "", "introduced": True},
        where=known_jobs.c.introduced.is_(False),
    )
    return (await connection.execute(statement.returning(known_jobs.c.job))).scalar_one_or_none() is not None


async def among(connection: AsyncConnection, jobs: Iterable[str]) -> set[str]:
    """Those of some jobs that something is remembered of."""
    found: set[str] = set()
    for some in in_parts(jobs):
        found.update((await connection.execute(_AMONG, {"jobs": some})).scalars())
    return found


async def is_known(connection: AsyncConnection, job: str) -> bool:
    """Whether a job was configured once, or made itself heard."""
    query = sa.select(known_jobs.c.job).where(known_jobs.c.job == job)
    return await connection.scalar(query) is not None


async def count_introduced(connection: AsyncConnection, since: datetime) -> int:
    """How many jobs that the configuration does not know were first heard of since an instant."""
    query = sa.select(sa.func.count()).where(known_jobs.c.introduced, known_jobs.c.known_since >= since)
    return int(await connection.scalar(query) or 0)


async def started(
    database: Database, connection: AsyncConnection, job: str, at: datetime, now: datetime
) -> None:
    """A job announced a start."""
    statement = database.insert(known_jobs).values(
        {**_row(job, "", now), "last_start": at, "announced": True}
    )
    newer = sa.or_(known_jobs.c.last_start.is_(None), known_jobs.c.last_start < statement.excluded.last_start)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["job"],
            set_={
                "last_start": sa.case((newer, statement.excluded.last_start), else_=known_jobs.c.last_start),
                "announced": True,
            },
        )
    )


async def ended(connection: AsyncConnection, found: Mapping[str, tuple[bool, timedelta]]) -> None:
    """Runs of some jobs ended: whether their start was announced, and how long their runs take to be heard of."""
    rows = [
        {"name": job, "was_announced": announced, "seconds": heard_after.total_seconds()}
        for job, (announced, heard_after) in found.items()
    ]
    if rows:
        await connection.execute(_HEARD, rows)


async def sights(connection: AsyncConnection) -> dict[str, Sight]:
    """What is known of every job with a timetable; its open runs are not among it."""
    return {
        row.job: Sight(
            known_since=row.known_since,
            last_start=row.last_start,
            last_end=row.at,
            announced=bool(row.announced),
            heard_after=timedelta(seconds=row.heard_after),
        )
        for row in await connection.execute(_SIGHTS)
    }


def _row(job: str, timetable: str, now: datetime) -> dict[str, object]:
    return {
        "job": job,
        "timetable": timetable,
        "known_since": now,
        "introduced": False,
        "announced": False,
        "heard_after": 0.0,
    }
