"""What a figure usually is at this hour of the week, and how far from that is unusual.

Robust and seasonal: the middle and the quartiles of all values of the same hour of the week in the last five weeks; of
the same hour on the same kind of day while there are too few weeks. Half of the values may be anything without
moving the middle, a quarter without moving a quartile. Where nothing was ever 0 or less, distances are ratios, so
that a figure that swings widely can still be found missing. How often it errs: benchmarks/anomalies.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from statistics import median
from zoneinfo import ZoneInfo

from bot.domain.rollup import HOUR, Rollup, hour_of, together
from bot.domain.schedule import local_instant

USUAL = "@usual"
"""The name under which usual ranges, by field, are handed to rules; no reported field can be called so."""
SUCCESS = "success_rate_24h"

IN_A_ROW = 4
"""So many unusual values in a row make an alert, unless more are asked for."""
LASTING = timedelta(minutes=5)
"""They must span at least this, so that a check that runs every few seconds is no quicker to cry."""

_Z = 5.5  # distances from the middle, in the unit that is one standard deviation of normal noise
_QUARTILE = 1.4826
_EDGE = 0.2  # on either side of what is told as usual: a bad week in five is no part of it
_LEAST_SPREAD = 0.02  # of the middle: what never changed may change a little
_WEEKS, _DAYS = 5, 28
_FEWEST_WEEKS, _FEWEST_DAYS, _FEWEST_VALUES = 3, 4, 12
_FEWEST_SHARES = 7
_OFFSETS = (0, -1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """60 % of `values` lay from `low` to `high`; what is under `bottom` or over `top` is unusual."""

    low: float
    high: float
    bottom: float
    top: float
    values: int
    when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """An hour (its start, UTC) like the present one, so many days ago; or one `beside` such an hour."""

    hour: datetime
    days_ago: int
    beside: bool = False


def hours_like(now: datetime, zone: ZoneInfo) -> list[Like]:
    """The hours of the last weeks that a value of now may be compared with: same time of day, same kind of day."""
    local = now.astimezone(zone)
    found: dict[datetime, Like] = {}
    for offset in _OFFSETS:
        for days_ago in range(1, 7 * _WEEKS + 1):
            day = local.date() - timedelta(days=days_ago)
            if (day.weekday() >= 5) == (local.weekday() >= 5):
                wall = datetime.combine(day, time(local.hour)) + offset * HOUR
                hour = hour_of(local_instant(wall, zone))
                found.setdefault(hour, Like(hour=hour, days_ago=days_ago, beside=offset != 0))
    return list(found.values())


def usual_range(past: Sequence[tuple[Like, Rollup]]) -> Usual | None:
    """The usual range from roll-ups of `hours_like`; None for too little history.

    Of the same hour of the week, or of the day; with the hours beside it where it alone has few values. A few
    weeks tell the scatter badly, so that it is never taken for less than that of the hour on all such days.
    """
    same = [(like.days_ago, rollup) for like, rollup in past if not like.beside]
    near = [(like.days_ago, rollup) for like, rollup in past]
    for alike in (same, near):
        daily = _enough([each for each in alike if each[0] <= _DAYS], _FEWEST_DAYS)
        if weekly := _enough([each for each in alike if each[0] % 7 == 0], _FEWEST_WEEKS):
            return _range(weekly, [each for each in (weekly, daily) if each], "at this hour of the week")
        if daily:
            return _range(daily, [daily], "at this hour on such days")
    return None


def _enough(past: Sequence[tuple[int, Rollup]], days: int) -> Rollup | None:
    whole = together(rollup for _, rollup in past)
    if whole is None or whole.count < _FEWEST_VALUES or len({ago for ago, _ in past}) < days:
        return None
    return whole


def _range(whole: Rollup, scattered: Sequence[Rollup], when: str) -> Usual:
    middle, ratios = whole.quantile(0.5), all(each.minimum > 0 for each in scattered)
    spreads = [_spreads(each, ratios=ratios) for each in scattered]
    least = _LEAST_SPREAD * (1.0 if ratios else abs(middle))
    down, up = (_Z * max(least, *sides) for sides in zip(*spreads, strict=True))
    if ratios:
        bottom, top = middle * math.exp(-down), middle * math.exp(min(up, 300.0))
    else:
        bottom, top = middle - down, middle + up
    low, high = whole.quantile(_EDGE), whole.quantile(1 - _EDGE)
    return Usual(
        low=low, high=high, bottom=min(bottom, low), top=max(top, high), values=whole.count, when=when
    )


def _spreads(of: Rollup, *, ratios: bool) -> tuple[float, float]:
    """Below and above the middle, in the unit of one standard deviation of normal noise."""
    first, middle, third = (of.quantile(share) for share in (0.25, 0.5, 0.75))
    if ratios:
        return _QUARTILE * math.log(middle / first), _QUARTILE * math.log(third / middle)
    return _QUARTILE * (middle - first), _QUARTILE * (third - middle)


def usual_success(days: Sequence[Rollup]) -> Usual | None:
    """The usual share of runs that succeed, from each day's count of good ones (1) and bad ones (0).

    Unusual is only less. Noise of small counts is allowed for: a share of n runs has its own standard deviation.
    """
    shares = sorted(day.mean for day in days)
    if len(shares) < _FEWEST_SHARES:
        return None
    middle = median(shares)
    spread = _QUARTILE * median(abs(share - middle) for share in shares)
    runs = median(day.count for day in days)
    chance = math.sqrt(middle * (1 - middle) / runs)
    bottom = middle - max(_Z * spread, 4 * chance, 2 / runs, 5 * _LEAST_SPREAD)
    return Usual(
        low=shares[math.ceil(_EDGE * len(shares)) - 1],
        high=shares[math.ceil((1 - _EDGE) * len(shares)) - 1],
        bottom=bottom,
        top=math.inf,
        values=len(shares),
        when="over a day",
    )


def by_days(hours: Sequence[tuple[datetime, Rollup]], zone: tzinfo) -> list[Rollup]:
    """Hourly roll-ups brought together by the zone's days."""
    days: dict[object, Rollup] = {}
    for hour, rollup in hours:
        day = hour.astimezone(zone).date()
        days[day] = days[day] + rollup if day in days else rollup
    return list(days.values())
