"""Alerts and their lifecycle: active → acknowledged → resolved, silenced for a time, expired, reopened.

Every transition is a pure function that answers with the alert changed and the history lines it adds, or
with a `Refusal` that says why nothing changes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from bot.domain.observation import Source
from bot.domain.severity import Severity
from checks.result import Diagnostic, Value

_SLACK_USER = re.compile(r"[UW][A-Z0-9]+")


class Status(StrEnum):
    """Where an alert is in its life. Only the first two are open."""

    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """Nobody asks for it any more: its rule or its check is gone."""

    @property
    def is_open(self) -> bool:
        return self in (Status.ACTIVE, Status.ACKNOWLEDGED)


class EventKind(StrEnum):
    """What can happen to an alert."""

    FIRED = "fired"
    REOPENED = "reopened"
    SEVERITY = "severity"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    RESOLVED = "resolved"
    RECOVERED = "recovered"
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"
    EXPIRED = "expired"
    REMEDY = "remedy"
    REMEDY_APPROVED = "remedy_approved"
    REMEDY_FAILED = "remedy_failed"
    ESCALATED = "escalated"
    FLAPPING = "flapping"
    STEADY = "steady"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"
    INCIDENT = "incident"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A line of an alert's history. `actor` is a Slack user id, or None for Tocsin itself."""

    kind: EventKind
    at: datetime
    text: str
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What a rule found: all that an alert shows of the present trouble.

    `held_by` is what explains this one, which therefore notifies nobody: a failing check, or an alert as
    `#12 its title`.
    `flapping` says how it goes back and forth while it does.
    """

    rule: str
    source: Source
    resource: str
    severity: Severity
    category: str
    title: str
    message: str
    reason: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    recommendations: tuple[str, ...] = ()
    runbook: str | None = None
    mention: str | None = None
    channel: str | None = None
    expire_after: timedelta | None = None
    held_by: str | None = None
    flapping: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.rule, self.resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One problem. `version` rises with every change; 0 means not stored yet, as does `id`."""

    id: int = 0
    version: int = 0
    firing: Firing
    status: Status = Status.ACTIVE
    count: int = 1
    opened_at: datetime
    last_seen: datetime
    reopened: int = 0
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    note: str | None = None
    silenced_until: datetime | None = None
    silenced_by: str | None = None
    silence_reason: str | None = None
    silence_id: int | None = None
    silence_name: str | None = None

    @property
    def fingerprint(self) -> str:
        return self.firing.fingerprint

    @property
    def severity(self) -> Severity:
        return self.firing.severity

    @property
    def expires_at(self) -> datetime | None:
        """When it is closed unless it is seen again; None for never."""
        after = self.firing.expire_after
        return None if after is None else self.last_seen + after

    def is_silenced(self, now: datetime) -> bool:
        return self.silenced_until is not None and now < self.silenced_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An alert after something happened to it. Not `urgent`: the views may show it a little later."""

    alert: Alert
    events: tuple[Event, ...] = ()
    urgent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request changes nothing, in words for the person who made it."""

    alert: Alert
    reason: str


@lru_cache(maxsize=10_000)
def fingerprint(rule: str, resource: str) -> str:
    """What makes two findings the same problem: the rule and the resource."""
    return hashlib.sha256(f"{rule}\0{resource}".encode()).hexdigest()[:32]


def fire(firing: Firing, now: datetime) -> Change:
    """A new alert."""
    alert = Alert(firing=firing, opened_at=now, last_seen=now)
    return Change(alert=alert, events=(Event(kind=EventKind.FIRED, at=now, text=firing.reason),))


