"""Checklists as they were posted, and who ticked what when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.tables import checklist_ticks, checklists


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A Slack user did something at an instant."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedList:
    """A list of tasks as it was posted. `ticks` by the task's place in `items`."""

    id: int = 0
    title: str
    channel: str
    due_at: datetime
    items: tuple[str, ...]
    mention: tuple[str, ...] = ()
    ticks: Mapping[int, Tick] = field(default_factory=dict)


async def add(connection: AsyncConnection, found: PostedList) -> int:
    """Store a new list; returns its number."""
    values: dict[str, Any] = {
        "title": found.title,
        "channel": found.channel,
        "due_at": found.due_at,
        "items": list(found.items),
        "mention": list(found.mention),
    }
    statement = sa.insert(checklists).values(**values).returning(checklists.c.id)
    return int((await connection.execute(statement)).scalar_one())


async def get(connection: AsyncConnection, number: int) -> PostedList | None:
    """The list of a number, with its ticks."""
    row = (await connection.execute(sa.select(checklists).where(checklists.c.id == number))).first()
    if row is None:
        return None
    ticks = sa.select(checklist_ticks).where(checklist_ticks.c.checklist_id == number)
    return PostedList(
        id=row.id,
        title=row.title,
        channel=row.channel,
        due_at=row.due_at,
        items=tuple(row.items),
        mention=tuple(row.mention),
        ticks={tick.item: Tick(by=tick.by, at=tick.at) for tick in await connection.execute(ticks)},
    )


async def tick(
    database: Database, connection: AsyncConnection, number: int, item: int, by: str, at: datetime
) -> bool:
    """Remember who did a task; False when somebody had done it before, who stays remembered."""
    statement = database.insert(checklist_ticks).values(checklist_id=number, item=item, by=by, at=at)
    statement = statement.on_conflict_do_nothing(index_elements=["checklist_id", "item"])
    found = await connection.execute(statement.returning(checklist_ticks.c.item))
    return found.scalar_one_or_none() is not None


async def untick(connection: AsyncConnection, number: int, item: int) -> bool:
    """Take a tick back; False when there was none."""
    statement = sa.delete(checklist_ticks).where(
        checklist_ticks.c.checklist_id == number, checklist_ticks.c.item == item
    )
    return bool((await connection.execute(statement)).rowcount)


async def forget(connection: AsyncConnection, before: datetime) -> None:
    """Delete the lists that were posted before an instant, with their ticks."""
    await connection.execute(sa.delete(checklists).where(checklists.c.due_at < before))
