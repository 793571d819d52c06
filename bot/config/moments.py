"""Times of day, schedules and zones, as tocsin.yml writes them."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from pydantic import BeforeValidator, PlainSerializer

from bot.config.suggest import closest
from bot.config.wording import shown_as, text_of

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SOME_DAYS = {"weekdays": range(5), "weekend": range(5, 7), "weekends": range(5, 7)}
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """From one time of day to another; past midnight when the end is the earlier."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    def holds(self, moment: time) -> bool:
        """Whether a local time of day lies in the window; the last minute is part of it."""
        moment = moment.replace(second=0, microsecond=0, tzinfo=None)
        if self.start <= self.end:
            return self.start <= moment <= self.end
        return moment >= self.start or moment <= self.end


def parse_time(value: Any) -> time:
    """`07:30`, a time of day."""
    if isinstance(value, time):
        return value
    if match := _TIME.fullmatch(text_of(value)):
        return time(int(match[1]), int(match[2]))
    raise ValueError(f'{shown_as(value)} is not a time of day; write one such as "07:30"')


def parse_times(value: Any) -> tuple[time, ...]:
    """One time of day, or a list of them, earliest first."""
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(sorted({parse_time(item) for item in items}))


def parse_window(value: Any) -> TimeWindow:
    """`07:30-23:59`."""
    if isinstance(value, TimeWindow):
        return value
    start, dash, end = text_of(value).replace("–", "-").partition("-")
    if dash and _TIME.fullmatch(start.strip()) and _TIME.fullmatch(end.strip()):
        return TimeWindow(parse_time(start), parse_time(end))
    raise ValueError(f'{shown_as(value)} is not a part of the day; write one such as "07:30-23:59"')


@dataclass(frozen=True, slots=True)
class Handover:
    """When one hands over to the next: a time of every day, or of a weekday (0 is Monday)."""

    at: time
    weekday: int | None = None

    def __str__(self) -> str:
        return f"{'' if self.weekday is None else _DAYS[self.weekday].capitalize() + ' '}{self.at:%H:%M}"


def parse_handover(value: Any) -> Handover:
    """`Mon 09:00` once a week, `09:00` every day."""
    if isinstance(value, Handover):
        return value
    day, _, moment = text_of(value).rpartition(" ")
    if _TIME.fullmatch(moment):
        return Handover(parse_time(moment), _weekday(day) if day else None)
    raise ValueError(
        f'{shown_as(value)} is not a hand-over; write "Mon 09:00" for every week or "09:00" for every day'
    )


def parse_days(value: Any) -> tuple[int, ...]:
    """Weekdays as numbers, Monday first: `weekdays`, `weekend`, `fri`, or a list of days."""
    if isinstance(value, tuple):
        return value
    words = value if isinstance(value, list) else text_of(value).replace(",", " ").split()
    if not words:
        raise ValueError("no day is named; write some such as [sat, sun], or weekdays")
    found: set[int] = set()
    for word in words:
        found |= set(_SOME_DAYS.get(text_of(word).lower(), ())) or {_weekday(word)}
    return tuple(sorted(found))


def _weekday(value: Any) -> int:
    word = text_of(value).strip().lower()
    for number, name in enumerate(calendar.day_name):
        if len(word) >= 3 and name.lower().startswith(word):
            return number
    raise ValueError(
        f"{shown_as(value)} is not a day of the week; write {', '.join(_DAYS)}, weekdays or weekend"
    )


def parse_cron(value: Any) -> str:
    """Five fields of cron. Raises ValueError saying which is wrong."""
    text = " ".join(text_of(value).split())
    try:
        CronSim(text, datetime(2024, 1, 1))  # noqa: DTZ001
    except CronSimError as error:
        problem = {"Wrong number of fields": "it needs five fields"}.get(str(error), str(error).lower())
        raise ValueError(
            f'{shown_as(value)} is not a cron schedule: {problem}; "30 7 * * 1" is 07:30 each Monday'
        ) from None
    return text


def parse_zone(value: Any) -> ZoneInfo:
    """A time zone of the IANA database."""
    if isinstance(value, ZoneInfo):
        return value
    name, known = text_of(value), available_timezones()
    if name in known:
        return ZoneInfo(name)
    hint = closest(name, known) or "write one such as Europe/London"
    raise ValueError(f"{shown_as(value)} is not a time zone; {hint}")


_AS_TEXT = PlainSerializer(str, return_type=str)
TimeOfDay = Annotated[
    time, BeforeValidator(parse_time), PlainSerializer(lambda moment: f"{moment:%H:%M}", return_type=str)
]
TimesOfDay = Annotated[
    tuple[time, ...],
    BeforeValidator(parse_times),
    PlainSerializer(lambda times: [f"{moment:%H:%M}" for moment in times], return_type=list[str]),
]
Window = Annotated[TimeWindow, BeforeValidator(parse_window), _AS_TEXT]
Cron = Annotated[str, BeforeValidator(parse_cron)]
Zone = Annotated[ZoneInfo, BeforeValidator(parse_zone), _AS_TEXT]
HandoverTime = Annotated[Handover, BeforeValidator(parse_handover), _AS_TEXT]
Weekdays = Annotated[
    tuple[int, ...],
    BeforeValidator(parse_days),
    PlainSerializer(lambda days: [_DAYS[day] for day in days], return_type=list[str]),
]
