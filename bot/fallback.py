"""Use case: when Slack cannot be reached, what is urgent leaves by the destinations marked `fallback`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from bot.announcing import lane_of, view_priority
from bot.domain.alert import Alert, Status
from bot.domain.clock import Clock
from bot.domain.route import SLACK, Place
from bot.domain.severity import Severity
from storage import alerts, decisions, destinations, outbox
from storage.database import Connection, Database

PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Hands over the P1 and P2 that wait for Slack, each once a destination. Raises DatabaseError.

    `silent_since`: since when nothing reaches Slack, None while it does. `critical_only`: those of `names` that
    take P1 alone.
    """

    database: Database
    clock: Clock
    wake: Callable[[], None]
    silent_since: Callable[[], datetime | None]
    zone: tzinfo
    names: tuple[str, ...]
    critical_only: frozenset[str] = frozenset()

    async def tick(self) -> None:
        """Hand over what waits, when it waited long enough."""
        now, since = self.clock(), self.silent_since()
        if not self.names or since is None or now - since < PATIENCE:
            return
        async with self.database.snapshot() as connection:
            waiting = await destinations.unheard(connection, SLACK, since)
        note = f"Slack cannot be reached since {since.astimezone(self.zone):%H:%M %Z}"
        handed = [await self._hand_over(alert_id, note, now) for alert_id in waiting]
        if any(handed):
            self.wake()

    async def _hand_over(self, alert_id: int, note: str, now: datetime) -> bool:
        async with self.database.transaction() as connection:
            alert = await alerts.get(connection, alert_id)
            if alert is None or not _is_urgent(alert, now):
                return False
            told = await decisions.told(connection, alert_id)
            places = [
                Place(destination=name, channel="")
                for name in self.names
                if told.place(name, "") is None
                and (alert.severity is Severity.CRITICAL or name not in self.critical_only)
            ]
            if places:
                await self._add(connection, alert, places, note, now)
        return bool(places)

    async def _add(
        self, connection: Connection, alert: Alert, places: list[Place], note: str, now: datetime
    ) -> None:
        names = ", ".join(place.destination for place in places)
        reason = f"{note}, so it is told by {names}"
        await decisions.add_escalation(connection, alert.id, now, [reason], places)
        for place in places:
            await outbox.mark_stale(
                self.database,
                connection,
                alert_id=alert.id,
                lane=lane_of(place),
                priority=view_priority(alert.severity, urgent=True),
                now=now,
                due_at=now,
                note=note,
            )


def _is_urgent(alert: Alert, now: datetime) -> bool:
    is_quiet = alert.is_silenced(now) or alert.firing.held_by is not None
    return alert.status is Status.ACTIVE and alert.severity <= Severity.HIGH and not is_quiet
