"""Alerts, their history and the silences over them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.alert import Alert, Event, EventKind, Firing, Status
from bot.domain.decision import Hush
from bot.domain.observation import Source, SourceKind
from bot.domain.severity import Severity
from checks.result import Diagnostic
from storage.tables import alert_events, alerts, silences

_OPEN = alerts.c.closed_at.is_(None)
_OPEN_ONES = sa.select(alerts).where(
    _OPEN, alerts.c.fingerprint.in_(sa.bindparam("fingerprints", expanding=True))
)


class StaleAlert(Exception):
    """Somebody else changed the alert meanwhile; load it again and decide again."""


async def open_ones(connection: AsyncConnection, fingerprints: Iterable[str]) -> dict[str, Alert]:
    """The open alerts of some fingerprints, whoever raised them."""
    rows = await connection.execute(_OPEN_ONES, {"fingerprints": list(fingerprints)})
    return {row.fingerprint: alert_of(row) for row in rows}


async def latest_closed(connection: AsyncConnection, fingerprints: Sequence[str]) -> dict[str, Alert]:
    """The alert that ended last, for each fingerprint that has one."""
    latest = (
        sa.select(alerts.c.fingerprint, sa.func.max(alerts.c.closed_at).label("closed_at"))
        .where(alerts.c.fingerprint.in_(fingerprints), alerts.c.closed_at.is_not(None))
        .group_by(alerts.c.fingerprint)
        .subquery()
    )
    query = sa.select(alerts).join(
        latest,
        sa.and_(alerts.c.fingerprint == latest.c.fingerprint, alerts.c.closed_at == latest.c.closed_at),
    )
    rows = await connection.execute(query.order_by(alerts.c.id))
    return {row.fingerprint: alert_of(row) for row in rows}


async def get(connection: AsyncConnection, alert_id: int) -> Alert | None:
    """One alert by its number."""
    row = (await connection.execute(sa.select(alerts).where(alerts.c.id == alert_id))).first()
    return None if row is None else alert_of(row)


async def list_open(connection: AsyncConnection, limit: int = 1000) -> list[Alert]:
    """The open alerts, most severe and newest first."""
    query = sa.select(alerts).where(_OPEN).order_by(alerts.c.severity, alerts.c.opened_at.desc())
    return [alert_of(row) for row in await connection.execute(query.limit(limit))]


async def count_open(connection: AsyncConnection) -> int:
    """How many alerts are open."""
    return int(await connection.scalar(sa.select(sa.func.count()).select_from(alerts).where(_OPEN)) or 0)


async def opened_between(connection: AsyncConnection, start: datetime, end: datetime) -> list[Alert]:
    """Alerts that began in [start, end), oldest first."""
    query = (
        sa.select(alerts)
        .where(alerts.c.opened_at >= start, alerts.c.opened_at < end)
        .order_by(alerts.c.opened_at)
    )
    return [alert_of(row) for row in await connection.execute(query)]


async def count_of_fingerprint(connection: AsyncConnection, fingerprint: str, since: datetime) -> int:
    """How often the same problem began since an instant."""
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(alerts.c.reopened), 0)).where(
        alerts.c.fingerprint == fingerprint, alerts.c.opened_at >= since
    )
    row = (await connection.execute(query)).one()
    return int(row[0]) + int(row[1])


async def save(connection: AsyncConnection, alert: Alert) -> Alert:
    """Insert a new alert or update one whose version is still ours. Raises StaleAlert."""
    if alert.id == 0:
        result = await connection.execute(
            sa.insert(alerts).values(version=1, **_columns(alert)).returning(alerts.c.id)
        )
        return replace(alert, id=int(result.scalar_one()), version=1)
    statement = (
        sa.update(alerts)
        .where(alerts.c.id == alert.id, alerts.c.version == alert.version)
        .values(version=alert.version + 1, **_columns(alert))
    )
    if (await connection.execute(statement)).rowcount != 1:
        raise StaleAlert(f"alert {alert.id} changed meanwhile")
    return replace(alert, version=alert.version + 1)


async def add_events(connection: AsyncConnection, alert_id: int, events: Iterable[Event]) -> None:
    """Write history lines."""
    rows = [
        {
            "alert_id": alert_id,
            "kind": event.kind.value,
            "at": event.at,
            "text": event.text,
            "actor": event.actor,
        }
        for event in events
    ]
    if rows:
        await connection.execute(sa.insert(alert_events), rows)


async def history(connection: AsyncConnection, alert_id: int, limit: int = 200) -> list[Event]:
    """What happened to an alert, oldest first."""
    query = sa.select(alert_events).where(alert_events.c.alert_id == alert_id).order_by(alert_events.c.id)
    return [
        Event(kind=EventKind(row.kind), at=row.at, text=row.text, actor=row.actor)
        for row in await connection.execute(query.limit(limit))
    ]


async def add_silence(connection: AsyncConnection, fingerprint: str, starts_at: datetime, hush: Hush) -> None:
    """Keep a problem quiet until an instant, also when it ends and begins again."""
    await end_silences(connection, fingerprint, starts_at)
    await connection.execute(
        sa.insert(silences).values(
            fingerprint=fingerprint,
            starts_at=starts_at,
            ends_at=hush.until,
            created_by=hush.by,
            reason=hush.reason,
        )
    )


async def end_silences(connection: AsyncConnection, fingerprint: str, now: datetime) -> None:
    """End every running silence over a problem."""
    running = sa.and_(silences.c.fingerprint == fingerprint, silences.c.ends_at > now)
    await connection.execute(sa.update(silences).where(running).values(ends_at=now))


async def silences_over(
    connection: AsyncConnection, fingerprints: Sequence[str], now: datetime
) -> dict[str, Hush]:
    """The silences that cover some fingerprints at an instant."""
    query = sa.select(silences).where(
        silences.c.fingerprint.in_(fingerprints), silences.c.starts_at <= now, silences.c.ends_at > now
    )
    return {
        row.fingerprint: Hush(until=row.ends_at, by=row.created_by, reason=row.reason)
        for row in await connection.execute(query)
    }


async def silence_ended(connection: AsyncConnection, now: datetime) -> list[Alert]:
    """Open alerts whose silence is over and not yet taken off."""
    query = sa.select(alerts).where(_OPEN, alerts.c.silenced_until <= now).order_by(alerts.c.id)
    return [alert_of(row) for row in await connection.execute(query)]


async def expired(connection: AsyncConnection, now: datetime) -> list[Alert]:
    """Open alerts that nothing was heard of for their time to live."""
    query = sa.select(alerts).where(_OPEN, alerts.c.expires_at <= now).order_by(alerts.c.id)
    return [alert_of(row) for row in await connection.execute(query)]


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Delete alerts that ended before an instant, with all about them; returns how many went."""
    old = alerts.c.closed_at < before
    return (await connection.execute(sa.delete(alerts).where(old))).rowcount


