"""How often a channel may be posted to, as token buckets that are told the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True)
class TokenBucket:
    """`capacity` at once, then one every `interval`."""

    interval: timedelta
    capacity: int
    _full_at: datetime | None = None

    def take(self, now: datetime) -> None:
        """Use one, or reserve the one of `ready_at` when that has not come."""
        start = now if self._full_at is None else max(now, self._full_at)
        self._full_at = start + self.interval

    def ready_at(self, now: datetime) -> datetime:
        """When one may be used next."""
        if self._full_at is None:
            return now
        return max(now, self._full_at - self.interval * (self.capacity - 1))
