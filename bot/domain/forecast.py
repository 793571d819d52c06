"""When a figure that grows will reach its limit, told only when its growth is steady enough to be believed.

The trend is Theil and Sen's (the median of the slopes between every two points), with Sen's confidence bounds
(1968). It is believed when it grew much more than it scatters, when both halves of the time grew alike, and no
further ahead than twice the time that was looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

TRENDS = "@trends"
"""The name under which trends, by field, are handed to rules; no reported field can be called so."""

Points = Sequence[tuple[datetime, float]]

_BINS = 40
_FEWEST = 8
_CLEAR = 5.0  # times its scatter that it must have grown
_ALIKE = 2.0  # how many times steeper one half may be than the whole
_Z = 1.96
_FARTHEST = 2  # times the time looked at
_WIDEST = 3.0  # the latest may be so many times the soonest
_HOUR = timedelta(hours=1)
_SWINGS = ("cpu", "load", "ms", "rate", "latency", "duration")


def accumulates(field: str) -> bool:
    """Whether a field can fill up or run out; load and response times swing, and no line foretells them."""
    return not set(field.split("_")) & set(_SWINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A line through a figure's values: where it was at `at`, and what it gains an hour, at least and at most."""

    at: datetime
    level: float
    slope: float
    slowest: float
    fastest: float
    scatter: float
    span: timedelta

    def level_at(self, now: datetime) -> float:
        return self.level + self.slope * ((now - self.at) / _HOUR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """When a limit is reached: the likely time from now, the soonest and the latest."""

    limit: float
    after: timedelta
    soonest: timedelta
    latest: timedelta

    def words(self) -> str:
        """`in about 6 h (between 5 and 8 h)`."""
        size, unit = _unit(self.after)
        low, high = math.floor(self.soonest / size), math.ceil(self.latest / size)
        step = 5 if unit == "min" else 1
        low, high = low // step * step, -(-high // step) * step
        middle = max(step * round(self.after / size / step), step)
        said = f"in about {middle} {unit if middle != 1 else unit.removesuffix('s')}"
        return said if low == high else f"{said} (between {low} and {high} {unit})"


def _unit(length: timedelta) -> tuple[timedelta, str]:
    if length < timedelta(minutes=100):
        return timedelta(minutes=1), "min"
    return (_HOUR, "h") if length < timedelta(hours=48) else (timedelta(days=1), "days")


def find_trend(points: Points) -> Trend | None:
    """The trend of some values, oldest first; None where no line deserves to be believed."""
    if len(points) < _FEWEST:
        return None
    thin = _thinned(points)
    start, end = thin[0][0], thin[-1][0]
    steps = [((at - start) / _HOUR, value) for at, value in thin]
    slopes = sorted(_slopes(steps))
    if len(steps) < _FEWEST or not slopes:
        return None
    slope = median(slopes)
    base = median(value - slope * hour for hour, value in steps)
    scatter = 1.4826 * median(abs(value - base - slope * hour) for hour, value in steps)
    last = steps[-1][0]
    if slope == 0 or abs(slope) * last < _CLEAR * scatter:
        return None
    half = len(steps) // 2
    parts = [median(_slopes(part) or [0.0]) for part in (steps[:half], steps[half:])]
    if any(not 1 / _ALIKE <= part / slope <= _ALIKE for part in parts):
        return None
    low, high = _bounds(slopes, len(steps))
    ends = sorted([abs(each) for each in (*parts, low, high, slope)])
    if low * high <= 0:
        return None
    sign = math.copysign(1.0, slope)
    return Trend(
        at=end,
        level=base + slope * last,
        slope=slope,
        slowest=sign * ends[0],
        fastest=sign * ends[-1],
        scatter=scatter,
        span=end - start,
    )


def _slopes(steps: Sequence[tuple[float, float]]) -> list[float]:
    return [(y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(steps) for x2, y2 in steps[i + 1 :] if x2 > x1]


def _thinned(points: Points) -> list[tuple[datetime, float]]:
    """At most so many points, each the middle one of its share of the time."""
    if len(points) <= _BINS:
        return list(points)
    size = len(points) / _BINS
    found = []
    for number in range(_BINS):
        part = points[int(number * size) : int((number + 1) * size)]
        found.append((part[len(part) // 2][0], median(value for _, value in part)))
    return found


def _bounds(slopes: Sequence[float], count: int) -> tuple[float, float]:
    """Sen's bounds of the slope at 95 %."""
    width = _Z * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(0, round((len(slopes) - width) / 2))
    high = min(len(slopes) - 1, round((len(slopes) + width) / 2))
    return slopes[low], slopes[high]


def look_ahead(
    trends: Iterable[Trend], value: float, limit: float, now: datetime, *, below: bool = False
) -> Outlook | None:
    """When a limit not reached yet will be, by the first of the trends that can tell; None when none can."""
    found = (_outlook(trend, value, limit, now, below=below) for trend in trends)
    return next((outlook for outlook in found if outlook is not None), None)


def _outlook(trend: Trend, value: float, limit: float, now: datetime, *, below: bool) -> Outlook | None:
    left = limit - value
    if (left <= 0) != below or left == 0 or left * trend.slope <= 0:
        return None
    grown = abs(trend.slope) * (trend.span / _HOUR)
    if abs(value - trend.level_at(now)) > 3 * trend.scatter + 0.05 * grown:
        return None  # it has left the line, as after somebody made room
    after, soonest, latest = (left / slope for slope in (trend.slope, trend.fastest, trend.slowest))
    if after * _HOUR > _FARTHEST * trend.span or latest > _WIDEST * soonest:
        return None
    return Outlook(limit=limit, after=after * _HOUR, soonest=soonest * _HOUR, latest=latest * _HOUR)


def outlook_of(
    names: Mapping[str, Any], field: str, limit: float, now: datetime, *, below: bool = False
) -> Outlook | None:
    """The outlook of a field by what rules are handed."""
    value, trends = names.get(field), names.get(TRENDS, {}).get(field, ())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return look_ahead(trends, value, limit, now, below=below)
