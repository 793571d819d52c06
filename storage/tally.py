"""How often checks were up and jobs succeeded: whole hours from roll-ups, the rest from what was reported."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.observation import Source, SourceKind
from bot.domain.rollup import DURATION, HOUR, UP, Tally, hour_of
from storage import rollups, runs, sources


async def of_check(connection: AsyncConnection, name: str, start: datetime, end: datetime) -> Tally:
    """A check's results in [start, end), those that say nothing of it left out."""
    first, last = await whole_hours(connection, SourceKind.CHECK, start, end)
    source = Source(kind=SourceKind.CHECK, name=name)
    count, good = await rollups.sums(connection, source, UP, first, last)
    return (
        Tally(count=count, good=round(good))
        + await sources.tally(connection, start, first, name)
        + await sources.tally(connection, last, end, name)
    )


async def of_job(connection: AsyncConnection, name: str, start: datetime, end: datetime) -> Tally:
    """A job's runs in [start, end)."""
    first, last = await whole_hours(connection, SourceKind.JOB, start, end)
    source = Source(kind=SourceKind.JOB, name=name)
    count, good = await rollups.sums(connection, source, UP, first, last)
    timed, seconds = await rollups.sums(connection, source, DURATION, first, last)
    return (
        Tally(count=count, good=round(good), timed=timed, seconds=seconds)
        + await runs.tally(connection, start, first, name)
        + await runs.tally(connection, last, end, name)
    )


async def whole_hours(
    connection: AsyncConnection, kind: SourceKind, start: datetime, end: datetime
) -> tuple[datetime, datetime]:
    """The part of [start, end) that roll-ups cover; an empty one at its start when there is none."""
    until = await rollups.rolled_until(connection, kind)
    first = start if start == hour_of(start) else hour_of(start) + HOUR
    last = min(hour_of(end), until) if until is not None else start
    return (first, last) if first < last else (start, start)
