"""What an alert's change means for remedies, in the transaction that stores it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.alert import Alert, Change, EventKind
from bot.domain.filling import Unfit, shown
from bot.domain.remedy import Attempt, AttemptState, Remedy, first_attempt, prepare
from storage import remedies
from storage.database import Connection, Database

_OUR_OWN = frozenset({EventKind.REMEDY, EventKind.REMEDY_APPROVED, EventKind.REMEDY_FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyPlan:
    """Lets remedies begin and end with their alerts; what is due is for `Remedying` to do."""

    database: Database
    remedies: Mapping[str, Remedy]
    mask: Callable[[str], str]

    async def follow(self, connection: Connection, alert: Alert, change: Change, now: datetime) -> None:
        """Write the attempts that a stored change begins, ends or hastens."""
        if not self.remedies or (change.events and all(event.kind in _OUR_OWN for event in change.events)):
            return
        if not alert.status.is_open:
            await remedies.follow_end(connection, alert.id, now)
            return
        for remedy in self.remedies.values():
            if remedy.applies_to(alert):
                await self._begin(connection, alert, remedy, now)
        if change.events or change.urgent:
            await remedies.hasten(connection, alert.id, now)

    async def _begin(self, connection: Connection, alert: Alert, remedy: Remedy, now: datetime) -> None:
        newest = await remedies.newest(connection, alert.id, remedy.name)
        if newest is not None and newest.state is AttemptState.WAITING:
            await self._refresh(connection, alert, remedy, newest)
        elif (attempt := first_attempt(remedy, alert, newest, now)) is not None:
            await remedies.add(self.database, connection, attempt)

    async def _refresh(self, connection: Connection, alert: Alert, remedy: Remedy, offer: Attempt) -> None:
        """What waits for approval does what the alert says now, not what it said when it was offered."""
        prepared = prepare(remedy, alert)
        if isinstance(prepared, Unfit) or prepared.target == offer.target:
            return
        await remedies.change(
            connection,
            offer,
            replace(
                offer,
                values=prepared.values,
                target=prepared.target,
                action=self.mask(shown(prepared.action)),
            ),
        )
