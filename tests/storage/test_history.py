"""What looks back read from the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bot.domain.alert import Alert, recover, reopen, resolve
from bot.domain.severity import Severity
from storage import history
from storage.database import Database
from tests.storage.stored import HOUR, MINUTE, NOON, announce, announced, firing


async def read(database: Database, query: Any, *arguments: Any) -> Any:
    async with database.snapshot() as connection:
        return await query(connection, *arguments)


async def ended(database: Database, alert: Alert, at: datetime) -> Alert:
    return await announce(database, recover(alert, "fine", at), at)


async def test_a_problems_beginnings_are_its_firings_and_its_returns(database: Database) -> None:
    first = await ended(database, await announced(database), NOON + MINUTE)
    back = reopen(first, firing(), NOON + 2 * MINUTE, "came back")
    await ended(database, await announce(database, back, NOON + 2 * MINUTE), NOON + 3 * MINUTE)
    await announced(database, NOON + HOUR)
    await announced(database, rule="other")
    key = first.fingerprint
    assert await read(database, history.beginnings, key, NOON) == [
        NOON + HOUR,
        NOON + 2 * MINUTE,
        NOON,
    ]
    assert await read(database, history.beginnings, key, NOON + MINUTE) == [NOON + HOUR, NOON + 2 * MINUTE]
    assert await read(database, history.beginnings, "none", NOON) == []


async def test_episodes_tell_who_resolved_them_and_leave_out_other_days(database: Database) -> None:
    await ended(database, await announced(database, rule="by itself"), NOON + MINUTE)
    taken = await announced(database, NOON + MINUTE, rule="by hand", severity=Severity.LOW)
    change = resolve(taken, "U1", None, NOON + HOUR)
    await announce(database, change, NOON + HOUR)  # type: ignore[arg-type]
    await announced(database, NOON + 2 * MINUTE, rule="open")
    await announced(database, NOON - MINUTE, rule="before")
    await announced(database, NOON + timedelta(days=1), rule="after")

    alone, by_hand, still = await read(database, history.episodes, NOON, NOON + timedelta(days=1))

    assert (alone.rule, alone.resolved_by, alone.resolved_at) == ("by itself", None, NOON + MINUTE)
    assert (by_hand.resolved_by, by_hand.severity) == ("U1", Severity.LOW)
    assert (still.rule, still.resolved_at, still.times) == ("open", None, 1)
