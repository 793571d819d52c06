"""Settings changed at run time: what holds, who set it, and what held before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.override import Override
from storage.database import Database
from storage.tables import overrides

_LOCK = 0x6F7665727269
_IN_FORCE = overrides.c.reverted_at.is_(None)


async def add(connection: AsyncConnection, override: Override) -> int:
    """Store one; what held at its path must be ended before. Returns its number."""
    statement = sa.insert(overrides).values(
        path=override.path,
        value={"value": override.value},
        file_value={"value": override.file_value} if override.in_file else {},
        set_by=override.by,
        set_at=override.at,
        reason=override.reason,
    )
    return int((await connection.execute(statement.returning(overrides.c.id))).scalar_one())


async def end(
    connection: AsyncConnection, override_id: int, who: str, now: datetime, *, replaced: bool = False
) -> bool:
    """End one that holds; False when it was over. `replaced`: another takes its place."""
    statement = sa.update(overrides).where(overrides.c.id == override_id, _IN_FORCE)
    values = {"reverted_at": now, "reverted_by": who, "replaced": replaced}
    return bool((await connection.execute(statement.values(**values))).rowcount)


async def in_force(connection: AsyncConnection) -> list[Override]:
    """Those that hold, in the order in which they were set."""
    query = sa.select(overrides).where(_IN_FORCE).order_by(overrides.c.id)
    return [_override(row) for row in await connection.execute(query)]


async def get(connection: AsyncConnection, override_id: int) -> Override | None:
    """One by its number, over or not."""
    row = (await connection.execute(sa.select(overrides).where(overrides.c.id == override_id))).first()
    return None if row is None else _override(row)


async def history(connection: AsyncConnection, limit: int = 50) -> list[Override]:
    """The newest, over or not."""
    query = sa.select(overrides).order_by(overrides.c.id.desc()).limit(limit)
    return [_override(row) for row in await connection.execute(query)]


async def lock(database: Database, connection: AsyncConnection) -> None:
    """Let one replica at a time change settings, until the transaction ends."""
    if not database.is_sqlite:  # there, a transaction that writes is alone anyway
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


async def version(connection: AsyncConnection) -> tuple[int, int]:
    """Differs when something was set or ended since."""
    query = sa.select(sa.func.max(overrides.c.id), sa.func.count(overrides.c.reverted_at))
    newest, ended = (await connection.execute(query)).one()
    return int(newest or 0), int(ended)


def _override(row: sa.Row[Any]) -> Override:
    return Override(
        id=row.id,
        path=row.path,
        value=row.value["value"],
        in_file="value" in row.file_value,
        file_value=row.file_value.get("value"),
        by=row.set_by,
        at=row.set_at,
        reason=row.reason,
        reverted_at=row.reverted_at,
        reverted_by=row.reverted_by,
        replaced=row.replaced,
    )
