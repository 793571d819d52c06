"""Statistics over values of a field: what digests, status lines and reports are made of."""

from __future__ import annotations

import math
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
    "last": lambda values: values[-1],
    "p50": lambda values: percentile(values, 0.50),
    "p95": lambda values: percentile(values, 0.95),
    "p99": lambda values: percentile(values, 0.99),
}


def statistic(name: str, values: Sequence[Any]) -> float | None:
    """A statistic over the values that are numbers, oldest first; None when there are none.

    `count` counts every value that is there, numbers or not. Booleans count as 1 and 0.
    """
    present = [value for value in values if value is not None]
    if name == "count":
        return float(len(present))
    numbers = [float(value) for value in present if isinstance(value, int | float) and value == value]
    return STATISTICS[name](numbers) if numbers else None
