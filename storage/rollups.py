"""Hourly roll-ups: what each field of each check and job was in each hour, and what is still to be rolled up.

Every hour that ended is rolled up once for all sources, in order: `rolled_until` says how far. What comes late
marks its hour, which is then rolled up again. Redoing an hour gives the same rows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.observation import Source, SourceKind, complete
from bot.domain.rollup import DURATION, HOUR, Gathering, Rollup, Share, hour_of
from bot.domain.run import RunStatus, is_refusal
from bot.domain.sketch import Sketch
from checks.result import State
from storage import slots
from storage.database import Database, Insert
from storage.runs import ENDED
from storage.tables import results, rollup_marks, rollups, runs

_CHUNK = 1_000
_FIGURES = ("count", "sum", "min", "max", "sketch")
_KEY = ("kind", "name", "field", "hour", "resource")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An hour of a source about which something came late."""

    source: Source
    hour: datetime
    version: int


async def rolled_until(connection: AsyncConnection, kind: SourceKind) -> datetime | None:
    """The end of the last hour that is rolled up for every source of a kind; None before the first."""
    return await slots.last(connection, f"rollup:{kind}")


async def note_rolled(
    database: Database, connection: AsyncConnection, kind: SourceKind, until: datetime
) -> None:
    """Remember that every hour before `until` is rolled up."""
    await slots.take(database, connection, f"rollup:{kind}", until)


async def next_hour(connection: AsyncConnection, kind: SourceKind) -> datetime | None:
    """The first hour not rolled up yet that holds anything; None when there is nothing."""
    at = _at(kind)
    query = sa.select(at).order_by(at).limit(1)
    if (until := await rolled_until(connection, kind)) is not None:
        query = query.where(at >= until)
    first = await connection.scalar(query)
    return None if first is None else hour_of(first)


async def mark_late(
    database: Database, connection: AsyncConnection, found: Iterable[tuple[Source, datetime]], now: datetime
) -> None:
    """Have the hours of some instants rolled up again when something about them comes after their end."""
    hours = {(source, hour_of(at)) for source, at in found}
    rows = [
        {"kind": source.kind.value, "name": source.name, "hour": hour, "version": 1}
        for source, hour in hours
        if hour + HOUR <= now
    ]
    if rows:
        await connection.execute(_mark(database.insert), rows)


@cache
def _mark(insert: Callable[[sa.Table], Insert]) -> sa.Executable:
    again = {"version": rollup_marks.c.version + 1}
    return insert(rollup_marks).on_conflict_do_update(index_elements=["kind", "name", "hour"], set_=again)


async def marks(connection: AsyncConnection, kind: SourceKind, until: datetime, limit: int) -> list[Mark]:
    """Some marks of hours before `until`, by name."""
    query = (
        sa.select(rollup_marks)
        .where(rollup_marks.c.kind == kind.value, rollup_marks.c.hour < until)
        .order_by(rollup_marks.c.kind, rollup_marks.c.name, rollup_marks.c.hour)
        .limit(limit)
    )
    return [
        Mark(source=Source(kind=kind, name=row.name), hour=row.hour, version=row.version)
        for row in await connection.execute(query)
    ]


async def unmark(connection: AsyncConnection, mark: Mark) -> None:
    """Forget a mark, unless something came late again since it was read."""
    await connection.execute(
        sa.delete(rollup_marks).where(
            rollup_marks.c.kind == mark.source.kind.value,
            rollup_marks.c.name == mark.source.name,
            rollup_marks.c.hour == mark.hour,
            rollup_marks.c.version == mark.version,
        )
    )


async def gather(
    connection: AsyncConnection, source: Source, hour: datetime, shares: Iterable[Share] = ()
) -> dict[tuple[str, str], Rollup]:
    """What a source reported in an hour, by resource and field, made from its results or runs."""
    gathering = Gathering(shares)
    async for rows in _chunks(connection, source, hour):
        for row in rows:
            if source.kind is SourceKind.CHECK:
                gathering.add(row.resource, complete(row.fields), _was_up(State(row.state)))
            else:
                gathering.add(source.name, *_of_run(row))
    return gathering.rollups()


def _was_up(state: State) -> bool | None:
    return None if state in (State.UNKNOWN, State.PENDING) else state is not State.CRITICAL


def _of_run(row: sa.Row[Any]) -> tuple[dict[str, Any], bool | None]:
    """A run's fields, and whether it succeeded; one that was refused its job's lock says nothing of either."""
    succeeded = row.status == RunStatus.SUCCESS.value
    if row.status == RunStatus.ERROR.value and is_refusal(row.fields):
        return {}, None
    own = {"exit_code": row.exit_code, DURATION: row.duration_seconds, "status": row.status}
    known = {name: value for name, value in own.items() if value is not None}
    return {**complete(row.fields), **known}, succeeded


