"""Which occurrences of scheduled messages were seen to, so that each is sent once, restarts included."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.tables import slots


async def last(connection: AsyncConnection, name: str) -> datetime | None:
    """The newest occurrence that was seen to."""
    return await connection.scalar(sa.select(slots.c.due_at).where(slots.c.name == name))


async def take(database: Database, connection: AsyncConnection, name: str, due_at: datetime) -> bool:
    """Claim an occurrence in this transaction; False when it, or a later one, is taken already."""
    statement = database.insert(slots).values(name=name, due_at=due_at)
    statement = statement.on_conflict_do_update(
        index_elements=["name"], set_={"due_at": due_at}, where=slots.c.due_at < due_at
    )
    return (await connection.execute(statement.returning(slots.c.name))).scalar_one_or_none() is not None
