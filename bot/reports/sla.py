"""Objectives against what was reached in a month: target, current, state and trend."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.config.scalars import Target
from bot.domain.rollup import Rollup
from bot.domain.template import format_value

_PERCENT_NAME = re.compile(r"(?:^|_)(?:pct|percent|percentage)(?:_|$)")
_SECONDS = {
    "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0, "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip
_UNIT_OF_NAME = re.compile(r"_(us|ms|s|sec|seconds|min|minutes|h|hours|days)(?:_p\d+)?$")
_LATE_START = timedelta(days=1)


class Standing(StrEnum):
    """How an objective stands."""

    MET = "met"
    MISSED = "missed"
    NO_DATA = "no data"


class Trend(StrEnum):
    """Against the month before."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "unchanged"
    UNKNOWN = "nothing to compare with"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of an objective in a month; `since`: the first instant that anything is known of."""

    rollup: Rollup | None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveFigures:
    """A line of the report. Figures are in the target's own unit; `since` when it is known only from then on."""

    name: str
    target: Target
    current: float | None
    before: float | None
    values: int
    since: datetime | None = None

    @property
    def standing(self) -> Standing:
        if self.current is None:
            return Standing.NO_DATA
        return Standing.MET if self.target.met_by(self.current) else Standing.MISSED

    @property
    def trend(self) -> Trend:
        if self.current is None or self.before is None:
            return Trend.UNKNOWN
        if written(self.current, self.target) == written(self.before, self.target):
            return Trend.SAME
        rose = self.current > self.before
        return Trend.BETTER if rose == self.target.operator.startswith(">") else Trend.WORSE


@dataclass(frozen=True, slots=True, kw_only=True)
class SlaReport:
    """The report on [start, end), which may end before the month does. `month` is its name: `2026-10`."""

    name: str
    month: str
    start: datetime
    end: datetime
    objectives: Sequence[ObjectiveFigures]
    is_whole: bool = True

    @property
    def missed(self) -> int:
        return sum(each.standing is Standing.MISSED for each in self.objectives)

    @property
    def unknown(self) -> int:
        return sum(each.standing is Standing.NO_DATA for each in self.objectives)


def objective_figures(
    name: str, field: str, stat: str, target: Target, now: Measured, before: Measured, start: datetime
) -> ObjectiveFigures:
    """A line from what was measured this month and the month before."""
    late = now.since is not None and now.since - start > _LATE_START
    return ObjectiveFigures(
        name=name,
        target=target,
        current=_figure(now.rollup, field, stat, target),
        before=_figure(before.rollup, field, stat, target),
        values=0 if now.rollup is None else now.rollup.count,
        since=now.since if late else None,
    )


def _figure(rollup: Rollup | None, field: str, stat: str, target: Target) -> float | None:
    found = None if rollup is None else of_rollup(rollup, stat)
    if rollup is None or found is None:
        return None
    if stat == "count":
        return found
    return found * factor(field, stat, target.unit, rollup.maximum)


def of_rollup(rollup: Rollup, stat: str) -> float | None:
    """A statistic by the configuration's name; None for one that a roll-up does not know (`first`, `last`)."""
    if stat.startswith("share of "):
        return rollup.mean  # of ones and zeros
    if stat.startswith("p") and stat[1:2].isdigit():
        return rollup.quantile(float(stat[1:]) / 100)
    known = {
        "sum": rollup.total,
        "avg": rollup.mean,
        "min": rollup.minimum,
        "max": rollup.maximum,
        "count": float(rollup.count),
    }
    return known.get(stat)


def factor(field: str, stat: str, unit: str, largest: float) -> float:
    """What a field's figure is multiplied by to be in the target's unit.

    A field is in percent already when its name says so (`pct`, `percent`) or when a value of it exceeds 1; else
    it is a share. A time is in the unit that ends its name (`response_time_ms`).
    """
    if unit == "%":
        is_share = stat.startswith("share of ") or (not _PERCENT_NAME.search(field) and largest <= 1)
        return 100.0 if is_share else 1.0
    own = _UNIT_OF_NAME.search(field)
    if own is None or unit.lower() not in _SECONDS:
        return 1.0
    return _SECONDS[own[1]] / _SECONDS[unit.lower()]


def written(figure: float, target: Target) -> str:
    """A figure in the target's unit, with so many digits that it does not seem to meet a target it misses."""
    digits = _decimals(target.value) + (1 if target.unit == "%" else 0)
    text = f"{figure:.{digits}f}"
    while target.met_by(float(text)) != target.met_by(figure) and digits < 9:
        digits += 1
        text = f"{figure:.{digits}f}"
    space = "" if target.unit in ("", "%") else " "
    return f"{text}{space}{target.unit}"


def _decimals(value: float) -> int:
    text = format_value(value, "")
    return min(len(text.partition(".")[2]), 6) if "e" not in text else 0


COLUMNS = (
    "month", "objective", "target", "current", "unit", "state", "trend", "month before", "values", "since",
)  # fmt: skip


def as_csv(report: SlaReport) -> str:
    """The report as CSV (RFC 4180, UTF-8): one line an objective, numbers with a point, empty where unknown."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for each in report.objectives:
        writer.writerow(
            [
                report.month,
                _harmless(each.name),
                str(each.target),
                _number(each.current),
                each.target.unit,
                each.standing.value,
                "" if each.trend is Trend.UNKNOWN else each.trend.value,
                _number(each.before),
                each.values,
                "" if each.since is None else each.since.isoformat(),
            ]
        )
    return out.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else repr(round(value, 6))


def _harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
