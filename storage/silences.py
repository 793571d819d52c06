"""Silences: those that people made, each window of those in the file, and what each of them hid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.alert import Alert
from bot.domain.silence import Origin, Silence
from storage import groups
from storage.alerts import alert_of
from storage.database import Database
from storage.tables import alerts, messages, silenced_alerts, silences

_RUNNING = sa.and_(silences.c.ended_at.is_(None), silences.c.ends_at > sa.bindparam("now"))


async def add(connection: AsyncConnection, silence: Silence) -> int:
    """Store a silence that somebody made; returns its number."""
    statement = sa.insert(silences).values(_columns(silence)).returning(silences.c.id)
    return int((await connection.execute(statement)).scalar_one())


async def open_window(database: Database, connection: AsyncConnection, silence: Silence) -> None:
    """Store a window of the file, unless it is stored already."""
    statement = database.insert(silences).values(_columns(silence)).on_conflict_do_nothing()
    await connection.execute(statement)


async def running(connection: AsyncConnection, now: datetime) -> list[Silence]:
    """Silences that have begun and are not over at an instant, by number."""
    query = sa.select(silences).where(_RUNNING, silences.c.starts_at <= sa.bindparam("now"))
    return await _read(connection, query, {"now": now})


async def window(connection: AsyncConnection, name: str, starts_at: datetime) -> Silence | None:
    """The stored window of a silence of the file, over or not."""
    query = sa.select(silences).where(
        silences.c.origin == Origin.FILE.value, silences.c.name == name, silences.c.starts_at == starts_at
    )
    found = await _read(connection, query)
    return found[0] if found else None


async def get(connection: AsyncConnection, silence_id: int) -> Silence | None:
    """One silence by its number."""
    found = await _read(connection, sa.select(silences).where(silences.c.id == silence_id))
    return found[0] if found else None


async def some(connection: AsyncConnection, ids: Collection[int]) -> dict[int, Silence]:
    """Silences by their numbers."""
    if not ids:
        return {}
    found = await _read(connection, sa.select(silences).where(silences.c.id.in_(ids)))
    return {each.id: each for each in found}


async def end(connection: AsyncConnection, silence_id: int, who: str | None, now: datetime) -> bool:
    """End a running silence; False when it was over."""
    statement = sa.update(silences).where(silences.c.id == silence_id, _RUNNING)
    values = {"ended_at": sa.literal(now, silences.c.ended_at.type), "ended_by": who}
    return bool((await connection.execute(statement.values(**values), {"now": now})).rowcount)


async def extend(
    connection: AsyncConnection, silence_id: int, seen: datetime, until: datetime, who: str | None
) -> bool:
    """Move a silence's end, which was seen to be `seen`; False when it is another by now. It warns again."""
    statement = sa.update(silences).where(
        silences.c.id == silence_id, silences.c.ended_at.is_(None), silences.c.ends_at == seen
    )
    statement = statement.values(ends_at=until, extended_by=who, warned_at=None)
    return bool((await connection.execute(statement)).rowcount)


async def move_end(connection: AsyncConnection, silence_id: int, until: datetime) -> None:
    """The file says another end for a window that runs."""
    await connection.execute(sa.update(silences).where(silences.c.id == silence_id).values(ends_at=until))


async def unwarned(connection: AsyncConnection, ids: Collection[int]) -> list[Silence]:
    """Those of some silences whose end was not warned of."""
    if not ids:
        return []
    query = sa.select(silences).where(silences.c.id.in_(ids), silences.c.warned_at.is_(None))
    return await _read(connection, query)


async def take_warning(connection: AsyncConnection, silence_id: int, now: datetime) -> bool:
    """Claim the warning of a silence in this transaction; False when somebody else has it."""
    statement = sa.update(silences).where(silences.c.id == silence_id, silences.c.warned_at.is_(None))
    return bool((await connection.execute(statement.values(warned_at=now))).rowcount)


