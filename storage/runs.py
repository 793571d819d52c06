"""Executions of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.history import History
from bot.domain.jobs import PastRun, Record
from bot.domain.rollup import Tally
from bot.domain.run import REFUSED, Run, RunStatus, search_text
from bot.domain.run_filter import Count, Cursor, RunFilter, RunPage
from checks.result import Value
from storage.database import Database, in_parts
from storage.tables import Instant, run_outputs, runs

_instant = Instant()
_ENDED = runs.c.status != RunStatus.LOG.value  # what a job only said is no part of its record
_UNTIL = sa.and_(
    runs.c.job == sa.bindparam("job"), runs.c.finished_at <= sa.bindparam("until", type_=_instant), _ENDED
)
_WITHIN = sa.and_(_UNTIL, runs.c.finished_at > sa.bindparam("since", type_=_instant))
# A value of the JSON text; read in Python it would cost every run of the window its fields.
_REFUSED = sa.and_(
    runs.c.status == RunStatus.ERROR.value, sa.cast(runs.c.fields, sa.Text).like(f'%"{REFUSED}"%')
)
_COUNTS = sa.select(runs.c.status, sa.func.count()).where(_WITHIN).group_by(runs.c.status)
_REFUSALS = sa.select(sa.func.count()).select_from(runs).where(_WITHIN, _REFUSED)
_PAST = sa.select(
    runs.c.status, runs.c.finished_at, runs.c.received_at, runs.c.duration_seconds, _REFUSED.label("refused")
)
_LAST = (
    _PAST.where(_UNTIL)
    .order_by(runs.c.finished_at.desc(), runs.c.id.desc())
    .limit(sa.bindparam("newest", type_=sa.Integer))
)
_ENDED_SINCE = _PAST.where(
    runs.c.job == sa.bindparam("job"), runs.c.finished_at > sa.bindparam("since", type_=_instant), _ENDED
).order_by(runs.c.finished_at, runs.c.id)
_ENDED_WITHIN = _PAST.where(_WITHIN).order_by(runs.c.finished_at, runs.c.id)
_KNOWN = sa.select(runs.c.run_id).where(runs.c.run_id.in_(sa.bindparam("run_ids", expanding=True)))
_ADD = sa.insert(runs)
_ADD_OUTPUTS = sa.insert(run_outputs)
_LAST_NUMBER = sa.select(sa.func.max(runs.c.id))
_EXTENT = sa.select(
    _LAST_NUMBER.scalar_subquery(),
    sa.select(runs.c.id).order_by(runs.c.finished_at, runs.c.id).limit(1).scalar_subquery(),
)
_JOBS_AFTER = sa.select(runs.c.job).distinct().where(runs.c.id > sa.bindparam("number"), _ENDED)
_NUMBERS = sa.select(sa.func.nextval(sa.func.pg_get_serial_sequence("runs", "id"))).select_from(
    sa.func.generate_series(1, sa.bindparam("count", type_=sa.Integer))
)

ENDED = tuple(status.value for status in (RunStatus.SUCCESS, RunStatus.ERROR, RunStatus.TIMEOUT))
"""How a run that counts ended."""

SEARCHED = 5_000
"""How many runs a search for text reads at once, so that it costs the same however many there are."""

_SHOWN = [column for column in runs.c if column.name != "search"]
_NEWEST = (runs.c.finished_at.desc(), runs.c.id.desc())
_OLDEST = (runs.c.finished_at, runs.c.id)


async def add(database: Database, connection: AsyncConnection, run: Run, received_at: datetime) -> int | None:
    """Store a run and return its number; None when its `run_id` was stored before."""
    if run.run_id is not None and await known(connection, [run.run_id]):
        return None
    (number,) = await add_all(database, connection, [run], received_at)
    return number


async def add_all(
    database: Database,
    connection: AsyncConnection,
    new: Sequence[Run],
    received_at: datetime,
    after: int | None = None,
) -> list[int]:
    """Store runs and return their numbers; `after` is the last number, where it is known.

    Raises DatabaseError when a `run_id` was stored before.
    """
    if not new:
        return []
    if after is None:
        numbers = await _next_numbers(database, connection, len(new))
    else:
        numbers = list(range(after + 1, after + 1 + len(new)))
    rows = [_stored(run, number, received_at) for run, number in zip(new, numbers, strict=True)]
    await connection.execute(_ADD, rows)
    outputs = [
        {"run_id": number, "finished_at": run.finished_at, "text": run.output}
        for run, number in zip(new, numbers, strict=True)
        if run.output.strip()
    ]
    if outputs:
        await connection.execute(_ADD_OUTPUTS, outputs)
    return numbers


async def _next_numbers(database: Database, connection: AsyncConnection, count: int) -> list[int]:
    """Numbers for new runs, greater than those before. SQLite has one writer, and this is it."""
    if database.is_sqlite:
        last = await connection.scalar(_LAST_NUMBER) or 0
        return list(range(last + 1, last + 1 + count))
    return sorted((await connection.execute(_NUMBERS, {"count": count})).scalars())


def _stored(run: Run, number: int, received_at: datetime) -> dict[str, Any]:
    return {
        "id": number,
        "run_id": run.run_id,
        "job": run.job,
        "status": run.status.value,
        "level": run.level,
        "finished_at": run.finished_at,
        "duration_seconds": run.duration_seconds,
        "exit_code": run.exit_code,
        "fields": dict(run.fields),
        "received_at": received_at,
        "search": search_text(run),
    }


async def known(connection: AsyncConnection, run_ids: Iterable[str]) -> set[str]:
    """Which of some ids are those of stored runs."""
    found: set[str] = set()
    for some in in_parts(run_ids):
        found.update((await connection.execute(_KNOWN, {"run_ids": some})).scalars())
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The numbers of the run that was stored last and of the one that ended first; 0 where there is none."""

    last: int
    oldest: int


