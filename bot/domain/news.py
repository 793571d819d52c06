"""What a destination that edits nothing is still to be told of an alert, by what it heard last. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.alert import Alert, Status
from bot.domain.severity import Severity


class NewsKind(StrEnum):
    """What can be told. `message`: a text that is about no alert, such as a summary."""

    FIRING = "firing"
    REOPENED = "reopened"
    WORSE = "worse"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    MESSAGE = "message"


EVERYTHING = frozenset(NewsKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a destination heard last of an alert. `times`: how often the alert had begun again by then."""

    state: str
    severity: Severity
    times: int

    def __str__(self) -> str:
        return f"{self.state}:{self.severity.priority}:{self.times}"

    @classmethod
    def read(cls, text: str) -> Heard:
        """From what `str` made of it. Raises ValueError."""
        state, priority, times = text.split(":")
        return cls(state=state, severity=Severity(int(priority.removeprefix("P"))), times=int(times))


def next_news(
    heard: Heard | None,
    alert: Alert,
    understands: Collection[NewsKind],
    now: datetime,
    *,
    in_doubt: bool = False,
) -> NewsKind | None:
    """The next thing to tell; None when what was heard is still true, or nobody needs to hear more.

    A problem that ended before anybody was told of it is not told at all, unless it is `in_doubt` whether an
    attempt arrived. While an alert is silenced or explained by another, only its end and who looks at it are told.
    """
    if not alert.status.is_open:
        was_told = _was_told(heard, alert, in_doubt=in_doubt)
        return NewsKind.RESOLVED if was_told and NewsKind.RESOLVED in understands else None
    if heard is None:
        return None if _is_quiet(alert, now) else NewsKind.FIRING
    if not _is_quiet(alert, now):
        if alert.reopened > heard.times:
            return NewsKind.REOPENED
        if alert.severity < heard.severity:
            return NewsKind.WORSE
    if (
        alert.status is Status.ACKNOWLEDGED
        and heard.state == "firing"
        and NewsKind.ACKNOWLEDGED in understands
    ):
        return NewsKind.ACKNOWLEDGED
    return None


def _was_told(heard: Heard | None, alert: Alert, *, in_doubt: bool) -> bool:
    """Whether somebody may believe that it goes on."""
    if heard is None:
        return in_doubt
    return heard.state != "resolved" or (in_doubt and alert.reopened > heard.times)


def heard_after(kind: NewsKind, heard: Heard | None, alert: Alert) -> Heard:
    """What a destination has heard once this was told."""
    if kind is NewsKind.RESOLVED:
        return Heard(state="resolved", severity=alert.severity, times=alert.reopened)
    if kind is NewsKind.ACKNOWLEDGED and heard is not None:
        return replace(heard, state="acknowledged")
    return Heard(state="firing", severity=alert.severity, times=alert.reopened)


def _is_quiet(alert: Alert, now: datetime) -> bool:
    return alert.is_silenced(now) or alert.firing.held_by is not None
