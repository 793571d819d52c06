"""Alerts and their history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.alert import Alert, Event, EventKind, Firing, Status
from bot.domain.inhibition import MARK
from bot.domain.observation import Source, SourceKind
from bot.domain.severity import Severity
from checks.result import Diagnostic
from storage.database import in_parts
from storage.tables import alert_events, alerts

_OPEN = alerts.c.closed_at.is_(None)
_OPEN_ONES = sa.select(alerts).where(
    _OPEN, alerts.c.fingerprint.in_(sa.bindparam("fingerprints", expanding=True))
)
_FEW, _MANY = 8, 300
_OPEN_FINGERPRINTS = sa.select(alerts.c.fingerprint).where(_OPEN).limit(_MANY + 1)
_ADD = sa.insert(alerts).returning(alerts.c.id)
_UPDATE = sa.update(alerts).where(
    alerts.c.id == sa.bindparam("number"), alerts.c.version == sa.bindparam("known_version")
)


class StaleAlert(Exception):
    """Somebody else changed the alert meanwhile; load it again and decide again."""


async def open_ones(connection: AsyncConnection, fingerprints: Iterable[str]) -> dict[str, Alert]:
    """The open alerts of some fingerprints, whoever raised them."""
    found = {}
    wanted = list(fingerprints)
    if len(wanted) > _FEW:  # mostly few alerts are open, or none, and to name each that is not costs more
        opened = set((await connection.execute(_OPEN_FINGERPRINTS)).scalars())
        wanted = [each for each in wanted if each in opened] if len(opened) <= _MANY else wanted
    for some in in_parts(wanted):
        for row in await connection.execute(_OPEN_ONES, {"fingerprints": some}):
            found[row.fingerprint] = alert_of(row)
    return found


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


async def newest(connection: AsyncConnection, fingerprint: str) -> Alert | None:
    """The alert of a fingerprint that began last, open or not."""
    query = sa.select(alerts).where(alerts.c.fingerprint == fingerprint).order_by(alerts.c.id.desc())
    row = (await connection.execute(query.limit(1))).first()
    return None if row is None else alert_of(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts to list, newest first; `before` is the number of the last one seen."""

    statuses: frozenset[Status] = frozenset()
    severity: Severity | None = None
    source: str | None = None
    since: datetime | None = None
    before: int | None = None
    limit: int = 50


async def page(connection: AsyncConnection, wanted: AlertFilter) -> tuple[list[Alert], int]:
    """Up to `limit` alerts, and how many fit in all."""
    fitting = sa.select(alerts).where(*_conditions(wanted))
    total = await connection.scalar(sa.select(sa.func.count()).select_from(fitting.subquery()))
    if wanted.before is not None:
        fitting = fitting.where(alerts.c.id < wanted.before)
    rows = await connection.execute(fitting.order_by(alerts.c.id.desc()).limit(wanted.limit))
    return [alert_of(row) for row in rows], int(total or 0)


def _conditions(wanted: AlertFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.statuses:
        found.append(alerts.c.status.in_([status.value for status in wanted.statuses]))
        if all(status.is_open for status in wanted.statuses):
            found.append(_OPEN)
    if wanted.severity is not None:
        found.append(alerts.c.severity == int(wanted.severity))
    if wanted.source is not None:
        found.append(alerts.c.source == wanted.source)
    if wanted.since is not None:
        found.append(alerts.c.opened_at >= wanted.since)
    return found


async def get(connection: AsyncConnection, alert_id: int) -> Alert | None:
    """One alert by its number."""
    row = (await connection.execute(sa.select(alerts).where(alerts.c.id == alert_id))).first()
    return None if row is None else alert_of(row)


async def candidates(connection: AsyncConnection, limit: int = 500) -> list[Alert]:
    """The open alerts and the newest that are over: among them somebody finds what they mean."""
    newest_ones = sa.select(alerts).where(~_OPEN).order_by(alerts.c.id.desc()).limit(limit)
    over = [alert_of(row) for row in await connection.execute(newest_ones)]
    return [*await list_open(connection, limit), *over]


async def same_before(connection: AsyncConnection, alert: Alert, limit: int) -> tuple[list[Alert], int]:
    """Earlier alerts of the same problem, newest first, and how many there are."""
    return await _counted(
        connection, [alerts.c.fingerprint == alert.fingerprint, alerts.c.id < alert.id], limit
    )


async def same_rule(connection: AsyncConnection, alert: Alert, limit: int) -> tuple[list[Alert], int]:
    """Alerts of the same rule about other resources, newest first, and how many there are."""
    rule = [alerts.c.rule == alert.firing.rule, alerts.c.fingerprint != alert.fingerprint]
    return await _counted(connection, rule, limit)


async def _counted(
    connection: AsyncConnection, conditions: list[sa.ColumnElement[bool]], limit: int
) -> tuple[list[Alert], int]:
    total = await connection.scalar(sa.select(sa.func.count()).select_from(alerts).where(*conditions))
    rows = await connection.execute(
        sa.select(alerts).where(*conditions).order_by(alerts.c.id.desc()).limit(limit)
    )
    return [alert_of(row) for row in rows], int(total or 0)


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


async def save(connection: AsyncConnection, alert: Alert) -> Alert:
    """Insert a new alert or update one whose version is still ours. Raises StaleAlert."""
    if alert.id == 0:
        result = await connection.execute(_ADD, {"version": 1, **_columns(alert)})
        return replace(alert, id=int(result.scalar_one()), version=1)
    values = {
        "number": alert.id,
        "known_version": alert.version,
        "version": alert.version + 1,
        **_columns(alert),
    }
    if (await connection.execute(_UPDATE, values)).rowcount != 1:
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


async def open_versions(connection: AsyncConnection) -> dict[int, tuple[int, bool]]:
    """The version of each open alert, and whether it is silenced or was until a moment ago."""
    query = sa.select(alerts.c.id, alerts.c.version, alerts.c.silenced_until.is_not(None)).where(_OPEN)
    return {row[0]: (row[1], bool(row[2])) for row in await connection.execute(query)}


async def open_of(connection: AsyncConnection, ids: Sequence[int]) -> list[Alert]:
    """Those of some alerts that are open, oldest first."""
    query = sa.select(alerts).where(_OPEN, alerts.c.id.in_(ids)).order_by(alerts.c.id)
    return [alert_of(row) for row in await connection.execute(query)]


async def held_needlessly(connection: AsyncConnection) -> list[Alert]:
    """Open alerts that another one explained which is open no longer."""
    held = sa.select(alerts).where(_OPEN, alerts.c.detail["held_by"].as_string().like(f"{MARK}%"))
    found = [alert_of(row) for row in await connection.execute(held)]
    causes = {alert.id: _cause(alert) for alert in found}
    still = sa.select(alerts.c.id).where(_OPEN, alerts.c.id.in_(set(causes.values())))
    open_causes = {row[0] for row in await connection.execute(still)} if found else set()
    return [alert for alert in found if causes[alert.id] not in open_causes]


def _cause(alert: Alert) -> int:
    return int((alert.firing.held_by or "").removeprefix(MARK).partition(" ")[0])


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
        flapping=detail.get("flapping"),
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
        silence_id=row.silence_id,
        silence_name=row.silence_name,
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
            "flapping": firing.flapping,
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
        "silence_id": alert.silence_id,
        "silence_name": alert.silence_name,
    }
