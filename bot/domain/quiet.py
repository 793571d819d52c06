"""Quiet hours: times at which lesser alerts name nobody, or wait for the morning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.schedule import local_instant
from bot.domain.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From one time of day until another in a zone; past midnight when the end is not the later one.

    `days` are the weekdays (0 is Monday) on which they begin, None for all. Alerts less severe than `below` are
    quiet; with `hold` they are not told before the end.
    """

    start: time
    end: time
    zone: ZoneInfo
    below: Severity
    days: frozenset[int] | None = None
    hold: bool = False

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone.key}"

    def until(self, now: datetime) -> datetime | None:
        """The end of the quiet hours that `now` lies in, itself no longer quiet; None outside."""
        today = now.astimezone(self.zone).date()
        for day in (today - timedelta(days=1), today):
            if self.days is not None and day.weekday() not in self.days:
                continue
            last = day if self.end > self.start else day + timedelta(days=1)
            begin = local_instant(datetime.combine(day, self.start), self.zone)
            end = local_instant(datetime.combine(last, self.end), self.zone)
            if begin <= now < end:
                return end
        return None


def quiet_until(
    hours: Sequence[QuietHours], severity: Severity, now: datetime
) -> tuple[QuietHours, datetime] | None:
    """The quiet hours that an alert of this severity falls into, and when they end; the last to end counts.

    Hours that follow one another without a gap are one.
    """
    found: tuple[QuietHours, datetime] | None = None
    instant = now
    for _ in range(len(hours) * 7 + 1):
        ends = [
            (each, end)
            for each in hours
            if severity > each.below and (end := each.until(instant)) is not None
        ]
        if not ends:
            break
        each, instant = max(ends, key=lambda pair: pair[1])
        found = (found[0] if found else each, instant)
    return found
