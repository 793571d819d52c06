"""Charts of a digest as figures: times brought together in at most twenty parts, split into series."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from bot.domain.schedule import local_day
from bot.reports.figures import statistic
from checks.result import Value

MOST_PARTS = 20
MOST_SERIES = 6
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)

Bucket = tuple[datetime, datetime]
Series = Sequence[tuple[datetime, Mapping[str, Value]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartFigures:
    """What a chart shows. A series has a figure, or None, for each of `starts`; `left_out` series are not shown.

    `each` says what one part is: `day`, `3 days`, `hour`.
    """

    title: str
    kind: Literal["line", "bar", "area", "pie"]
    stat: str
    each: str
    starts: Sequence[datetime]
    series: Mapping[str, Sequence[float | None]]
    left_out: int = 0

    @property
    def is_empty(self) -> bool:
        return all(value is None for values in self.series.values() for value in values)


def buckets(end: datetime, over: timedelta, zone: ZoneInfo) -> tuple[list[Bucket], str]:
    """The time before `end` in at most twenty parts, oldest first, and what one part is.

    From two days on the parts are local days (23 to 25 hours long) or several of them, else hours. The last part
    ends at `end`, so it may be shorter.
    """
    if over >= 2 * _DAY:
        return _days(end, over, zone)
    count = max(1, math.ceil(over / _HOUR))
    step = math.ceil(count / MOST_PARTS)
    last = end.replace(minute=0, second=0, microsecond=0)
    last = last if last < end else last - _HOUR
    starts = [last + _HOUR - _HOUR * step * number for number in range(math.ceil(count / step), 0, -1)]
    return _closed(starts, end), "hour" if step == 1 else f"{step} hours"


def _days(end: datetime, over: timedelta, zone: ZoneInfo) -> tuple[list[Bucket], str]:
    count = math.ceil(over / _DAY)
    step = math.ceil(count / MOST_PARTS)
    newest = end - timedelta(microseconds=1)
    starts = [
        local_day(newest, zone, 1 - step * number)[0] for number in range(math.ceil(count / step), 0, -1)
    ]
    return _closed(starts, end), "day" if step == 1 else f"{step} days"


def _closed(starts: Sequence[datetime], end: datetime) -> list[Bucket]:
    return list(zip(starts, [*starts[1:], end], strict=True))


def figures_of(
    series: Series, field: str, stat: str, by: str | None, parts: Sequence[Bucket], name: str
) -> tuple[dict[str, list[float | None]], int]:
    """A figure a part from single values, split by a field; and how many series are left out for there are too many.

    Those with the most values are kept, by name. Without `by` the only series is called `name`.
    """
    split: dict[str, list[tuple[datetime, Value]]] = {}
    for at, fields in series:
        label = name if by is None else _label(fields.get(by))
        if field in fields and label is not None:
            split.setdefault(label, []).append((at, fields[field]))
    counts = Counter({label: len(values) for label, values in split.items()})
    kept = sorted(sorted(counts, key=lambda label: (-counts[label], label))[:MOST_SERIES])
    found = {
        label: [
            statistic(stat, [value for at, value in split[label] if start <= at < end])
            for start, end in parts
        ]
        for label in kept
    }
    if stat == "count":
        found = {label: [value or None for value in values] for label, values in found.items()}
    return found, len(counts) - len(kept)


def _label(value: Value) -> str | None:
    return None if value is None or value == "" else str(value)