def repeat(alert: Alert, firing: Firing, now: datetime) -> Change:
    """The same problem seen again: the count rises, what it shows is refreshed, severity follows."""
    seen = replace(alert, firing=firing, count=alert.count + 1, last_seen=max(now, alert.last_seen))
    turned = _flapped(alert, firing, now)
    if firing.severity == alert.severity:
        urgent = bool(turned) or firing.held_by != alert.firing.held_by
        return Change(alert=seen, events=turned, urgent=urgent)
    text = f"{alert.severity.priority} → {firing.severity.priority}: {firing.reason}"
    event = Event(kind=EventKind.SEVERITY, at=now, text=text)
    if firing.severity < alert.severity and alert.status is Status.ACKNOWLEDGED:
        seen = replace(seen, status=Status.ACTIVE, acknowledged_at=None, acknowledged_by=None)
        event = replace(
            event, text=f"{text}. Worse than when it was acknowledged, so it needs somebody again"
        )
    return Change(alert=seen, events=(event, *turned))


def _flapped(alert: Alert, firing: Firing, now: datetime) -> tuple[Event, ...]:
    """Said when it begins to flap, and when it goes on without."""
    before, after = alert.firing.flapping, firing.flapping
    if after is not None and before is None:
        return (Event(kind=EventKind.FLAPPING, at=now, text=after),)
    if after is None and before is not None:
        return (Event(kind=EventKind.STEADY, at=now, text=firing.reason),)
    return ()


def waver(alert: Alert, how: str, now: datetime) -> Change | None:
    """Good for the moment, and likely to be bad soon: it stays open. Nothing to say when that was said."""
    if alert.firing.flapping is not None:
        return None
    firing = replace(alert.firing, flapping=how)
    return Change(alert=replace(alert, firing=firing), events=_flapped(alert, firing, now))


def release(alert: Alert, now: datetime) -> Change | Refusal:
    """What explained it is over, and it is not."""
    if alert.firing.held_by is None or not alert.status.is_open:
        return Refusal(alert=alert, reason="not held back")
    event = Event(kind=EventKind.RELEASED, at=now, text=alert.firing.held_by)
    return Change(alert=replace(alert, firing=replace(alert.firing, held_by=None)), events=(event,))


def reopen(alert: Alert, firing: Firing, now: datetime, why: str) -> Change:
    """A closed problem that came back: the same alert, the same thread. Only a silence over it lasts."""
    back = replace(
        alert,
        firing=firing,
        status=Status.ACTIVE,
        count=alert.count + 1,
        last_seen=now,
        reopened=alert.reopened + 1,
        acknowledged_at=None,
        acknowledged_by=None,
        closed_at=None,
        closed_by=None,
        note=None,
        silenced_until=None,
        silenced_by=None,
        silence_reason=None,
        silence_id=None,
        silence_name=None,
    )
    turned = _flapped(alert, firing, now) if firing.flapping else ()
    return Change(alert=back, events=(Event(kind=EventKind.REOPENED, at=now, text=why), *turned))


def recover(alert: Alert, summary: str, now: datetime) -> Change:
    """The problem went away by itself."""
    firing = replace(alert.firing, flapping=None)
    closed = replace(alert, firing=firing, status=Status.RESOLVED, closed_at=now, closed_by=None)
    return Change(alert=closed, events=(Event(kind=EventKind.RECOVERED, at=now, text=summary),))


def acknowledge(alert: Alert, who: str, note: str | None, now: datetime) -> Change | Refusal:
    """Somebody looks at it. Refused when somebody already does, or when it is over."""
    if alert.status is Status.ACKNOWLEDGED:
        return Refusal(alert=alert, reason=f"already acknowledged by {_person(alert.acknowledged_by)}")
    if not alert.status.is_open:
        return Refusal(alert=alert, reason=f"already {alert.status.value}")
    taken = replace(
        alert, status=Status.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by=who, note=note or alert.note
    )
    return Change(
        alert=taken, events=(Event(kind=EventKind.ACKNOWLEDGED, at=now, text=note or "", actor=who),)
    )


