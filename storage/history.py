"""Looks back over alerts and figures: what patterns, advice, forecasts and usual ranges are made from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.alert import EventKind, Status
from bot.domain.observation import Source
from bot.domain.pattern import Episode
from bot.domain.rollup import DURATION, HOUR, Rollup
from bot.domain.run import RunStatus
from bot.domain.severity import Severity
from storage.baselines import number_of
from storage.database import Database
from storage.rollups import rollup_of
from storage.tables import alert_events, alerts, results, rollups, runs

_MOST_BEGINNINGS = 1_000
_BEGUN = (EventKind.FIRED.value, EventKind.REOPENED.value)


async def beginnings(connection: AsyncConnection, fingerprint: str, since: datetime) -> list[datetime]:
    """When a problem began, or came back, since an instant; newest first, and no more than anybody counts."""
    query = (
        sa.select(alert_events.c.at)
        .join(alerts, alerts.c.id == alert_events.c.alert_id)
        .where(
            alerts.c.fingerprint == fingerprint,
            alerts.c.last_seen >= since,
            alert_events.c.kind.in_(_BEGUN),
            alert_events.c.at >= since,
        )
        .order_by(alert_events.c.at.desc())
        .limit(_MOST_BEGINNINGS)
    )
    return [row.at for row in await connection.execute(query)]


async def episodes(connection: AsyncConnection, start: datetime, end: datetime) -> list[Episode]:
    """Every alert that began in [start, end), oldest first."""
    query = (
        sa.select(
            alerts.c.rule,
            alerts.c.resource,
            alerts.c.severity,
            alerts.c.opened_at,
            alerts.c.reopened,
            alerts.c.status,
            alerts.c.closed_at,
            alerts.c.closed_by,
        )
        .where(alerts.c.opened_at >= start, alerts.c.opened_at < end)
        .order_by(alerts.c.opened_at, alerts.c.id)
    )
    return [_episode(row) for row in await connection.execute(query)]


def _episode(row: Any) -> Episode:
    resolved = row.status == Status.RESOLVED.value
    return Episode(
        rule=row.rule,
        resource=row.resource,
        severity=Severity(row.severity),
        opened_at=row.opened_at,
        times=1 + row.reopened,
        resolved_at=row.closed_at if resolved else None,
        resolved_by=row.closed_by if resolved else None,
    )


async def of_hours(
    connection: AsyncConnection, source: Source, resource: str, field: str, hours: Sequence[datetime]
) -> list[tuple[datetime, Rollup]]:
    """A field's roll-ups of some hours, those there are."""
    query = (
        _rollups_of(source, resource, field).where(rollups.c.hour.in_(list(hours))).order_by(rollups.c.hour)
    )
    return [(row.hour, rollup_of(row)) for row in await connection.execute(query)]


async def hourly_means(
    connection: AsyncConnection, source: Source, resource: str, field: str, since: datetime
) -> list[tuple[datetime, float]]:
    """A field's mean of each hour since an instant, oldest first, at the middle of the hour."""
    query = _rollups_of(source, resource, field).where(rollups.c.hour >= since).order_by(rollups.c.hour)
    return [
        (row.hour + HOUR / 2, row._mapping["sum"] / row._mapping["count"])
        for row in await connection.execute(query)
    ]


def _rollups_of(source: Source, resource: str, field: str) -> sa.Select[Any]:
    return sa.select(rollups).where(
        rollups.c.kind == source.kind.value,
        rollups.c.name == source.name,
        rollups.c.field == field,
        rollups.c.resource == resource,
    )


async def figures(
    database: Database,
    connection: AsyncConnection,
    check: str,
    resource: str,
    field: str,
    since: datetime,
    most: int,
) -> list[tuple[datetime, float]]:
    """The newest numbers of a field of a check since an instant, oldest first."""
    value = number_of(database, results.c.fields, field).label("value")
    query = sa.select(results.c.at.label("moment"), value).where(
        results.c.name == check, results.c.resource == resource, results.c.at >= since
    )
    return await _newest(connection, query, results.c.at, most)


async def run_figures(
    database: Database, connection: AsyncConnection, job: str, field: str, since: datetime, most: int
) -> list[tuple[datetime, float]]:
    """The newest numbers of a field of a job's successful runs since an instant, oldest first."""
    value = runs.c.duration_seconds if field == DURATION else number_of(database, runs.c.fields, field)
    query = sa.select(runs.c.finished_at.label("moment"), value.label("value")).where(
        runs.c.job == job, runs.c.status == RunStatus.SUCCESS.value, runs.c.finished_at >= since
    )
    return await _newest(connection, query, runs.c.finished_at, most)


async def _newest(
    connection: AsyncConnection, query: sa.Select[Any], at: sa.ColumnElement[datetime], most: int
) -> list[tuple[datetime, float]]:
    found = (await connection.execute(query.order_by(at.desc()).limit(most))).all()
    return [(row.moment, float(row.value)) for row in reversed(found) if row.value is not None]
