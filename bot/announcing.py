"""Storing an alert's change together with the outbox entries it owes, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.alert import Alert, Change, EventKind
from bot.domain.severity import Severity
from storage import alerts, outbox
from storage.database import Connection, Database
from storage.outbox import Lane

_REFRESH_AT_LEAST = timedelta(seconds=60)
_REFRESH_AT_MOST = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcer:
    """Knows where alerts are shown. `channel` is the default one."""

    database: Database
    channel: str
    follow: Callable[[Connection, Alert, Change, datetime], Awaitable[None]] | None = None
    """Told of every change in its transaction, after it is saved."""

    async def store(self, connection: Connection, change: Change, now: datetime) -> Alert:
        """Save the alert, its history and the entries for its views. Raises StaleAlert."""
        alert = await alerts.save(connection, change.alert)
        await alerts.add_events(connection, alert.id, change.events)
        if self.follow is not None:
            await self.follow(connection, alert, change, now)
        lane = self.lane(alert)
        await self.mark_stale(connection, alert, now, urgent=change.urgent)
        for number, event in enumerate(change.events):
            if event.kind is EventKind.FIRED:
                continue  # the message itself says so
            await outbox.add_post(
                self.database,
                connection,
                key=f"line:{alert.id}:{alert.version}:{number}:{lane.destination}",
                lane=lane,
                alert_id=alert.id,
                payload={"event": {"kind": event.kind.value, "at": event.at.isoformat(), "text": event.text,
                                   "actor": event.actor}},
                priority=view_priority(alert.severity, urgent=True) + 5,
                now=now,
            )  # fmt: skip
        return alert

    async def mark_stale(
        self, connection: Connection, alert: Alert, now: datetime, *, urgent: bool = True
    ) -> None:
        """Say that the alert's message must be made true again: now, or when its count has waited enough."""
        await outbox.mark_stale(
            self.database,
            connection,
            alert_id=alert.id,
            lane=self.lane(alert),
            priority=view_priority(alert.severity, urgent=urgent),
            now=now,
            due_at=now if urgent else now + refresh_after(alert, now),
        )

    def lane(self, alert: Alert) -> Lane:
        """Where an alert is shown."""
        return Lane(destination="slack", channel=alert.firing.channel or self.channel)


def view_priority(severity: Severity, *, urgent: bool) -> int:
    """The order of delivery: P1 before all else, a mere count after what is new."""
    return int(severity) * 10 + (0 if urgent else 8)


def refresh_after(alert: Alert, now: datetime) -> timedelta:
    """How soon a risen count must show: a minute at first, more rarely the longer the alert lasts."""
    return min(max((now - alert.opened_at) / 10, _REFRESH_AT_LEAST), _REFRESH_AT_MOST)
