"""How each check and job stands, and what checks found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.flapping import Recent
from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.rollup import Tally
from bot.domain.rule import Streak
from bot.domain.standing import Place, Standing, stands_now
from checks.result import State, Value
from storage.database import Database, Insert, in_parts
from storage.tables import results, sources

_ONE = sa.select(sources).where(
    sources.c.kind == sa.bindparam("kind"),
    sources.c.name == sa.bindparam("name"),
    sources.c.resource == sa.bindparam("resource"),
)


_SEVERAL = sa.select(sources).where(
    sa.tuple_(sources.c.kind, sources.c.name, sources.c.resource).in_(sa.bindparam("places", expanding=True))
)
_CRITICAL = sa.select(sources.c.name, sources.c.resource).where(
    sources.c.kind == SourceKind.CHECK.value,
    sources.c.state == State.CRITICAL.value,
    sources.c.name.in_(sa.bindparam("names", expanding=True)),
)
_KEY = ("kind", "name", "resource")
_WATCH = "watch"  # how a job stands between its runs: a row of its own, so that neither word hides the other
_ADD_RESULTS = sa.insert(results)
_BADNESS = {State.PENDING: 0, State.OK: 1, State.UNKNOWN: 2, State.WARNING: 3, State.CRITICAL: 4}


async def get(
    connection: AsyncConnection, source: Source, resource: str, *, watch: bool = False
) -> Standing | None:
    """How a source stands about a resource; `watch`: between its runs."""
    row = (await connection.execute(_ONE, _key((source, resource, watch)))).first()
    return None if row is None else _standing(row)


async def find(connection: AsyncConnection, places: Iterable[Place]) -> dict[Place, Standing]:
    """How some sources stand about some resources, as far as they are known."""
    found = {}
    for some in in_parts({tuple(_key(place).values()) for place in places}):
        for row in await connection.execute(_SEVERAL, {"places": some}):
            standing = _standing(row)
            found[standing.source, standing.resource, row.kind == _WATCH] = standing
    return found


async def list_all(connection: AsyncConnection, kind: SourceKind | None = None) -> list[Standing]:
    """Every source, by kind, name and resource. A job that is late or hangs stands so, whatever its last run."""
    query = sa.select(sources).order_by(sources.c.kind, sources.c.name, sources.c.resource)
    if kind is not None:
        query = query.where(_of_kind(kind))
    return await _standings(connection, query)


async def of_source(connection: AsyncConnection, source: Source) -> list[Standing]:
    """How a source stands about each of its resources."""
    query = sa.select(sources).where(_of_kind(source.kind), sources.c.name == source.name)
    return await _standings(connection, query.order_by(sources.c.kind, sources.c.resource))


def _of_kind(kind: SourceKind) -> sa.ColumnElement[bool]:
    return sources.c.kind.in_([kind.value, _WATCH] if kind is SourceKind.JOB else [kind.value])


async def _standings(connection: AsyncConnection, query: sa.Select[Any]) -> list[Standing]:
    found: dict[tuple[str, str, str], Standing] = {}
    for row in await connection.execute(query):  # "job" sorts before "watch"
        standing = _standing(row)
        key = (standing.source.kind.value, row.name, row.resource)
        found[key] = _worse(found.get(key), standing)
    return sorted(found.values(), key=lambda each: (each.source.kind.value, each.source.name, each.resource))


def _worse(last: Standing | None, watched: Standing) -> Standing:
    """The last run's standing with what a look since found, if that is worse."""
    if last is None or _BADNESS[watched.state] <= _BADNESS[last.state]:
        return last or watched
    return replace(last, state=watched.state, summary=watched.summary, since=watched.since, at=watched.at)


async def troubled_jobs(connection: AsyncConnection) -> set[str]:
    """The jobs that something was wrong with when they were last looked at between their runs."""
    query = sa.select(sources.c.name).where(sources.c.kind == _WATCH, sources.c.state != State.OK.value)
    return {row[0] for row in await connection.execute(query)}


async def critical(connection: AsyncConnection, names: Iterable[str]) -> list[tuple[str, str]]:
    """Those of some checks that are critical now: name, resource."""
    return [(row[0], row[1]) for row in await connection.execute(_CRITICAL, {"names": list(names)})]


async def put(
    database: Database,
    connection: AsyncConnection,
    observation: Observation,
    streaks: Mapping[str, Streak],
    before: Standing | None,
) -> None:
    """Remember an observation as the last word, with the streaks of its rules."""
    await put_all(database, connection, {observation.place: stands_now(observation, streaks, before)})


async def put_all(
    database: Database, connection: AsyncConnection, standings: Mapping[Place, Standing]
) -> None:
    """Remember the last words of some sources."""
    rows = [{**_key(place), **_row(standing)} for place, standing in standings.items()]
    if rows:
        await connection.execute(_upsert(database.insert), rows)


