"""The audit history: what people did, written in the transaction of the act itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.audit import Deed, Via
from storage.tables import audit


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which deeds to list, newest first; `before` is the number of the last one seen."""

    alert_id: int | None = None
    who: frozenset[str] = frozenset()
    since: datetime | None = None
    before: int | None = None
    limit: int = 50


async def add(connection: AsyncConnection, deed: Deed) -> None:
    """Keep a deed."""
    await connection.execute(
        sa.insert(audit).values(
            who=deed.who,
            at=deed.at,
            act=deed.act,
            via=deed.via.value,
            subject=deed.subject,
            alert_id=deed.alert_id,
            before=deed.before,
            after=deed.after,
            note=deed.note,
        )
    )


async def page(connection: AsyncConnection, wanted: AuditFilter) -> tuple[list[Deed], int]:
    """Up to `limit` deeds, and how many fit in all."""
    fitting = sa.select(audit).where(*_conditions(wanted))
    total = await connection.scalar(sa.select(sa.func.count()).select_from(fitting.subquery()))
    if wanted.before is not None:
        fitting = fitting.where(audit.c.id < wanted.before)
    rows = await connection.execute(fitting.order_by(audit.c.id.desc()).limit(wanted.limit))
    return [_deed(row) for row in rows], int(total or 0)


async def people(connection: AsyncConnection, since: datetime | None, limit: int = 200) -> Collection[str]:
    """Everybody who did something since an instant."""
    query = sa.select(audit.c.who).distinct().order_by(audit.c.who)
    if since is not None:
        query = query.where(audit.c.at >= since)
    return [row[0] for row in await connection.execute(query.limit(limit))]


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Delete what was done before an instant; returns how much went."""
    return (await connection.execute(sa.delete(audit).where(audit.c.at < before))).rowcount


def _conditions(wanted: AuditFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.alert_id is not None:
        found.append(audit.c.alert_id == wanted.alert_id)
    if wanted.who:
        found.append(audit.c.who.in_(sorted(wanted.who)))
    if wanted.since is not None:
        found.append(audit.c.at >= wanted.since)
    return found


def _deed(row: sa.Row[Any]) -> Deed:
    return Deed(
        id=row.id,
        who=row.who,
        at=row.at,
        act=row.act,
        via=Via(row.via),
        subject=row.subject,
        alert_id=row.alert_id,
        before=row.before,
        after=row.after,
        note=row.note,
    )
