"""Use cases on alerts: acknowledge, resolve, silence, expire. One transaction each, a repeat changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.announcing import Announcer
from bot.domain import alert as lifecycle
from bot.domain.alert import Alert, Change, Refusal
from bot.domain.audit import Via
from bot.domain.clock import Clock
from bot.silencing import Silencing, UnknownAlert
from storage import alerts, outbox
from storage.alerts import StaleAlert
from storage.database import Connection, Database

__all__ = ["Alerting", "UnknownAlert"]

_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """What people and time do to alerts.

    Each call answers with the alert's Change, or with a Refusal that says why nothing changed; raises
    UnknownAlert and DatabaseError. `wake` is called after every commit.
    """

    database: Database
    announcer: Announcer
    silencing: Silencing
    clock: Clock
    wake: Callable[[], None]

    async def acknowledge(
        self, alert_id: int, who: str, note: str | None = None, via: Via = Via.SLACK
    ) -> Change | Refusal:
        return await self._change(
            alert_id, lambda alert, now: lifecycle.acknowledge(alert, who, note, now), via
        )

    async def unacknowledge(self, alert_id: int, who: str, via: Via = Via.SLACK) -> Change | Refusal:
        return await self._change(alert_id, lambda alert, now: lifecycle.unacknowledge(alert, who, now), via)

    async def resolve(
        self, alert_id: int, who: str, note: str | None = None, via: Via = Via.SLACK
    ) -> Change | Refusal:
        return await self._change(alert_id, lambda alert, now: lifecycle.resolve(alert, who, note, now), via)

    async def silence(
        self, alert_id: int, who: str, length: timedelta, reason: str | None = None, via: Via = Via.SLACK
    ) -> Change | Refusal:
        """Keep this problem quiet for a time, also if it ends and begins again meanwhile."""
        return await self.silencing.silence_alert(alert_id, who, length, reason, via)

    async def unsilence(self, alert_id: int, who: str, via: Via = Via.SLACK) -> Change | Refusal:
        """Let it be heard again."""
        return await self.silencing.unsilence_alert(alert_id, who, via)

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
        """Do what is due: silences begin and end, what is explained no longer is told, the silent expire."""
        await self.silencing.tick()
        now = self.clock()
        async with self.database.transaction() as connection:
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
        self, alert_id: int, transition: Callable[[Alert, datetime], Change | Refusal], via: Via
    ) -> Change | Refusal:
        """Load, decide, store; again when somebody else was faster."""
        for _ in range(_TRIES):
            try:
                return await self._change_once(alert_id, transition, via)
            except StaleAlert:
                continue
        raise StaleAlert(f"alert {alert_id} keeps changing")

    async def _change_once(
        self, alert_id: int, transition: Callable[[Alert, datetime], Change | Refusal], via: Via
    ) -> Change | Refusal:
        now = self.clock()
        async with self.database.transaction() as connection:
            alert = await alerts.get(connection, alert_id)
            if alert is None:
                raise UnknownAlert(f"there is no alert {alert_id}")
            change = transition(alert, now)
            if isinstance(change, Refusal):
                return change
            stored = await self.announcer.store(connection, change, now, via)
        self.wake()
        return Change(alert=stored, events=change.events)