def unacknowledge(alert: Alert, who: str, now: datetime) -> Change | Refusal:
    """Nobody looks at it any more."""
    if alert.status is not Status.ACKNOWLEDGED:
        return Refusal(alert=alert, reason=f"not acknowledged: it is {alert.status.value}")
    back = replace(alert, status=Status.ACTIVE, acknowledged_at=None, acknowledged_by=None)
    return Change(alert=back, events=(Event(kind=EventKind.UNACKNOWLEDGED, at=now, text="", actor=who),))


def resolve(alert: Alert, who: str, note: str | None, now: datetime) -> Change | Refusal:
    """Somebody says it is over."""
    if not alert.status.is_open:
        by = f" by {_person(alert.closed_by)}" if alert.closed_by else ""
        return Refusal(alert=alert, reason=f"already {alert.status.value}{by}")
    closed = replace(alert, status=Status.RESOLVED, closed_at=now, closed_by=who, note=note or alert.note)
    return Change(alert=closed, events=(Event(kind=EventKind.RESOLVED, at=now, text=note or "", actor=who),))


def silence(
    alert: Alert, who: str | None, length: timedelta, reason: str | None, now: datetime
) -> Change | Refusal:
    """It notifies nobody for a time. It goes on being checked, counted and resolved."""
    if not alert.status.is_open:
        return Refusal(alert=alert, reason=f"already {alert.status.value}")
    return silenced(alert, until=now + length, who=who, reason=reason, now=now, actor=who, text=reason or "")


def silenced(
    alert: Alert,
    *,
    until: datetime,
    who: str | None,
    reason: str | None,
    number: int | None = None,
    name: str | None = None,
    now: datetime,
    actor: str | None,
    text: str,
) -> Change:
    """The alert under the silence of that number and name."""
    quiet = replace(
        alert,
        silenced_until=until,
        silenced_by=who,
        silence_reason=reason,
        silence_id=number,
        silence_name=name,
    )
    return Change(alert=quiet, events=(Event(kind=EventKind.SILENCED, at=now, text=text, actor=actor),))


def unsilence(alert: Alert, who: str | None, now: datetime) -> Change | Refusal:
    """It notifies again, because somebody said so or the time is over."""
    if alert.silenced_until is None:
        return Refusal(alert=alert, reason="not silenced")
    return spoken(alert, who, now, "")


def spoken(alert: Alert, who: str | None, now: datetime, text: str) -> Change:
    """The alert without its silence."""
    loud = replace(
        alert, silenced_until=None, silenced_by=None, silence_reason=None, silence_id=None, silence_name=None
    )
    return Change(alert=loud, events=(Event(kind=EventKind.UNSILENCED, at=now, text=text, actor=who),))


def expire(alert: Alert, now: datetime) -> Change | Refusal:
    """Nothing was heard of it for its time to live."""
    if not alert.status.is_open:
        return Refusal(alert=alert, reason=f"already {alert.status.value}")
    text = f"nothing was heard of it since {alert.last_seen:%Y-%m-%d %H:%M} UTC"
    gone = replace(alert, status=Status.EXPIRED, closed_at=now, closed_by=None)
    return Change(alert=gone, events=(Event(kind=EventKind.EXPIRED, at=now, text=text),))


def withdraw(alert: Alert, why: str, who: str | None, now: datetime) -> Change | Refusal:
    """Nothing asks for it any more, so nothing could ever say that it is over."""
    if not alert.status.is_open:
        return Refusal(alert=alert, reason=f"already {alert.status.value}")
    gone = replace(alert, status=Status.WITHDRAWN, closed_at=now, closed_by=who, note=why)
    return Change(alert=gone, events=(Event(kind=EventKind.WITHDRAWN, at=now, text=why, actor=who),))


def _person(user: str | None) -> str:
    """A Slack user by id; somebody who came by the API as they call themselves."""
    if not user:
        return "Tocsin"
    return f"<@{user}>" if _SLACK_USER.fullmatch(user) else user
