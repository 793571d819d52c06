"""How each check and job stands, and what checks found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.flapping import Recent
from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.rollup import Tally
from bot.domain.rule import Streak
from bot.domain.standing import Standing
from checks.result import State, Value
from storage.database import Database
from storage.tables import results, sources

_ONE = sa.select(sources).where(
    sources.c.kind == sa.bindparam("kind"),
    sources.c.name == sa.bindparam("name"),
    sources.c.resource == sa.bindparam("resource"),
)


_WATCH = "watch"  # how a job stands between its runs: a row of its own, so that neither word hides the other
_BADNESS = {State.PENDING: 0, State.OK: 1, State.UNKNOWN: 2, State.WARNING: 3, State.CRITICAL: 4}


async def get(
    connection: AsyncConnection, source: Source, resource: str, *, watch: bool = False
) -> Standing | None:
    """How a source stands about a resource; `watch`: between its runs."""
    values = {
        "kind": _WATCH if watch else source.kind.value,
        "name": source.name,
        "resource": resource,
    }
    row = (await connection.execute(_ONE, values)).first()
    return None if row is None else _standing(row)


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


async def failing(connection: AsyncConnection, names: Iterable[str]) -> frozenset[str]:
    """Those of some checks that are critical now."""
    query = sa.select(sources.c.name).where(
        sources.c.kind == SourceKind.CHECK.value,
        sources.c.name.in_(list(names)),
        sources.c.state == State.CRITICAL.value,
    )
    return frozenset(row[0] for row in await connection.execute(query))


async def put(
    database: Database,
    connection: AsyncConnection,
    observation: Observation,
    streaks: Mapping[str, Streak],
    before: Standing | None,
) -> None:
    """Remember an observation as the last word, with the streaks of its rules."""
    unchanged = before is not None and before.state is observation.state
    values = {
        "state": observation.state.value,
        "summary": observation.summary,
        "since": before.since if unchanged and before is not None else observation.at,
        "at": observation.at,
        "fields": dict(observation.fields),
        "streaks": {name: _streak_row(streak) for name, streak in streaks.items()},
    }
    key = {
        "kind": _WATCH if observation.watch else observation.source.kind.value,
        "name": observation.source.name,
        "resource": observation.resource,
    }
    statement = database.insert(sources).values(**key, **values)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["kind", "name", "resource"], set_=values)
    )


async def add_result(connection: AsyncConnection, observation: Observation) -> None:
    """Keep what a check found, for averages and uptime."""
    await connection.execute(
        sa.insert(results),
        {
            "name": observation.source.name,
            "resource": observation.resource,
            "state": observation.state.value,
            "at": observation.at,
            "summary": observation.summary,
            "fields": dict(observation.fields),
        },
    )


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
