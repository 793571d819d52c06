"""What a field usually is: its mean over a week, at this hour of the day where there is enough of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.observation import Source, SourceKind
from storage.database import Database
from storage.tables import results, runs

WEEK = timedelta(days=7)
_ENOUGH_DAYS = 3
_HALF_HOUR = timedelta(minutes=30)


async def mean(
    database: Database, connection: AsyncConnection, source: Source, field: str, now: datetime
) -> float | None:
    """The mean of a numeric field over the 7 days before `now`; None when it was never reported.

    Within half an hour of this time of day when at least three of the days have it, else over the whole days.
    """
    table, at, name = _where(source)
    value = _number(database, table.c.fields, field)
    hours = [
        (now - timedelta(days=day) - _HALF_HOUR, now - timedelta(days=day) + _HALF_HOUR)
        for day in range(1, 8)
    ]
    same_hour = sa.or_(*(sa.and_(at >= start, at < end) for start, end in hours))
    days = sa.func.count(sa.distinct(sa.func.date(at)))
    of_hour = sa.select(sa.func.avg(value), days).where(name == source.name, same_hour, value.is_not(None))
    found = (await connection.execute(of_hour)).one()
    if found[1] >= _ENOUGH_DAYS:
        return float(found[0])
    week = sa.select(sa.func.avg(value)).where(name == source.name, at >= now - WEEK, at < now)
    overall = await connection.scalar(week)
    return None if overall is None else float(overall)


def _where(source: Source) -> tuple[sa.Table, sa.ColumnElement[datetime], sa.ColumnElement[str]]:
    if source.kind is SourceKind.CHECK:
        return results, results.c.at, results.c.name
    return runs, runs.c.finished_at, runs.c.job


def _number(database: Database, fields: sa.ColumnElement[object], field: str) -> sa.ColumnElement[float]:
    """The field as a number, or NULL when it is something else."""
    if database.is_sqlite:
        path = '$."' + field.replace('"', "") + '"'
        kind = sa.func.json_type(fields, path)
        return sa.case((kind.in_(("integer", "real")), sa.func.json_extract(fields, path)))
    value = sa.func.jsonb_extract_path(fields, field)
    text = sa.func.jsonb_extract_path_text(fields, field)
    return sa.case((sa.func.jsonb_typeof(value) == "number", sa.cast(text, sa.Float)))
