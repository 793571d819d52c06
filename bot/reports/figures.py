"""Statistics over values of a field: what digests, status lines and reports are made of."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": math.fsum,
    "avg": fmean,
    "min": min,
    "max": max,
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
}
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_SHARE = re.compile(r"share of '(.*)'")


def statistic(name: str, values: Sequence[Any]) -> float | None:
    """A statistic over the values that are numbers, oldest first; None when there are none.

    The names are those of the configuration: sum, avg, min, max, first, last, count, p95 or any other
    percentile, `share of 'live'` (0 to 1, of the values that are there). `count` counts every value that is
    there, numbers or not. Booleans count as 1 and 0.
    """
    present = [value for value in values if value is not None]
    if name == "count":
        return float(len(present))
    if match := _SHARE.fullmatch(name):
        return fmean(str(value).lower() == match[1].lower() for value in present) if present else None
    numbers = [float(value) for value in present if isinstance(value, int | float) and value == value]
    if not numbers:
        return None
    if match := _PERCENTILE.fullmatch(name):
        return percentile(numbers, float(match[1]) / 100)
    return STATISTICS[name](numbers)
