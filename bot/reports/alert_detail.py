"""All that is known of one alert: what its window and `/tocsin status #12` show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.alert import Alert, Event
from bot.domain.recurrence import Recurrence

_ONCE = Recurrence(count=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDetail:
    """An alert at `at`. `before`: the same problem earlier; `elsewhere`: its rule about other resources.

    Both newest first and few; `times_before` and `times_elsewhere` count all that are kept.
    """

    alert: Alert
    at: datetime
    events: Sequence[Event] = ()
    recurrence: Recurrence = _ONCE
    changed: tuple[str, ...] = ()
    before: Sequence[Alert] = ()
    times_before: int = 0
    elsewhere: Sequence[Alert] = ()
    times_elsewhere: int = 0
