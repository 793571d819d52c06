"""Check-in cards: what each shows, and which are still to be followed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.checkin import CheckinLine
from checks.result import State
from storage.tables import checkins


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckinCard:
    """A card that fell due. `live_until`: it is followed until then while something is pending."""

    id: int = 0
    title: str
    channel: str
    due_at: datetime
    as_of: datetime
    lines: tuple[CheckinLine, ...]
    checks: tuple[str, ...]
    mention: tuple[str, ...] = ()
    live_until: datetime | None = None


async def add(connection: AsyncConnection, card: CheckinCard) -> int:
    """Store a new card; returns its number."""
    statement = sa.insert(checkins).values(**_row(card)).returning(checkins.c.id)
    return int((await connection.execute(statement)).scalar_one())


async def get(connection: AsyncConnection, number: int) -> CheckinCard | None:
    """The card of a number."""
    row = (await connection.execute(sa.select(checkins).where(checkins.c.id == number))).first()
    return None if row is None else _card(row)


async def live(connection: AsyncConnection) -> list[CheckinCard]:
    """The cards still followed, oldest first."""
    query = sa.select(checkins).where(checkins.c.live_until.is_not(None)).order_by(checkins.c.id)
    return [_card(row) for row in await connection.execute(query)]


async def update(connection: AsyncConnection, card: CheckinCard, before: datetime) -> bool:
    """Let a card that showed how things stood at `before` show something newer; False when it does already."""
    statement = (
        sa.update(checkins)
        .where(checkins.c.id == card.id, checkins.c.as_of == before, checkins.c.live_until.is_not(None))
        .values(**_row(card))
    )
    return bool((await connection.execute(statement)).rowcount)


async def forget(connection: AsyncConnection, before: datetime) -> None:
    """Delete the cards that fell due before an instant."""
    await connection.execute(sa.delete(checkins).where(checkins.c.due_at < before))


def _row(card: CheckinCard) -> dict[str, Any]:
    return {
        "title": card.title,
        "channel": card.channel,
        "due_at": card.due_at,
        "as_of": card.as_of,
        "lines": [_line_row(line) for line in card.lines],
        "checks": list(card.checks),
        "mention": list(card.mention),
        "live_until": card.live_until,
    }


def _line_row(line: CheckinLine) -> dict[str, Any]:
    at = None if line.at is None else line.at.isoformat()
    return {"name": line.name, "state": line.state.value, "summary": line.summary, "at": at}


def _card(row: sa.Row[Any]) -> CheckinCard:
    return CheckinCard(
        id=row.id,
        title=row.title,
        channel=row.channel,
        due_at=row.due_at,
        as_of=row.as_of,
        lines=tuple(_lines(row.lines)),
        checks=tuple(row.checks),
        mention=tuple(row.mention),
        live_until=row.live_until,
    )


def _lines(rows: Iterable[dict[str, Any]]) -> Iterable[CheckinLine]:
    for row in rows:
        yield CheckinLine(
            name=row["name"],
            state=State(row["state"]),
            summary=row["summary"],
            at=None if row["at"] is None else datetime.fromisoformat(row["at"]),
        )