async def extent(connection: AsyncConnection) -> Extent:
    """Where the stored runs begin and end: on SQLite it tells whether any came or went."""
    last, oldest = (await connection.execute(_EXTENT)).one()
    return Extent(last=last or 0, oldest=oldest or 0)


async def jobs_after(connection: AsyncConnection, number: int) -> set[str]:
    """The jobs that runs after a number have ended of."""
    return set((await connection.execute(_JOBS_AFTER, {"number": number})).scalars())


async def record(
    connection: AsyncConnection, job: str, until: datetime, *, window: timedelta, newest: int
) -> Record:
    """A job's newest runs that ended by an instant, and how many of each kind did within a window before it."""
    values = {"job": job, "until": until, "since": until - window, "newest": newest}
    counted = await connection.execute(_COUNTS, values)
    counts: dict[str, int] = {row[0]: row[1] for row in counted}
    refused = await connection.scalar(_REFUSALS, values) if counts.get(RunStatus.ERROR.value) else 0
    return Record(
        newest=[_past(row) for row in await connection.execute(_LAST, values)],
        succeeded=counts.get(RunStatus.SUCCESS.value, 0),
        ended=sum(counts.values()),
        refused=int(refused or 0),
    )


async def history(
    connection: AsyncConnection,
    job: str,
    first: datetime,
    last: datetime,
    *,
    window: timedelta,
    newest: int,
    whole_up_to: int = 0,
) -> History:
    """What is needed to tell a job's record, of up to so many runs, at any instant in [first, last].

    Whole, to be carried on beyond that, where no more than `whole_up_to` runs ended in the window before `first`.
    """
    until_first = await record(connection, job, first, window=window, newest=newest)
    if until_first.ended <= whole_up_to:
        rows = await connection.execute(_ENDED_SINCE, {"job": job, "since": first - window})
        near = [_past(row) for row in rows]
        return History(first=first, window=window, until_first=until_first, near=near, whole=True)
    near = []
    if first < last:
        spans = [(first - window, last - window), (first, last)]
        if last - window >= first:
            spans = [(first - window, last)]
        for since, until in spans:
            values = {"job": job, "since": since, "until": until}
            near += [_past(row) for row in await connection.execute(_ENDED_WITHIN, values)]
    return History(first=first, window=window, until_first=until_first, near=near)


def _past(row: sa.Row[Any]) -> PastRun:
    return PastRun(
        status=RunStatus(row.status),
        finished_at=row.finished_at,
        received_at=row.received_at,
        duration_seconds=row.duration_seconds,
        refused=bool(row.refused),
    )


