"""When and about what alerts came over some days, with a sentence that says no more than the figures do (MH9)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from statistics import fmean, median

from bot.domain.severity import Severity

FEW = 5
"""Fewer alerts tell no pattern, and the sentence says so."""
_STANDS_OUT = 2  # times the even share that an hour must hold to be called busy
_BRIEF = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """An alert as patterns see it. `resolved_by` is None for one that went away by itself.

    `resolved_at` is None while it is open, and for one that expired: nobody knows when that was over.
    """

    rule: str
    resource: str
    severity: Severity
    opened_at: datetime
    times: int = 1
    resolved_at: datetime | None = None
    resolved_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Noisiest:
    """The problem that began most often, times it came back included."""

    rule: str
    resource: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Figures of the alerts that began in [start, end). Hours are those of the team's zone, all 24 of them.

    `types` and `resources` stand most common first. Minutes are those of resolved alerts.
    """

    start: datetime
    end: datetime
    total: int
    types: Mapping[str, int]
    resources: Mapping[str, int]
    hours: tuple[int, ...]
    severities: Mapping[Severity, int]
    resolved: int
    by_itself: int
    mean_minutes: float | None = None
    median_minutes: float | None = None
    median_minutes_by_itself: float | None = None
    noisiest: Noisiest | None = None

    @property
    def peak_hour(self) -> int | None:
        """The hour in which most began; the earliest of several. None without alerts."""
        return self.hours.index(max(self.hours)) if self.total else None

    @property
    def insight(self) -> str:
        """What stands out, in a sentence or two."""
        return " ".join(_insight(self))


def find_pattern(episodes: Sequence[Episode], start: datetime, end: datetime, zone: tzinfo) -> Pattern:
    """The figures of the alerts that began in [start, end); they must be all of them."""
    hours = Counter(episode.opened_at.astimezone(zone).hour for episode in episodes)
    resolved = [episode for episode in episodes if episode.resolved_at is not None]
    minutes = _minutes(resolved)
    alone = _minutes([episode for episode in resolved if episode.resolved_by is None])
    return Pattern(
        start=start,
        end=end,
        total=len(episodes),
        types=_counted(episode.rule for episode in episodes),
        resources=_counted(episode.resource for episode in episodes),
        hours=tuple(hours[hour] for hour in range(24)),
        severities={level: sum(episode.severity is level for episode in episodes) for level in Severity},
        resolved=len(resolved),
        by_itself=len(alone),
        mean_minutes=fmean(minutes) if minutes else None,
        median_minutes=median(minutes) if minutes else None,
        median_minutes_by_itself=median(alone) if alone else None,
        noisiest=_noisiest(episodes),
    )


def _counted(names: object) -> dict[str, int]:
    counts = Counter(names)  # type: ignore[call-overload]
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _minutes(resolved: Sequence[Episode]) -> list[float]:
    return [
        max(0.0, (episode.resolved_at - episode.opened_at) / timedelta(minutes=1))
        for episode in resolved
        if episode.resolved_at is not None
    ]


def _noisiest(episodes: Sequence[Episode]) -> Noisiest | None:
    """None when nothing began twice."""
    times: Counter[tuple[str, str]] = Counter()
    for episode in episodes:
        times[episode.rule, episode.resource] += episode.times
    if not times:
        return None
    (rule, resource), most = min(times.items(), key=lambda item: (-item[1], item[0]))
    return Noisiest(rule=rule, resource=resource, times=most) if most > 1 else None


def percent(part: int, whole: int) -> int:
    """A share in whole percent, never rounded up."""
    return 100 * part // whole


def spell_days(length: timedelta) -> str:
    """`7 days`, `1 day`, `12 hours`."""
    hours = round(length / timedelta(hours=1))
    count, word = (hours // 24, "day") if hours % 24 == 0 else (hours, "hour")
    return f"{count} {word}{'' if count == 1 else 's'}"


def hour_words(hour: int) -> str:
    """`14:00 to 15:00`."""
    return f"{hour:02}:00 to {(hour + 1) % 24:02}:00"


def _insight(found: Pattern) -> list[str]:
    length = spell_days(found.end - found.start)
    if not found.total:
        return [f"No alert began in {length}."]
    if found.total < FEW:
        alerts = "alert" if found.total == 1 else "alerts"
        return [f"Only {found.total} {alerts} began in {length}: too few to tell a pattern."]
    said = [_of_types(found), _of_hours(found), _of_ends(found)]
    return [sentence for sentence in said if sentence]


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({percent(part, whole)}%)"


def _of_types(found: Pattern) -> str:
    (name, most), *others = found.types.items()
    share = _share(most, found.total)
    if most == found.total:
        return f'All {found.total} alerts were "{name}".'
    if 2 * most > found.total:
        return f'Most alerts were "{name}": {share}.'
    if others[0][1] < most:
        return f'The most common was "{name}": {share}.'
    return f"No type stands out: {len(found.types)} types, at most {most} alerts of each."


def _of_hours(found: Pattern) -> str:
    hour = found.peak_hour
    assert hour is not None
    most = found.hours[hour]
    when = hour_words(hour)
    if 2 * most > found.total:
        return f"Most began from {when}: {_share(most, found.total)}."
    unique = found.hours.count(most) == 1
    if unique and most >= 3 and most * 24 >= _STANDS_OUT * found.total:
        return f"The busiest hour is {when}, with {_share(most, found.total)}."
    return "No hour of the day stands out."


def _of_ends(found: Pattern) -> str:
    """Alerts that are over before anybody can look are better not sent."""
    usual = found.median_minutes_by_itself
    if found.resolved < FEW or usual is None or 2 * found.by_itself <= found.resolved:
        return ""
    said = f"Most resolved by themselves: {_share(found.by_itself, found.resolved)} of those resolved"
    if usual <= _BRIEF / timedelta(minutes=1):
        brief_ones = f"{said}, half of them within {math.ceil(usual)} min"
        return f"{brief_ones}; a longer wait (for) would keep such short ones quiet."
    return f"{said}."


def brief(minutes: float) -> str:
    """`4 min`, or `2.5 h` from two hours on."""
    if minutes < 119.5:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h"
