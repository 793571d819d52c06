"""When scheduled things are due: every so often, at a time of day, or by cron, right across clock changes.

A time of day that a clock change skips is due at the first instant after the gap; one that it repeats is due
once, the first time. Cron follows Debian's cron (the cronsim library).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_LONGEST_CLOCK_CHANGE = timedelta(hours=3)


class Schedule(Protocol):
    """Instants at which something is due. Two that are equal are due at the same ones."""

    def __hash__(self) -> int: ...

    def next_after(self, instant: datetime) -> datetime:
        """The first due instant later than `instant` (aware UTC)."""
        ...

    def last_until(self, instant: datetime) -> datetime:
        """The newest due instant not later than `instant` (aware UTC)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """Due at whole multiples of an interval since 1970, so that restarts do not shift it."""

    interval: timedelta

    def next_after(self, instant: datetime) -> datetime:
        return self.last_until(instant) + self.interval

    def last_until(self, instant: datetime) -> datetime:
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + (instant - epoch) // self.interval * self.interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily:
    """Due at a time of day in a zone."""

    at: time
    zone: ZoneInfo

    def next_after(self, instant: datetime) -> datetime:
        day = instant.astimezone(self.zone).date() - timedelta(days=1)
        while (due := self.on(day.toordinal())) <= instant:
            day += timedelta(days=1)
        return due

    def last_until(self, instant: datetime) -> datetime:
        day = instant.astimezone(self.zone).date() + timedelta(days=1)
        while (due := self.on(day.toordinal())) > instant:
            day -= timedelta(days=1)
        return due

    def on(self, ordinal: int) -> datetime:
        """The due instant of one local day."""
        day = datetime.fromordinal(ordinal).date()
        return local_instant(datetime.combine(day, self.at), self.zone)


@dataclass(frozen=True, slots=True)
class Cron:
    """Due by a cron expression in a zone. Raises ValueError for one that is none."""

    expression: str
    zone: ZoneInfo

    def __post_init__(self) -> None:
        try:
            CronSim(self.expression, datetime(2026, 1, 1, tzinfo=self.zone))
        except CronSimError as error:
            raise ValueError(f"{self.expression!r} is not a cron expression: {error}") from None

    def next_after(self, instant: datetime) -> datetime:
        due: datetime = next(CronSim(self.expression, instant.astimezone(self.zone)))
        return due.astimezone(UTC)

    def last_until(self, instant: datetime) -> datetime:
        before = instant
        while True:
            before = self._somewhat_before(before)
            last = None
            for due in CronSim(self.expression, before.astimezone(self.zone)):
                if due.astimezone(UTC) > instant:
                    break
                last = due.astimezone(UTC)
            if last is not None:
                return last

    def _somewhat_before(self, instant: datetime) -> datetime:
        """An instant with at least one due instant, as a rule, between it and `instant`.

        CronSim's way back errs where clocks repeat an hour, so it only serves to find where to begin.
        """
        due: datetime = next(CronSim(self.expression, instant.astimezone(self.zone), reverse=True))
        return min(due.astimezone(UTC), instant) - _LONGEST_CLOCK_CHANGE


@dataclass(frozen=True, slots=True)
class Together:
    """Due whenever one of some schedules is."""

    schedules: tuple[Schedule, ...]

    def next_after(self, instant: datetime) -> datetime:
        return min(schedule.next_after(instant) for schedule in self.schedules)

    def last_until(self, instant: datetime) -> datetime:
        return max(schedule.last_until(instant) for schedule in self.schedules)


def local_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which a zone's clocks show `wall` (naive); after a skipped hour, the gap's end."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    back = instant.astimezone(zone).replace(tzinfo=None)
    if back == wall:
        return instant
    # In a gap, fold=0 reads the wall time by the offset before it: the result lies past the gap by as much as
    # `wall` lies within it. The gap's end is where the offset changes.
    before = wall.replace(tzinfo=zone, fold=0).utcoffset()
    after = wall.replace(tzinfo=zone, fold=1).utcoffset()
    assert before is not None
    assert after is not None
    low, high = instant - abs(after - before), instant
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset():
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def local_day(instant: datetime, zone: ZoneInfo, days: int = 0) -> tuple[datetime, datetime]:
    """The [start, end) of a local calendar day, `days` from the one that holds `instant`; 23 to 25 h long."""
    day = instant.astimezone(zone).date() + timedelta(days=days)
    midnight = datetime.combine(day, time(0))
    return local_instant(midnight, zone), local_instant(midnight + timedelta(days=1), zone)


def days_before(start: datetime, end: datetime, zone: ZoneInfo, days: int) -> tuple[datetime, datetime]:
    """The same part of the day as [start, end), whole days before, by the clocks of a zone."""

    def shifted(instant: datetime) -> datetime:
        return local_instant(
            instant.astimezone(zone).replace(tzinfo=None, fold=0) - timedelta(days=days), zone
        )

    return shifted(start), shifted(end)


def local_month(instant: datetime, zone: ZoneInfo, months: int = 0) -> tuple[datetime, datetime]:
    """The [start, end) of a local calendar month, `months` from the one that holds `instant`."""
    local = instant.astimezone(zone)
    number = local.year * 12 + local.month - 1 + months

    def first(month: int) -> datetime:
        return local_instant(datetime(month // 12, month % 12 + 1, 1), zone)  # noqa: DTZ001

    return first(number), first(number + 1)
