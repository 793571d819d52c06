"""How often a problem came lately, and at which time of day: `4th time in 7 days, mostly around 14:00`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

WINDOW = timedelta(days=7)
_FEWEST = 3
_NEAR = 60  # minutes on either side
_DAY = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """How often within WINDOW. `around`: the whole hour near which `near` of them, at least half, began."""

    count: int
    around: time | None = None
    near: int = 0

    def words(self) -> str:
        """Empty for a problem that came once."""
        if self.count < 2:
            return ""
        usual = f", mostly around {self.around:%H:%M}" if self.around is not None else ""
        return f"{ordinal(self.count)} time in {WINDOW.days} days{usual}"


def recurrence(began: Sequence[datetime], zone: tzinfo) -> Recurrence:
    """From the instants at which a problem began. The hour is the zone's, and 23:30 is near 00:00."""
    if len(began) < _FEWEST:
        return Recurrence(count=len(began))
    local = [moment.astimezone(zone) for moment in began]
    minutes = [moment.hour * 60 + moment.minute for moment in local]

    def fit(hour: int) -> tuple[int, int]:
        near = [away for minute in minutes if (away := _apart(minute, hour * 60)) <= _NEAR]
        return len(near), -sum(near)

    best = max(range(24), key=fit)
    near, _ = fit(best)
    if 2 * near < len(began):
        return Recurrence(count=len(began))
    return Recurrence(count=len(began), around=time(best), near=near)


def _apart(one: int, other: int) -> int:
    """Minutes between two times of day, the shorter way round."""
    away = abs(one - other)
    return min(away, _DAY - away)


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    teens = 10 <= number % 100 <= 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
