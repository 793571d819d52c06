"""A check-in: how some checks stand at a time of day, and how long the card is worth following."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.schedule import local_instant
from checks.result import State

_BADNESS = (State.OK, State.PENDING, State.UNKNOWN, State.WARNING, State.CRITICAL)
_WRONG = (State.UNKNOWN, State.WARNING, State.CRITICAL)
_SLACK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckinLine:
    """A check on the card. `at` is when it was last looked at; None when never."""

    name: str
    state: State
    summary: str
    at: datetime | None

    @property
    def is_wrong(self) -> bool:
        return self.state in _WRONG


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """A check that is pending: the clock times, since the day's midnight, that may end that, and its interval.

    A time of 24 hours or more is on the next day.
    """

    times: tuple[timedelta, ...]
    every: timedelta


def overall(lines: Iterable[CheckinLine]) -> State:
    """The worst of the lines; ok when there are none."""
    return max((line.state for line in lines), key=_BADNESS.index, default=State.OK)


def wrong_since(before: Iterable[CheckinLine], now: Iterable[CheckinLine]) -> list[CheckinLine]:
    """The lines that are wrong now and were not before."""
    known = {line.name for line in before if line.is_wrong}
    return [line for line in now if line.is_wrong and line.name not in known]


def live_until(now: datetime, pending: Sequence[Awaited], zone: ZoneInfo) -> datetime | None:
    """Until when a card is followed that has pending checks; None when it has none.

    That is the last of the times still to come today that may end it, and one look after it. Without such a time
    it is the next look.
    """
    if not pending:
        return None
    return max(_ends(now, awaited, zone) for awaited in pending)


def _ends(now: datetime, awaited: Awaited, zone: ZoneInfo) -> datetime:
    midnight = datetime.combine(now.astimezone(zone).date(), time())
    instants = [local_instant(midnight + at, zone) for at in awaited.times]
    last = max((instant for instant in instants if instant > now), default=now)
    return last + 2 * awaited.every + _SLACK


def since_midnight(at: time, after: time | None = None) -> timedelta:
    """A time of day as the time since midnight; on the next day when it lies before `after`."""
    found = timedelta(hours=at.hour, minutes=at.minute)
    return found + timedelta(days=1) if after is not None and at < after else found
