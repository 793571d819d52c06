"""A file that is due at a time of day: which day's is meant now, and whether its absence is yet a fault."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from enum import Enum
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def parse_time_of_day(value: Any) -> time:
    """`07:30`. Raises ValueError with an example when it is not one."""
    if isinstance(value, time):
        return value
    match = _TIME.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f'{value!r} is not a time of day; write one such as "07:30"')
    return time(int(match[1]), int(match[2]))


TimeOfDay = Annotated[
    time,
    BeforeValidator(parse_time_of_day),
    PlainSerializer(lambda value: f"{value:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "examples": ["07:30"]}),
]


class Phase(Enum):
    """Where in its day a file stands."""

    EARLY = "not due yet"
    WAITING = "due, and not yet counted as missing"
    LATE = "missing if it is not there"


@dataclass(frozen=True, slots=True)
class Turn:
    """One day's turn of a file: the local day it belongs to, and where that stands."""

    day: datetime
    phase: Phase


@dataclass(frozen=True, slots=True)
class DueTimes:
    """`due` to `missing_after`, local times of day. Without either a file must always be there.

    A day's turn ends with the day, after which the next one is not due yet; where `missing_after` lies beyond
    midnight, it ends when the next one is due.
    """

    due: time | None
    missing_after: time | None

    def turn(self, now: datetime, zone: tzinfo) -> Turn:
        """The turn that counts at an instant."""
        local = now.astimezone(zone)
        if self.due is None and self.missing_after is None:
            return Turn(local, Phase.LATE)
        due = self.due or time()
        last = self.missing_after or due
        if last < due:  # beyond midnight
            if local.time() >= due:
                return Turn(local, Phase.WAITING)
            return Turn(local - timedelta(days=1), Phase.WAITING if local.time() < last else Phase.LATE)
        if local.time() < due:
            return Turn(local, Phase.EARLY)
        return Turn(local, Phase.WAITING if local.time() < last else Phase.LATE)