def alert_of(row: sa.Row[Any]) -> Alert:
    """An alert from its row."""
    detail = row.detail
    firing = Firing(
        rule=row.rule,
        source=Source(kind=SourceKind(row.source_kind), name=row.source),
        resource=row.resource,
        severity=Severity(row.severity),
        category=row.category,
        title=row.title,
        message=detail["message"],
        reason=detail["reason"],
        fields=detail["fields"],
        diagnostics=tuple(Diagnostic(title=title, text=text) for title, text in detail["diagnostics"]),
        recommendations=tuple(detail["recommendations"]),
        runbook=detail["runbook"],
        mention=detail["mention"],
        channel=detail["channel"],
        held_by=detail["held_by"],
        tags=tuple(detail.get("tags", ())),
        expire_after=None if row.expires_at is None else row.expires_at - row.last_seen,
    )
    return Alert(
        id=row.id,
        version=row.version,
        firing=firing,
        status=Status(row.status),
        count=row._mapping["count"],
        opened_at=row.opened_at,
        last_seen=row.last_seen,
        reopened=row.reopened,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        note=row.note,
        silenced_until=row.silenced_until,
        silenced_by=row.silenced_by,
        silence_reason=row.silence_reason,
    )


def _columns(alert: Alert) -> dict[str, Any]:
    firing = alert.firing
    return {
        "fingerprint": alert.fingerprint,
        "rule": firing.rule,
        "source_kind": firing.source.kind.value,
        "source": firing.source.name,
        "resource": firing.resource,
        "severity": int(firing.severity),
        "category": firing.category,
        "status": alert.status.value,
        "title": firing.title,
        "detail": {
            "message": firing.message,
            "reason": firing.reason,
            "fields": dict(firing.fields),
            "diagnostics": [[item.title, item.text] for item in firing.diagnostics],
            "recommendations": list(firing.recommendations),
            "runbook": firing.runbook,
            "mention": firing.mention,
            "channel": firing.channel,
            "held_by": firing.held_by,
            "tags": list(firing.tags),
        },
        "count": alert.count,
        "opened_at": alert.opened_at,
        "last_seen": alert.last_seen,
        "expires_at": alert.expires_at,
        "reopened": alert.reopened,
        "acknowledged_at": alert.acknowledged_at,
        "acknowledged_by": alert.acknowledged_by,
        "closed_at": alert.closed_at,
        "closed_by": alert.closed_by,
        "note": alert.note,
        "silenced_until": alert.silenced_until,
        "silenced_by": alert.silenced_by,
        "silence_reason": alert.silence_reason,
    }
