"""Who is on call: people who take turns, handed over at a time of day or of the week, with exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.schedule import local_instant

_SOME_MONDAY = date(2024, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Somebody takes over in [start, end)."""

    who: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """People taking turns. `weekday` (0 is Monday) hands over once a week, None every day.

    The first of them begins at the first hand-over on or after `starts`. Of overrides that overlap the last
    written counts.
    """

    people: tuple[str, ...]
    at: time
    zone: ZoneInfo
    weekday: int | None = None
    starts: date = _SOME_MONDAY
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Who is on call, until when, and who follows; no end where it is always the same person."""

    who: str
    until: datetime | None = None
    then: str | None = None


def on_call(rotation: Rotation, now: datetime) -> str:
    """Who is on call at an instant."""
    for override in reversed(rotation.overrides):
        if override.start <= now < override.end:
            return override.who
    return _turn(rotation, now)


def duty(rotation: Rotation, now: datetime) -> Duty:
    """Who is on call at an instant, and the next time it is somebody else."""
    who = on_call(rotation, now)
    for instant in _boundaries(rotation, now):
        if (then := on_call(rotation, instant)) != who:
            return Duty(who=who, until=instant, then=then)
    return Duty(who=who)


def _turn(rotation: Rotation, now: datetime) -> str:
    """Whose turn it is by the order alone; counted in days of the calendar, so clock changes shift nothing."""
    every = 1 if rotation.weekday is None else 7
    last = now.astimezone(rotation.zone).date() + timedelta(days=1)
    while not _hands_over(rotation, last) or _instant(rotation, last) > now:
        last -= timedelta(days=1)
    first = rotation.starts
    while not _hands_over(rotation, first):
        first += timedelta(days=1)
    return rotation.people[(last - first).days // every % len(rotation.people)]


def _hands_over(rotation: Rotation, day: date) -> bool:
    return rotation.weekday is None or day.weekday() == rotation.weekday


def _instant(rotation: Rotation, day: date) -> datetime:
    return local_instant(datetime.combine(day, rotation.at), rotation.zone)


def _boundaries(rotation: Rotation, now: datetime) -> Iterator[datetime]:
    """The instants after `now` at which somebody else may be on call, in order, as far as it can matter."""
    edges = {edge for override in rotation.overrides for edge in (override.start, override.end)}
    today = now.astimezone(rotation.zone).date()
    every = 1 if rotation.weekday is None else 7
    latest = max((edge.astimezone(rotation.zone).date() for edge in edges), default=today)
    days = max((latest - today).days, 0) + every * (len(rotation.people) + 1)
    for ahead in range(min(days, 1000) + 1):
        day = today + timedelta(days=ahead)
        if _hands_over(rotation, day):
            edges.add(_instant(rotation, day))
    yield from sorted(edge for edge in edges if edge > now)
