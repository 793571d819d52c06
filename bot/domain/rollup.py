"""An hour's numbers of a field brought together, so that long looks back cost little."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from bot.domain.sketch import LARGEST, Sketch

HOUR = timedelta(hours=1)
LONGEST_NAME = 200
UP = "@up"
"""The field that counts a source's results (1 good, 0 bad); no reported field may begin with an @."""
DURATION = "duration_seconds"
Share = tuple[str, str]
"""A field and a value of it: how often the field has that value is rolled up as well, under `share_field`."""


def share_field(field: str, value: str) -> str:
    """The name under which it is kept how often a field has a value (1 when it has, 0 when another)."""
    name = f"@share:{field}={value.lower()}"
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 17]}#{digest}"


def has_value(found: Any, value: str) -> float | None:
    """Whether a field has a value, in any case of letters, as 1 or 0; None when it is not there."""
    return None if found is None else float(str(found).lower() == value.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """Some numbers. Quantiles are within sketch.ERROR; without a sketch all the numbers are the same one."""

    count: int
    total: float
    minimum: float
    maximum: float
    sketch: Sketch | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> Rollup:
        """At least one number, none larger than sketch.LARGEST. Equal for the same numbers in whatever order."""
        low, high = min(values), max(values)
        sketch = Sketch.of(values) if low < high else None
        return cls(count=len(values), total=math.fsum(values), minimum=low, maximum=high, sketch=sketch)

    def __add__(self, other: Rollup) -> Rollup:
        low, high = min(self.minimum, other.minimum), max(self.maximum, other.maximum)
        return Rollup(
            count=self.count + other.count,
            total=self.total + other.total,
            minimum=low,
            maximum=high,
            sketch=self._sketch() + other._sketch() if low < high else None,
        )

    @property
    def mean(self) -> float:
        return self.total / self.count

    def quantile(self, share: float) -> float:
        """The smallest number that at least `share` (0 to 1) of them do not exceed, within sketch.ERROR."""
        rank = max(1, math.ceil(share * self.count))
        if self.sketch is None or rank == 1:
            return self.minimum
        if rank >= self.count:
            return self.maximum
        return min(max(self.sketch.at_rank(rank), self.minimum), self.maximum)

    def _sketch(self) -> Sketch:
        return self.sketch if self.sketch is not None else Sketch.of([self.minimum], self.count)


def together(rollups: Iterable[Rollup]) -> Rollup | None:
    """All of them as one; None when there are none."""
    found = list(rollups)
    return reduce(Rollup.__add__, found) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How often a check was up, or a job succeeded, in some time; of a job also how long its runs took."""

    count: int = 0
    good: int = 0
    timed: int = 0
    seconds: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            count=self.count + other.count,
            good=self.good + other.good,
            timed=self.timed + other.timed,
            seconds=self.seconds + other.seconds,
        )

    @property
    def share(self) -> float | None:
        """The good ones of all, 0 to 1; None when there were none."""
        return self.good / self.count if self.count else None

    @property
    def mean_seconds(self) -> float | None:
        return self.seconds / self.timed if self.timed else None


class Gathering:
    """Collects what a source reported in an hour: numbers by resource and field, and how often `shares` applied."""

    def __init__(self, shares: Iterable[Share] = ()) -> None:
        self._shares = tuple(shares)
        self._values: dict[tuple[str, str], list[float]] = {}

    def add(self, resource: str, fields: Mapping[str, Any], up: bool | None) -> None:
        """One result. `up` says whether it was good; None when it says nothing of that."""
        if up is not None:
            self._values.setdefault((resource, UP), []).append(float(up))
        for name, value in fields.items():
            if isinstance(value, int | float) and abs(value) <= LARGEST and not name.startswith("@"):
                self._values.setdefault((resource, name), []).append(float(value))
        for name, value in self._shares:
            if (fits := has_value(fields.get(name), value)) is not None:
                self._values.setdefault((resource, share_field(name, value)), []).append(fits)

    def rollups(self) -> dict[tuple[str, str], Rollup]:
        """By resource and field."""
        return {key: Rollup.of(values) for key, values in self._values.items()}


def hour_of(instant: datetime) -> datetime:
    """The start of the hour (UTC) that holds an instant."""
    return instant.replace(minute=0, second=0, microsecond=0)
