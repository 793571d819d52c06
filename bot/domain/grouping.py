"""When many alerts are told in one message, which of them it takes, and whom it calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.alert import Alert, Status
from bot.domain.severity import Severity

MOST_ALONE = 5
"""So many alerts of a channel are told one by one; with more waiting they become one message."""

YOUNG = timedelta(minutes=10)
"""So long after an alert joined a group the next ones join it too."""

CALL_AGAIN = timedelta(minutes=5)
"""So long after its people were called, those whom a further alert names are called again."""

MOST_NAMES = 20


class Standing(StrEnum):
    """How an alert stands in the list of its group."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    RESOLVED = "resolved"
    EXPIRED = "expired"

    @property
    def is_over(self) -> bool:
        return self in (Standing.RESOLVED, Standing.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many alerts of a priority stand how."""

    severity: Severity
    standing: Standing
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """A group as it is: figures over all its alerts, and the `first` of them, those that are open before all.

    `ended_at` is when the last one ended, None while one is open.
    """

    id: int
    urgent: bool
    tallies: tuple[Tally, ...]
    first: tuple[Alert, ...]
    began_at: datetime
    ended_at: datetime | None
    names: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(tally.count for tally in self.tallies)

    def count(self, *standings: Standing) -> int:
        """How many stand so."""
        return sum(tally.count for tally in self.tallies if tally.standing in standings)

    @property
    def is_over(self) -> bool:
        return all(tally.standing.is_over for tally in self.tallies)

    @property
    def is_unheard(self) -> bool:
        """Whether none of its alerts may be told at present."""
        return all(tally.standing is Standing.SILENCED for tally in self.tallies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """What alerts that join a group do to it: all the names it knows then, and those to be called at once."""

    names: tuple[str, ...]
    called: tuple[str, ...] = ()
    again: bool = False


def standing_of(alert: Alert, now: datetime) -> Standing:
    """How an alert stands in the list of its group."""
    if alert.status is Status.RESOLVED:
        return Standing.RESOLVED
    if alert.status is Status.EXPIRED:
        return Standing.EXPIRED
    if alert.is_silenced(now) or alert.firing.held_by is not None:
        return Standing.SILENCED
    return Standing.ACKNOWLEDGED if alert.status is Status.ACKNOWLEDGED else Standing.OPEN


def takes_more(joined_at: datetime, some_open: bool, now: datetime) -> bool:
    """Whether a group whose last alert joined at `joined_at` takes further ones."""
    return some_open and now - joined_at < YOUNG


def join(
    known: Sequence[str], wanted: Iterable[str], *, posted: bool, called_at: datetime, now: datetime
) -> Joining:
    """Whom alerts call by joining a group that has called the `known` ones.

    While its message is not posted it names everybody itself. Afterwards those it has not named are called,
    and everybody that the joining ones name when the last call is long ago.
    """
    wanted = list(dict.fromkeys(wanted))
    names = tuple(dict.fromkeys((*known, *wanted)))[:MOST_NAMES]
    if not posted:
        return Joining(names=names)
    again = now - called_at >= CALL_AGAIN
    fresh = wanted[:MOST_NAMES] if again else [name for name in names if name not in known]
    return Joining(names=names, called=tuple(fresh), again=again)
