"""When something goes back and forth too often to be told of each time.

Of the last 21 answers each change counts, the newest most, as in Icinga 2 (weights 0.8 to 1.18). Above the one
threshold it begins to flap, below the other it has stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

REMEMBERED = 21
_CHANGES = REMEMBERED - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FlappingLimits:
    """Shares of weighted changes, in percent: flapping begins at `start` and ends under `end`."""

    start: float = 30.0
    end: float = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """The last answers as `1` (bad) and `0` (good), newest last, and whether they flap."""

    answers: str = ""
    flapping: bool = False

    def advanced(self, bad: bool, limits: FlappingLimits) -> Recent:
        """With one answer more."""
        answers = (self.answers + ("1" if bad else "0"))[-REMEMBERED:]
        share = percent(answers)
        return Recent(answers=answers, flapping=share >= (limits.end if self.flapping else limits.start))

    @property
    def changes(self) -> int:
        """How often the answer changed."""
        return sum(before != after for before, after in pairwise(self.answers))


def percent(answers: str) -> float:
    """The weighted share of changes among up to 21 answers, newest last; missing ones count as no change."""
    newest_first = zip(answers[::-1], answers[-2::-1], strict=False)
    weights = (0.8 + 0.02 * (_CHANGES - 1 - age) for age, (a, b) in enumerate(newest_first) if a != b)
    return 100 * sum(weights) / _CHANGES