async def get(connection: AsyncConnection, number: int) -> Run | None:
    """One run by its number, with what it printed."""
    query: sa.Select[Any] = (
        sa.select(*_SHOWN, run_outputs.c.text)
        .join(run_outputs, run_outputs.c.run_id == runs.c.id, isouter=True)
        .where(runs.c.id == number)
    )
    row = (await connection.execute(query)).first()
    return None if row is None else replace(_run(row), output=row.text or "")


async def page(connection: AsyncConnection, wanted: RunFilter) -> RunPage:
    """Up to `limit` runs. Costs the same on every page and at every number of runs."""
    upwards = wanted.after is not None
    found, stopped = await _search(connection, wanted, wanted.limit + 1, upwards=upwards)
    more = found[wanted.limit - 1].cursor if len(found) > wanted.limit else stopped
    shown = found[: wanted.limit]
    if not upwards:
        first = shown[0].cursor if shown else _beside(wanted.before, -1)
        begun = wanted.before is not None and await _any(connection, wanted, first, upwards=True)
        return RunPage(runs=shown, older=more, newer=first if begun else None, searched_to=stopped)
    if more is None:
        return await page(connection, wanted.newest())  # a whole page of the newest
    last = shown[0].cursor if shown else _beside(wanted.after, 1)
    older = last if await _any(connection, wanted, last, upwards=False) else None
    return RunPage(runs=shown[::-1], older=older, newer=more, searched_to=stopped)


def _beside(cursor: Cursor | None, step: int) -> Cursor | None:
    """The place before or after a run, so that the run itself lies beyond it."""
    return None if cursor is None else (cursor[0], cursor[1] + step)


async def _any(
    connection: AsyncConnection, wanted: RunFilter, start: Cursor | None, *, upwards: bool
) -> bool:
    """Whether anything that fits lies beyond a place, or may lie beyond what a search reads."""
    ahead = replace(wanted, before=None if upwards else start, after=start if upwards else None)
    found, stopped = await _search(connection, ahead, 1, upwards=upwards)
    return bool(found) or stopped is not None


async def _search(
    connection: AsyncConnection, wanted: RunFilter, limit: int, *, upwards: bool
) -> tuple[list[Run], Cursor | None]:
    """Up to `limit` runs in reading order, and where a search stopped that read its share without finding so many."""
    bound = await _reach(connection, wanted, upwards=upwards) if wanted.texts else None
    query = _where(sa.select(*_SHOWN), wanted).order_by(*(_OLDEST if upwards else _NEWEST)).limit(limit)
    for text in wanted.texts:
        query = query.where(runs.c.search.contains(text.casefold(), autoescape=True))
    if bound is not None:
        query = query.where(_place() <= _bound(bound) if upwards else _place() >= _bound(bound))
    found = [_run(row) for row in await connection.execute(query)]
    return found, bound if len(found) < limit else None


async def _reach(connection: AsyncConnection, wanted: RunFilter, *, upwards: bool) -> Cursor | None:
    """The last run that a search for text reads; None when it reads all. Read from an index alone."""
    query = _where(sa.select(runs.c.finished_at, runs.c.id), wanted)
    query = query.order_by(*(_OLDEST if upwards else _NEWEST)).offset(SEARCHED - 1).limit(2)
    rows = (await connection.execute(query)).all()
    return (rows[0].finished_at, rows[0].id) if len(rows) == 2 else None


