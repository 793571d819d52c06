"""Looks back over alerts and figures: what patterns, advice, forecasts and usual ranges are made from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.alert import EventKind, Status
from bot.domain.pattern import Episode
from bot.domain.severity import Severity
from storage.tables import alert_events, alerts

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


def _episode(row: sa.Row[Any]) -> Episode:
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