@cache
def _upsert(insert: Callable[[sa.Table], Insert]) -> sa.Executable:
    statement = insert(sources)
    said = {column.name: statement.excluded[column.name] for column in sources.c if column.name not in _KEY}
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_=said)


async def add_result(connection: AsyncConnection, observation: Observation) -> None:
    """Keep what a check found, for averages and uptime."""
    await add_results(connection, [observation])


async def add_results(connection: AsyncConnection, observations: Sequence[Observation]) -> None:
    """Keep what checks found, for averages and uptime."""
    rows = [
        {
            "name": each.source.name,
            "resource": each.resource,
            "state": each.state.value,
            "at": each.at,
            "summary": each.summary,
            "fields": dict(each.fields),
        }
        for each in observations
    ]
    if rows:
        await connection.execute(_ADD_RESULTS, rows)


async def results_between(
    connection: AsyncConnection, name: str, start: datetime, end: datetime
) -> list[tuple[datetime, State, Mapping[str, Value]]]:
    """What a check found in [start, end), oldest first: instant, state, fields."""
    query = (
        sa.select(results.c.at, results.c.state, results.c.fields)
        .where(results.c.name == name, results.c.at >= start, results.c.at < end)
        .order_by(results.c.at)
    )
    return [(row.at, State(row.state), row.fields) for row in await connection.execute(query)]


async def latest(connection: AsyncConnection, name: str, limit: int) -> list[Observation]:
    """What a check found last, oldest first."""
    query = sa.select(results).where(results.c.name == name).order_by(results.c.at.desc()).limit(limit)
    rows = (await connection.execute(query)).all()
    source = Source(kind=SourceKind.CHECK, name=name)
    return [
        Observation(
            source=source,
            resource=row.resource,
            state=State(row.state),
            at=row.at,
            summary=row.summary,
            fields=row.fields,
        )
        for row in reversed(rows)
    ]


async def tally(connection: AsyncConnection, start: datetime, end: datetime, name: str) -> Tally:
    """A check's results in [start, end) that tell whether it was up: good where they were not critical."""
    up = sa.func.sum(sa.case((results.c.state == State.CRITICAL.value, 0), else_=1))
    query = sa.select(sa.func.count(), up).where(
        results.c.name == name,
        results.c.at >= start,
        results.c.at < end,
        results.c.state.not_in((State.UNKNOWN.value, State.PENDING.value)),
    )
    count, good = (await connection.execute(query)).one()
    return Tally(count=count, good=good or 0)


async def names(connection: AsyncConnection, kind: SourceKind, since: datetime | None = None) -> list[str]:
    """Every check or job that was heard of, ever or since an instant, by name."""
    query = sa.select(sources.c.name).distinct().where(_of_kind(kind)).order_by(sources.c.name)
    if since is not None:
        query = query.where(sources.c.at >= since)
    return [row[0] for row in await connection.execute(query)]


async def forget_results(connection: AsyncConnection, before: datetime, most: int) -> int:
    """Delete some of what checks found before an instant, oldest first; returns how many rows went."""
    old = sa.select(results.c.id).where(results.c.at < before).order_by(results.c.at).limit(most)
    return (await connection.execute(sa.delete(results).where(results.c.id.in_(old)))).rowcount


def _key(place: Place) -> dict[str, str]:
    source, resource, watch = place
    return {"kind": _WATCH if watch else source.kind.value, "name": source.name, "resource": resource}


def _row(standing: Standing) -> dict[str, Any]:
    return {
        "state": standing.state.value,
        "summary": standing.summary,
        "since": standing.since,
        "at": standing.at,
        "fields": dict(standing.fields),
        "streaks": {name: _streak_row(streak) for name, streak in standing.streaks.items()},
    }


def _standing(row: sa.Row[Any]) -> Standing:
    return Standing(
        source=Source(kind=SourceKind.JOB if row.kind == _WATCH else SourceKind(row.kind), name=row.name),
        resource=row.resource,
        state=State(row.state),
        summary=row.summary,
        since=row.since,
        at=row.at,
        fields=row.fields,
        streaks={name: _streak(value) for name, value in row.streaks.items()},
    )


def _streak_row(streak: Streak) -> list[Any]:
    row = [streak.matches, streak.clears, streak.since.isoformat() if streak.since else None]
    recent = streak.recent
    return [*row, recent.answers, recent.flapping] if recent.answers else row


def _streak(value: list[Any]) -> Streak:
    matches, clears, since, *recent = value
    return Streak(
        matches=matches,
        clears=clears,
        since=datetime.fromisoformat(since) if since else None,
        recent=Recent(answers=recent[0], flapping=recent[1]) if recent else Recent(),
    )
