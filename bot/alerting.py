"""Use cases on alerts: acknowledge, resolve, silence, expire. One transaction each, a repeat changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.announcing import Announcer
from bot.domain import alert as lifecycle
from bot.domain.alert import Alert, Change, Refusal
from bot.domain.clock import Clock
from bot.domain.decision import Hush
from storage import alerts, outbox
from storage.alerts import StaleAlert
from storage.database import Connection, Database

_TRIES = 5


class UnknownAlert(LookupError):
    """The database knows no alert of that number (any more)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """What people and time do to alerts.

    Each call answers with the alert's Change, or with a Refusal that says why nothing changed; raises
    UnknownAlert and DatabaseError. `wake` is called after every commit.
    """

    database: Database
    announcer: Announcer
    clock: Clock
    wake: Callable[[], None]

    async def acknowledge(self, alert_id: int, who: str, note: str | None = None) -> Change | Refusal:
        return await self._change(alert_id, lambda alert, now: lifecycle.acknowledge(alert, who, note, now))

    async def unacknowledge(self, alert_id: int, who: str) -> Change | Refusal:
        return await self._change(alert_id, lambda alert, now: lifecycle.unacknowledge(alert, who, now))

    async def resolve(self, alert_id: int, who: str, note: str | None = None) -> Change | Refusal:
        return await self._change(alert_id, lambda alert, now: lifecycle.resolve(alert, who, note, now))

    async def silence(
        self, alert_id: int, who: str, length: timedelta, reason: str | None = None
    ) -> Change | Refusal:
        """Keep this problem quiet for a time, also if it ends and begins again meanwhile."""

        async def remember(connection: Connection, change: Change, now: datetime) -> None:
            hush = Hush(until=now + length, by=who, reason=reason)
            await alerts.add_silence(connection, change.alert.fingerprint, now, hush)

        return await self._change(
            alert_id, lambda alert, now: lifecycle.silence(alert, who, length, reason, now), remember
        )

    async def unsilence(self, alert_id: int, who: str) -> Change | Refusal:
        """Let it be heard again."""

        async def end(connection: Connection, change: Change, now: datetime) -> None:
            await alerts.end_silences(connection, change.alert.fingerprint, now)

        return await self._change(alert_id, lambda alert, now: lifecycle.unsilence(alert, who, now), end)

    async def show_again(self, alert_id: int) -> None:
        """Make an alert's message true, after somebody pressed a button that it should not have had."""
        now = self.clock()
        async with self.database.transaction() as connection:
            alert = await alerts.get(connection, alert_id)
            if alert is None:
                return
            await outbox.doubt_view(connection, alert_id)
            await self.announcer.mark_stale(connection, alert, now)
        self.wake()

    async def tick(self) -> None:
        """Do what is due: end silences that are over, release what is explained no longer, expire the silent."""
        now = self.clock()
        async with self.database.transaction() as connection:
            for alert in await alerts.silence_ended(connection, now):
                await self._store(connection, lifecycle.unsilence(alert, None, now), now)
            for alert in await alerts.held_needlessly(connection):
                await self._store(connection, lifecycle.release(alert, now), now)
            for alert in await alerts.expired(connection, now):
                await self._store(connection, lifecycle.expire(alert, now), now)
        self.wake()

    async def _store(self, connection: Connection, change: Change | Refusal, now: datetime) -> None:
        """Store what time did to an alert, unless somebody else changed it meanwhile: the next tick sees."""
        if isinstance(change, Change):
            with suppress(StaleAlert):
                await self.announcer.store(connection, change, now)

    async def _change(
        self,
        alert_id: int,
        transition: Callable[[Alert, datetime], Change | Refusal],
        also: Callable[[Connection, Change, datetime], Awaitable[None]] | None = None,
    ) -> Change | Refusal:
        """Load, decide, store; again when somebody else was faster."""
        for _ in range(_TRIES):
            try:
                return await self._change_once(alert_id, transition, also)
            except StaleAlert:
                continue
        raise StaleAlert(f"alert {alert_id} keeps changing")

    async def _change_once(
        self,
        alert_id: int,
        transition: Callable[[Alert, datetime], Change | Refusal],
        also: Callable[[Connection, Change, datetime], Awaitable[None]] | None,
    ) -> Change | Refusal:
        now = self.clock()
        async with self.database.transaction() as connection:
            alert = await alerts.get(connection, alert_id)
            if alert is None:
                raise UnknownAlert(f"there is no alert {alert_id}")
            change = transition(alert, now)
            if isinstance(change, Refusal):
                return change
            if also is not None:
                await also(connection, change, now)
            stored = await self.announcer.store(connection, change, now)
        self.wake()
        return Change(alert=stored, events=change.events)
