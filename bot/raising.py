"""Use case: record an alert that somebody else raises, and say what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.alert import Alert, fingerprint
from bot.domain.clock import Clock
from bot.domain.observation import Observation, cleaned
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
        observation = await self._record(raised)
        key = fingerprint(raised.alert_type, observation.resource)
        async with self.database.snapshot() as connection:
            return await alerts.newest(connection, key)

    async def take_all(self, raised: Iterable[RaisedAlert]) -> None:
        """Record many in their order; returns after the last commit. Raises DatabaseError, OSError.

        After an error some may be recorded, and all can be given again.
        """
        await asyncio.gather(*[self._record(each) for each in raised])

    async def _record(self, raised: RaisedAlert) -> Observation:
        observation = cleaned(observation_of(raised, self.clock()))
        await self.monitoring.record(observation, rules_of(raised, dedupe=self.dedupe, expire=self.expire))
        return observation
