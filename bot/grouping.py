"""Use cases on a message that stands for many alerts: acknowledge them all, open one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from bot.announcing import Announcer
from bot.domain import alert as lifecycle
from bot.domain.alert import Change
from bot.domain.clock import Clock
from storage import alerts, groups
from storage.alerts import StaleAlert
from storage.database import Database

_PORTION = 50


class Opened(Enum):
    """What became of a request to open an alert of a group."""

    OPENED = "it comes into the thread"
    STOOD = "it stands in the thread already"
    UNKNOWN = "the group has no such alert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """What people do to a group's message. Raises DatabaseError. `wake` is called after every commit."""

    database: Database
    announcer: Announcer
    clock: Clock
    wake: Callable[[], None]

    async def unacknowledged(self, group_id: int) -> int:
        """How many alerts of a group nobody has acknowledged."""
        async with self.database.snapshot() as connection:
            return len(await groups.active_ones(connection, group_id))

    async def acknowledge_all(self, group_id: int, who: str) -> int:
        """Acknowledge each alert of a group that nobody has; returns how many. A repeat changes nothing."""
        async with self.database.snapshot() as connection:
            ids = await groups.active_ones(connection, group_id)
        done = 0
        for portion in _portions(ids):
            done += await self._acknowledge(portion, who)
            self.wake()
        return done

    async def open(self, group_id: int, alert_id: int) -> Opened:
        """Let an alert of a group have its message, with all its buttons, in the group's thread."""
        async with self.database.transaction() as connection:
            stood = await groups.open_member(connection, group_id, alert_id, self.clock())
        if stood is None:
            return Opened.UNKNOWN
        self.wake()
        return Opened.STOOD if stood else Opened.OPENED

    async def _acknowledge(self, ids: Sequence[int], who: str) -> int:
        now, done = self.clock(), 0
        async with self.database.transaction() as connection:
            for alert in await alerts.open_of(connection, ids):
                change = lifecycle.acknowledge(alert, who, None, now)
                if isinstance(change, Change):
                    with suppress(StaleAlert):  # somebody else changed it meanwhile
                        await self.announcer.store(connection, change, now)
                        done += 1
        return done


def _portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + _PORTION] for start in range(0, len(ids), _PORTION))