async def _chunks(
    connection: AsyncConnection, source: Source, hour: datetime
) -> AsyncIterator[Sequence[sa.Row[Any]]]:
    """The rows of an hour, some at a time, always in the same order."""
    is_check = source.kind is SourceKind.CHECK
    table, at, name = (results, results.c.at, results.c.name) if is_check else _OF_RUNS
    columns = (
        (results.c.resource, results.c.state) if is_check
        else (runs.c.status, runs.c.exit_code, runs.c.duration_seconds)
    )  # fmt: skip
    query = (
        sa.select(table.c.id, at.label("moment"), table.c.fields, *columns)
        .where(name == source.name, at >= hour, at < hour + HOUR)
        .order_by(at, table.c.id)
        .limit(_CHUNK)
    )
    if not is_check:
        query = query.where(runs.c.status.in_(ENDED))
    rows = (await connection.execute(query)).all()
    while rows:
        yield rows
        if len(rows) < _CHUNK:
            return
        last = sa.tuple_(sa.literal(rows[-1].moment, at.type), sa.literal(rows[-1].id))
        rows = (await connection.execute(query.where(sa.tuple_(at, table.c.id) > last))).all()


_OF_RUNS = (runs, runs.c.finished_at, runs.c.job)


async def put(
    database: Database,
    connection: AsyncConnection,
    found: Mapping[tuple[Source, datetime], Mapping[tuple[str, str], Rollup]],
) -> None:
    """Store the roll-ups of some hours of some sources in place of what was stored of them."""
    rows = [
        {
            "kind": source.kind.value,
            "name": source.name,
            "field": field,
            "hour": hour,
            "resource": resource,
            "count": rollup.count,
            "sum": rollup.total,
            "min": rollup.minimum,
            "max": rollup.maximum,
            "sketch": None if rollup.sketch is None else rollup.sketch.dump(),
        }
        for (source, hour), fields in found.items()
        for (resource, field), rollup in sorted(fields.items())
    ]
    if not rows:
        return
    statement = database.insert(rollups)
    new = {name: statement.excluded[name] for name in _FIGURES}
    await connection.execute(statement.on_conflict_do_update(index_elements=list(_KEY), set_=new), rows)


async def hours(
    connection: AsyncConnection, source: Source, field: str, start: datetime, end: datetime
) -> list[tuple[datetime, Rollup]]:
    """A field's roll-ups of the hours in [start, end), oldest first; resources stand beside each other."""
    query = _of(sa.select(rollups), source, field, start, end).order_by(rollups.c.hour, rollups.c.resource)
    return [(row.hour, rollup_of(row)) for row in await connection.execute(query)]


async def sums(
    connection: AsyncConnection, source: Source, field: str, start: datetime, end: datetime
) -> tuple[int, float]:
    """How many numbers a field had in the hours of [start, end), and their sum."""
    query = sa.select(sa.func.sum(rollups.c.count), sa.func.sum(rollups.c.sum))
    count, total = (await connection.execute(_of(query, source, field, start, end))).one()
    return int(count or 0), float(total or 0)


async def sums_of_hours(
    connection: AsyncConnection, source: Source, field: str, at: Sequence[datetime]
) -> list[tuple[int, float]]:
    """How many numbers a field had in each of some hours that had any, and their sum."""
    every: sa.Select[Any] = sa.select(sa.func.sum(rollups.c.count), sa.func.sum(rollups.c.sum))
    query = _of(every.group_by(rollups.c.hour), source, field, min(at), max(at) + HOUR).where(
        rollups.c.hour.in_(at)
    )
    return [(int(row[0]), float(row[1])) for row in await connection.execute(query)]


def _of(query: sa.Select[Any], source: Source, field: str, start: datetime, end: datetime) -> sa.Select[Any]:
    return query.where(
        rollups.c.kind == source.kind.value,
        rollups.c.name == source.name,
        rollups.c.field == field,
        rollups.c.hour >= start,
        rollups.c.hour < end,
    )


async def forget(connection: AsyncConnection, before: datetime, most: int) -> int:
    """Delete some roll-ups of hours before an instant, oldest first; returns how many rows went."""
    key = [rollups.c[name] for name in _KEY]
    old = sa.select(*key).where(rollups.c.hour < before).order_by(rollups.c.hour).limit(most)
    return (await connection.execute(sa.delete(rollups).where(sa.tuple_(*key).in_(old)))).rowcount


def _at(kind: SourceKind) -> sa.Column[datetime]:
    return results.c.at if kind is SourceKind.CHECK else runs.c.finished_at


def rollup_of(row: sa.Row[Any]) -> Rollup:
    values = row._mapping
    sketch = values["sketch"]
    return Rollup(
        count=values["count"],
        total=values["sum"],
        minimum=values["min"],
        maximum=values["max"],
        sketch=None if sketch is None else Sketch.load(sketch),
    )