async def untold(connection: AsyncConnection, now: datetime) -> list[Silence]:
    """Silences that are over and of which nothing was said yet."""
    over = sa.or_(silences.c.ended_at.is_not(None), silences.c.ends_at <= now)
    return await _read(connection, sa.select(silences).where(silences.c.told_at.is_(None), over))


async def take_telling(connection: AsyncConnection, silence_id: int, now: datetime) -> bool:
    """Claim the last word on a silence in this transaction; False when somebody else has it."""
    statement = sa.update(silences).where(silences.c.id == silence_id, silences.c.told_at.is_(None))
    return bool((await connection.execute(statement.values(told_at=now))).rowcount)


async def note_hidden(
    database: Database, connection: AsyncConnection, silence_id: int, alert_id: int, now: datetime
) -> None:
    """A silence keeps an alert quiet."""
    statement = database.insert(silenced_alerts).values(silence_id=silence_id, alert_id=alert_id, at=now)
    await connection.execute(statement.on_conflict_do_nothing())


async def lift(
    database: Database, connection: AsyncConnection, silence_id: int, alert_id: int, who: str, now: datetime
) -> None:
    """Let an alert be heard although a silence covers it."""
    statement = database.insert(silenced_alerts).values(
        silence_id=silence_id, alert_id=alert_id, at=now, lifted_by=who
    )
    keys = ["silence_id", "alert_id"]
    await connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_={"lifted_by": statement.excluded.lifted_by})
    )


async def hidden(connection: AsyncConnection, silence_id: int) -> list[Alert]:
    """The alerts that a silence kept quiet, the most severe first."""
    query = (
        sa.select(alerts)
        .join(silenced_alerts, silenced_alerts.c.alert_id == alerts.c.id)
        .where(silenced_alerts.c.silence_id == silence_id)
        .order_by(alerts.c.severity, alerts.c.id)
    )
    return [alert_of(row) for row in await connection.execute(query)]


async def threads(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Where the messages of some alerts stand in Slack, or those of their groups: channel and ts."""
    query = sa.select(messages.c.alert_id, messages.c.channel, messages.c.ts).where(
        messages.c.alert_id.in_(ids), messages.c.destination == "slack", messages.c.key.like("alert:%")
    )
    own = {row[0]: (row[1], row[2]) for row in await connection.execute(query)}
    return {**own, **await groups.threads(connection, ids)}


async def forget(connection: AsyncConnection, before: datetime) -> None:
    """Delete silences that were over before an instant."""
    over = sa.func.coalesce(silences.c.ended_at, silences.c.ends_at) < before
    await connection.execute(sa.delete(silences).where(over, silences.c.told_at.is_not(None)))


async def _read(
    connection: AsyncConnection, query: sa.Select[Any], values: dict[str, Any] | None = None
) -> list[Silence]:
    rows = (await connection.execute(query.order_by(silences.c.id), values or {})).all()
    lifted: dict[int, set[int]] = defaultdict(set)
    if rows:
        of_them = sa.select(silenced_alerts.c.silence_id, silenced_alerts.c.alert_id).where(
            silenced_alerts.c.silence_id.in_([row.id for row in rows]),
            silenced_alerts.c.lifted_by.is_not(None),
        )
        for silence_id, alert_id in await connection.execute(of_them):
            lifted[silence_id].add(alert_id)
    return [_silence(row, frozenset(lifted[row.id])) for row in rows]


def _silence(row: sa.Row[Any], lifted: frozenset[int]) -> Silence:
    return Silence(
        id=row.id,
        origin=Origin(row.origin),
        name=row.name,
        match=row.match,
        fingerprint=row.fingerprint,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        created_by=row.created_by,
        reason=row.reason,
        extended_by=row.extended_by,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        lifted=lifted,
    )


def _columns(silence: Silence) -> dict[str, Any]:
    return {
        "origin": silence.origin.value,
        "name": silence.name,
        "match": silence.match,
        "fingerprint": silence.fingerprint,
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "created_by": silence.created_by,
        "reason": silence.reason,
    }
