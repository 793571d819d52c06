"""Use case: record an alert that somebody else raises, and say what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.domain.alert import Alert, fingerprint
from bot.domain.clock import Clock
from bot.domain.observation import cleaned
from bot.domain.raised import RaisedAlert, observation_of, rules_of
from bot.monitoring import Monitoring
from storage import alerts
from storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Raising:
    """Takes alerts from outside. `dedupe` and `expire` are the file's defaults for alerts."""

    database: Database
    monitoring: Monitoring
    clock: Clock
    dedupe: timedelta
    expire: timedelta | None

    async def take(self, raised: RaisedAlert) -> Alert | None:
        """Record it; the alert as it stands after the commit. None when it is over and was not open.

        Raises DatabaseError, OSError.
        """
        observation = cleaned(observation_of(raised, self.clock()))
        await self.monitoring.record(observation, rules_of(raised, dedupe=self.dedupe, expire=self.expire))
        key = fingerprint(raised.alert_type, observation.resource)
        async with self.database.snapshot() as connection:
            return await alerts.newest(connection, key)
