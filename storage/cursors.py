"""How far each followed log of runs is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.tables import cursors


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in a log. `item` is one of its files, or empty for the log as a whole."""

    item: str
    since: datetime
    seen_at: datetime
    position: Mapping[str, Any]


async def of_log(connection: AsyncConnection, log: str) -> dict[str, Cursor]:
    """Every place that is known of a log, by its item."""
    rows = await connection.execute(sa.select(cursors).where(cursors.c.log == log))
    return {
        row.item: Cursor(item=row.item, since=row.since, seen_at=row.seen_at, position=row.position)
        for row in rows
    }


async def put(database: Database, connection: AsyncConnection, log: str, cursor: Cursor) -> None:
    """Remember a place; when it was first known stays as it was."""
    statement = database.insert(cursors).values(
        log=log,
        item=cursor.item,
        since=cursor.since,
        seen_at=cursor.seen_at,
        position=dict(cursor.position),
    )
    new = {"seen_at": statement.excluded.seen_at, "position": statement.excluded.position}
    await connection.execute(statement.on_conflict_do_update(index_elements=["log", "item"], set_=new))


async def forget(connection: AsyncConnection, log: str, items: Iterable[str]) -> None:
    """Forget places of a log."""
    gone = list(items)
    await connection.execute(sa.delete(cursors).where(cursors.c.log == log, cursors.c.item.in_(gone)))