def _where(query: sa.Select[Any], wanted: RunFilter) -> sa.Select[Any]:
    """The conditions that indexes answer."""
    if wanted.job is not None:
        query = query.where(runs.c.job == wanted.job)
    if wanted.status is not None:
        query = query.where(runs.c.status == wanted.status.value)
    if wanted.ended:
        query = query.where(_ENDED)
    if wanted.since is not None:
        query = query.where(runs.c.finished_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(runs.c.finished_at < wanted.until)
    if wanted.before is not None:
        query = query.where(_place() < _bound(wanted.before))
    if wanted.after is not None:
        query = query.where(_place() > _bound(wanted.after))
    return query


async def count(connection: AsyncConnection, wanted: RunFilter, most: int) -> Count:
    """How many fit on all pages together, counted as far as `most`; a search counts in the newest it would read."""
    every = _where(
        sa.select(runs.c.id, runs.c.search) if wanted.texts else sa.select(runs.c.id), wanted.newest()
    )
    reach = SEARCHED if wanted.texts else most
    near = every.order_by(*_NEWEST).limit(reach).subquery()
    query = sa.select(sa.func.count()).select_from(near)
    for text in wanted.texts:
        query = query.where(near.c.search.contains(text.casefold(), autoescape=True))
    further = every.order_by(*_NEWEST).offset(reach).limit(1)
    found = int(await connection.scalar(query) or 0)
    if not wanted.texts and found < most:
        return Count(number=found, exact=True)
    return Count(number=found, exact=(await connection.execute(further)).first() is None)


async def status_of(connection: AsyncConnection, run_id: str) -> RunStatus | None:
    """How the run with this id ended; None when there is no such run."""
    status = await connection.scalar(sa.select(runs.c.status).where(runs.c.run_id == run_id))
    return None if status is None else RunStatus(status)


async def are_of(connection: AsyncConnection, job: str) -> bool:
    """Whether anything was ever stored of a job."""
    query = sa.select(runs.c.id).where(runs.c.job == job).limit(1)
    return await connection.scalar(query) is not None


async def between(
    connection: AsyncConnection, start: datetime, end: datetime, jobs: Sequence[str] | None = None
) -> list[Run]:
    """Runs that ended in [start, end), oldest first; nothing that a job only said."""
    query = (
        sa.select(*_SHOWN)
        .where(runs.c.finished_at >= start, runs.c.finished_at < end, _ENDED)
        .order_by(runs.c.finished_at, runs.c.id)
    )
    if jobs is not None:
        query = query.where(runs.c.job.in_(jobs))
    return [_run(row) for row in await connection.execute(query)]


async def tally(connection: AsyncConnection, start: datetime, end: datetime, job: str) -> Tally:
    """A job's runs in [start, end); those that were refused its lock never ran."""
    good = sa.func.sum(sa.case((runs.c.status == RunStatus.SUCCESS.value, 1), else_=0))
    took = runs.c.duration_seconds
    query = sa.select(sa.func.count(), good, sa.func.count(took), sa.func.sum(took)).where(
        runs.c.job == job,
        runs.c.finished_at >= start,
        runs.c.finished_at < end,
        runs.c.status.in_(ENDED),
        sa.not_(_REFUSED),
    )
    count, succeeded, timed, seconds = (await connection.execute(query)).one()
    return Tally(count=count, good=succeeded or 0, timed=timed, seconds=seconds or 0.0)


async def forget(connection: AsyncConnection, before: datetime, most: int) -> int:
    """Delete some of the runs that ended before an instant, oldest first; returns how many rows went."""
    old = sa.select(runs.c.id).where(runs.c.finished_at < before).order_by(*_OLDEST).limit(most)
    return (await connection.execute(sa.delete(runs).where(runs.c.id.in_(old)))).rowcount


async def forget_outputs(connection: AsyncConnection, before: datetime, most: int) -> int:
    """Delete some of what runs printed that ended before an instant; returns how many rows went."""
    old = (
        sa.select(run_outputs.c.run_id)
        .where(run_outputs.c.finished_at < before)
        .order_by(run_outputs.c.finished_at)
        .limit(most)
    )
    return (await connection.execute(sa.delete(run_outputs).where(run_outputs.c.run_id.in_(old)))).rowcount


def _place() -> sa.Tuple:
    return sa.tuple_(runs.c.finished_at, runs.c.id)


def _bound(cursor: Cursor) -> sa.Tuple:
    at, number = cursor
    return sa.tuple_(sa.literal(at, runs.c.finished_at.type), sa.literal(number))


def _run(row: sa.Row[Any]) -> Run:
    fields: Mapping[str, Value] = row.fields
    return Run(
        number=row.id,
        run_id=row.run_id,
        job=row.job,
        status=RunStatus(row.status),
        level=row.level,
        finished_at=row.finished_at,
        duration_seconds=row.duration_seconds,
        exit_code=row.exit_code,
        fields=fields,
    )
