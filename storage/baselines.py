"""What a field usually is: its mean over a week, at this hour of the day where there is enough of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.observation import Source, SourceKind
from bot.domain.rollup import HOUR, UP, hour_of
from storage import rollups
from storage.database import Database
from storage.tables import results, runs

WEEK = timedelta(days=7)
_ENOUGH_DAYS = 3
_NOT_ROLLED_YET = timedelta(hours=3)  # longer than an hour waits to be rolled up


async def mean(
    database: Database, connection: AsyncConnection, source: Source, field: str, now: datetime
) -> float | None:
    """The mean of a numeric field over the 7 days before `now`; None when it was never reported.

    Of the hours like this one when at least three of the days have it, else of the whole days. Read from
    roll-ups, so that it costs the same however much was reported.
    """
    hour = hour_of(now)
    days = [hour - timedelta(days=day) for day in range(1, 8)]
    same = [each for each in await rollups.sums_of_hours(connection, source, field, days) if each[0]]
    if len(same) >= _ENOUGH_DAYS:
        return sum(total for _, total in same) / sum(count for count, _ in same)
    count, total = await rollups.sums(connection, source, field, hour_of(now - WEEK), hour + HOUR)
    if count:
        return total / count
    return await _mean_of_new(database, connection, source, field, now)


async def _mean_of_new(
    database: Database, connection: AsyncConnection, source: Source, field: str, now: datetime
) -> float | None:
    """The mean of what is not rolled up yet: all of a source that is new, else the last hours."""
    known, _ = await rollups.sums(connection, source, UP, hour_of(now - WEEK), now)
    table, at, name = _where(source)
    value = number_of(database, table.c.fields, field)
    start = now - (_NOT_ROLLED_YET if known else WEEK)
    query = sa.select(sa.func.avg(value)).where(name == source.name, at >= start, at < now)
    overall = await connection.scalar(query)
    return None if overall is None else float(overall)


def _where(source: Source) -> tuple[sa.Table, sa.ColumnElement[datetime], sa.ColumnElement[str]]:
    if source.kind is SourceKind.CHECK:
        return results, results.c.at, results.c.name
    return runs, runs.c.finished_at, runs.c.job


def number_of(database: Database, fields: sa.ColumnElement[object], field: str) -> sa.ColumnElement[float]:
    """The field as a number, or NULL when it is something else."""
    if database.is_sqlite:
        path = '$."' + field.replace('"', "") + '"'
        kind = sa.func.json_type(fields, path)
        return sa.case((kind.in_(("integer", "real")), sa.func.json_extract(fields, path)))
    value = sa.func.jsonb_extract_path(fields, field)
    text = sa.func.jsonb_extract_path_text(fields, field)
    return sa.case((sa.func.jsonb_typeof(value) == "number", sa.cast(text, sa.Float)))
