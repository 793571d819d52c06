"""A job's record as its runs come in one after the other: read once, then carried on in memory."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.jobs import PastRun, Record
from bot.domain.run import RunStatus


class History:
    """Answers for any instant in [first, last] what the stored runs would, and those added since.

    `until_first` is the record at `first`, with at least as many of the newest as will be asked for. `near`
    are the stored runs, oldest first, that a later record counts beside it or no longer: those that ended in
    (first - window, last - window] and in (first, last]. One that is `whole` has all that ended after
    first - window, and answers for every instant from `first` on.
    """

    def __init__(
        self,
        *,
        first: datetime,
        window: timedelta,
        until_first: Record,
        near: Sequence[PastRun],
        whole: bool = False,
    ) -> None:
        self.whole = whole
        self._first = first
        self._window = window
        self._runs = [*reversed(until_first.newest), *(run for run in near if run.finished_at > first)]
        self._ends = [run.finished_at for run in self._runs]
        self._ended = _Count(first, window, until_first.ended)
        self._succeeded = _Count(first, window, until_first.succeeded)
        self._refused = _Count(first, window, until_first.refused)
        for run in near:
            self._count(run)

    @property
    def first(self) -> datetime:
        """The earliest instant it answers for."""
        return self._first

    @property
    def size(self) -> int:
        """How many instants and runs it holds."""
        counts = (self._ended, self._succeeded, self._refused)
        return len(self._runs) + sum(len(count.times) for count in counts)

    def advance(self, first: datetime, newest: int) -> None:
        """Answer no more for what was before `first`, and forget all that only that needed.

        `newest`: how many of the newest runs will be asked for at most.
        """
        if first <= self._first:
            return
        for count in (self._ended, self._succeeded, self._refused):
            count.advance(first)
        needless = bisect_right(self._ends, first) - newest
        if needless > 0:
            del self._ends[:needless], self._runs[:needless]
        self._first = first

    def add(self, run: PastRun) -> None:
        """A run was stored. Of those that ended at one instant, the one added last is the newest."""
        if run.status is RunStatus.LOG:
            return  # what a job only said is no part of its record
        place = bisect_right(self._ends, run.finished_at)
        self._ends.insert(place, run.finished_at)
        self._runs.insert(place, run)
        if self._first - self._window < run.finished_at <= self._first:
            for count in self._counts_of(run):
                count.base += 1
        self._count(run)

    def record(self, until: datetime, newest: int) -> Record:
        """The record at an instant: the newest runs that ended by then, and how many in the window before it."""
        end = bisect_right(self._ends, until)
        return Record(
            newest=self._runs[max(0, end - newest) : end][::-1],
            succeeded=self._succeeded.until(until),
            ended=self._ended.until(until),
            refused=self._refused.until(until),
        )

    def _count(self, run: PastRun) -> None:
        if run.finished_at > self._first - self._window:
            for count in self._counts_of(run):
                insort(count.times, run.finished_at)

    def _counts_of(self, run: PastRun) -> list[_Count]:
        counts = [self._ended]
        if run.status is RunStatus.SUCCESS:
            counts.append(self._succeeded)
        if run.refused:
            counts.append(self._refused)
        return counts


class _Count:
    """How many ended in the window before an instant: those before `first`, and who came and left since."""

    __slots__ = ("_first", "_window", "base", "times")

    def __init__(self, first: datetime, window: timedelta, base: int) -> None:
        self._first = first
        self._window = window
        self.base = base
        self.times: list[datetime] = []

    def advance(self, first: datetime) -> None:
        """Count from a later instant on."""
        self.base = self.until(first)
        self._first = first
        del self.times[: bisect_right(self.times, first - self._window)]

    def until(self, instant: datetime) -> int:
        came = bisect_right(self.times, instant) - bisect_right(self.times, self._first)
        return self.base + came - bisect_right(self.times, instant - self._window)
