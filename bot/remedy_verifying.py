"""Whether a remedy helped: its check is run again, and the conclusion drawn and told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.blocks import remedies as words
from bot.domain.alert import Alert
from bot.domain.observation import SourceKind
from bot.domain.remedy import (
    After,
    Attempt,
    AttemptState,
    Remedy,
    after_verifying,
    ended_by_itself,
    following,
    prepare,
)
from bot.remedy_steps import Steps, event_of, over, rivals_of
from checks.result import State
from storage import alerts, remedies, sources
from storage.database import Connection

_VERIFYING = timedelta(minutes=3)  # how long a replica may take to run the check before another does


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifying:
    """Verifies attempts. `run_check` runs a check and records what it finds, False when there is none of the name."""

    steps: Steps
    remedies: Mapping[str, Remedy]
    run_check: Callable[[str], Awaitable[bool]]
    owner: str

    async def verify(self, attempt: Attempt) -> None:
        """Run the check again, unless the alert has ended by itself already, and draw the conclusion."""
        claimed = replace(attempt, due_at=self.steps.clock() + _VERIFYING, owner=self.owner)
        async with self.steps.database.transaction() as connection:
            if not await remedies.change(connection, attempt, claimed):
                return
            alert = await alerts.get(connection, attempt.alert_id)
        if alert is None:
            return
        healthy = await self.is_well(alert)
        await self.steps.take(
            attempt.id, lambda *known: self._conclude(*known, claimed=claimed, healthy=healthy)
        )

    async def is_well(self, alert: Alert) -> bool | None:
        """Whether the alert's check, run now, finds its resource well; None when nothing can be run."""
        source = alert.firing.source
        if source.kind is not SourceKind.CHECK:
            return None
        if ended_by_itself(alert):
            return None  # its check has told already
        if not await self.run_check(source.name):
            return None
        async with self.steps.database.snapshot() as connection:
            standing = await sources.get(connection, source, alert.firing.resource)
            current = await alerts.get(connection, alert.id)
        ended = current is not None and ended_by_itself(current)
        return ended or (standing is not None and standing.state is State.OK)

    async def _conclude(
        self,
        connection: Connection,
        attempt: Attempt,
        alert: Alert,
        now: datetime,
        *,
        claimed: Attempt,
        healthy: bool | None,
    ) -> None:
        if attempt.state is not AttemptState.VERIFYING or attempt.owner != claimed.owner:
            return
        remedy = self.remedies.get(attempt.remedy)
        if remedy is None:
            ended = over(attempt, AttemptState.FAILED, now, "it is not in the configuration any more")
            await remedies.change(connection, attempt, ended)
            return
        prepared = prepare(remedy, alert)
        used = (await rivals_of(connection, attempt, remedy, prepared, now)).used
        after = after_verifying(attempt, alert, remedy, healthy, used)
        await self._close(connection, attempt, alert, remedy, after, now)

    async def _close(
        self,
        connection: Connection,
        attempt: Attempt,
        alert: Alert,
        remedy: Remedy,
        after: After,
        now: datetime,
    ) -> None:
        """Store how an attempt ended, with what follows."""
        found = alert.firing.reason
        match after:
            case After.RECOVERED:
                ended = over(attempt, AttemptState.RECOVERED, now)
                text = words.recovered(remedy, attempt, alert.closed_at, now)
                await self.steps.store(connection, attempt, ended, alert, event_of(text, now))
            case After.AGAIN:
                ended = over(attempt, AttemptState.FAILED, now)
                text = words.still_failing(remedy, attempt, found)
                await self.steps.store(connection, attempt, ended, alert, event_of(text, now))
                again = following(remedy, alert, attempt.number + 1, now)
                await remedies.add(self.steps.database, connection, again)
            case After.EXHAUSTED:
                ended = over(attempt, AttemptState.FAILED, now)
                text = words.exhausted(remedy, attempt, found)
                await self.steps.store(connection, attempt, ended, alert, event_of(text, now, failed=True))
            case After.ENDED:
                await remedies.change(connection, attempt, over(attempt, AttemptState.FAILED, now))
            case After.UNKNOWN:
                await remedies.change(connection, attempt, over(attempt, AttemptState.DONE, now))
