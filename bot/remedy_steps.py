"""The steps of attempts at remedies: each one transaction, with its line in the alert's thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.announcing import Announcer
from bot.domain.alert import Alert, Change, Event, EventKind
from bot.domain.clock import Clock
from bot.domain.filling import Unfit
from bot.domain.remedy import Attempt, AttemptState, Prepared, Remedy, Rivals
from storage import alerts, remedies
from storage.alerts import StaleAlert
from storage.database import Connection, Database
from storage.remedies import Limit

_TRIES = 5

Step = Callable[[Connection, Attempt, Alert, datetime], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Takes steps. `escalate` is told, in the transaction, of an alert whose recovery failed."""

    database: Database
    announcer: Announcer
    clock: Clock
    wake: Callable[[], None]
    escalate: Callable[[Connection, Alert, datetime], Awaitable[None]] | None = None

    async def take(self, attempt_id: int, step: Step) -> Any:
        """One transaction with the attempt and its alert as they are; again when the alert changed meanwhile.

        False when there is no such attempt, else what the step answers, or True for nothing.
        """
        for number in range(_TRIES):
            try:
                async with self.database.transaction() as connection:
                    attempt = await remedies.get(connection, attempt_id, lock=True)
                    alert = None if attempt is None else await alerts.get(connection, attempt.alert_id)
                    if attempt is None or alert is None:
                        return False
                    answer = await step(connection, attempt, alert, self.clock())
            except StaleAlert:
                if number == _TRIES - 1:
                    raise
                continue
            self.wake()
            return True if answer is None else answer
        return False

    async def store(
        self, connection: Connection, before: Attempt, after: Attempt, alert: Alert, event: Event
    ) -> bool:
        """Store an attempt's change with its line, once; False when another was faster. Raises StaleAlert."""
        if not await remedies.change(connection, before, after):
            return False
        await self.announcer.store(connection, Change(alert=alert, events=(event,)), event.at)
        if event.kind is EventKind.REMEDY_FAILED and self.escalate is not None:
            await self.escalate(connection, alert, event.at)
        return True


async def rivals_of(
    connection: Connection,
    attempt: Attempt,
    remedy: Remedy,
    prepared: Prepared | Unfit,
    now: datetime,
) -> Rivals:
    """Attempts count by resource and by what they do; approved ones only by what they do."""
    if isinstance(prepared, Unfit):
        return Rivals()
    limit = Limit(since=now - remedy.per, whole_resource=not remedy.approve)
    return await remedies.rivals(connection, attempt, prepared.target, limit)


def event_of(text: str, now: datetime, *, failed: bool = False) -> Event:
    """A line about a remedy; a `failed` recovery calls people."""
    return Event(kind=EventKind.REMEDY_FAILED if failed else EventKind.REMEDY, at=now, text=text)


def over(attempt: Attempt, state: AttemptState, now: datetime, outcome: str | None = None) -> Attempt:
    """The attempt ended."""
    said = attempt.outcome if outcome is None else outcome
    return replace(attempt, state=state, due_at=None, ended_at=now, outcome=said)
