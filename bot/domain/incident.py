"""Incidents: a channel of its own for a problem that needs people together. Opened, joined by alerts, closed. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.alert import Alert
from bot.domain.severity import Severity

LONGEST_NAME = 80  # of a channel: docs.slack.dev/reference/methods/conversations.create
LONGEST_TOPIC = 250  # docs.slack.dev/reference/methods/conversations.setTopic
LONGEST_ANSWER = 3000  # a text input of a window takes no more
WORST_FOR_INCIDENTS = Severity.HIGH
"""P1 and P2 carry the button."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident. `asked_in` is the channel it was opened from; `channel_id` is None until its own exists.

    `asked_at`: its channel was asked whether to close it, and every alert has been over since.
    """

    id: int = 0
    title: str
    severity: Severity
    opened_at: datetime
    opened_by: str
    asked_in: str
    channel_name: str
    channel_id: str | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    root_cause: str | None = None
    resolution: str | None = None
    asked_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    def lasted(self, now: datetime) -> timedelta:
        """How long it lasted, or lasts by now."""
        return (self.closed_at or now) - self.opened_at


class NoteKind(StrEnum):
    """What is written down of an incident beside what happens to its alerts."""

    OPENED = "opened"
    ALERT_JOINED = "alert joined"
    PERSON_JOINED = "person joined"
    INVITED = "invited"
    TROUBLE = "trouble"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line of an incident's own history. `actor` is a Slack user id, or None for Tocsin itself."""

    kind: NoteKind
    at: datetime
    text: str
    actor: str | None = None


class Reason(StrEnum):
    """Why somebody is called into an incident."""

    OPENED = "opened it"
    JOINED = "joined it"
    ACKNOWLEDGED = "acknowledged"
    ON_CALL = "on call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Somebody called into an incident, and why."""

    user: str
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """Why a request changes nothing, in words for the person who made it."""

    reason: str
    incident: Incident | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an alert stands to incidents: the open one it belongs to, and whether there are others to join."""

    incident: Incident | None = None
    others_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """An incident with its alerts, the worst first, and the people who were called in. `uninvited` are those
    whom Slack would not let in."""

    incident: Incident
    alerts: tuple[Alert, ...]
    people: tuple[Invitation, ...]
    uninvited: tuple[str, ...] = ()


def begin(alert: Alert, who: str, asked_in: str, now: datetime) -> Incident | Unchanged:
    """A new incident around an alert. Its channel is named when its number is known."""
    if not alert.status.is_open:
        return Unchanged(reason=f"Alert #{alert.id} is {alert.status.value}, so it needs no incident.")
    if alert.severity > WORST_FOR_INCIDENTS:
        return Unchanged(
            reason=f"Alert #{alert.id} is {alert.severity.priority}; incidents are for P1 and P2."
        )
    return Incident(
        title=alert.firing.title,
        severity=alert.severity,
        opened_at=now,
        opened_by=who,
        asked_in=asked_in,
        channel_name="",
    )


def join(incident: Incident | None, number: int, alert: Alert) -> Unchanged | None:
    """Why an alert cannot join an incident, or None when it can."""
    if incident is None:
        return Unchanged(reason=f"There is no incident #{number}.")
    if not incident.is_open:
        return Unchanged(reason=already_closed(incident), incident=incident)
    if not alert.status.is_open:
        return Unchanged(reason=f"Alert #{alert.id} is {alert.status.value}.", incident=incident)
    return None


def close(
    incident: Incident, who: str, root_cause: str, resolution: str, now: datetime
) -> Incident | Unchanged:
    """The incident closed, with what was learnt; both answers are needed."""
    if not incident.is_open:
        return Unchanged(reason=already_closed(incident), incident=incident)
    if not root_cause.strip() or not resolution.strip():
        return Unchanged(reason="Closing needs the root cause and the resolution.", incident=incident)
    return replace(
        incident,
        closed_at=now,
        closed_by=who,
        root_cause=root_cause.strip()[:LONGEST_ANSWER],
        resolution=resolution.strip()[:LONGEST_ANSWER],
    )


def already_closed(incident: Incident) -> str:
    by = f" by <@{incident.closed_by}>" if incident.closed_by else ""
    return f"Incident #{incident.id} is closed already{by}."


def is_over(incident: Incident, alerts: Sequence[Alert]) -> bool:
    """Whether an open incident has nothing left that is open."""
    return incident.is_open and bool(alerts) and not any(alert.status.is_open for alert in alerts)


def severity_of(incident: Incident, alerts: Iterable[Alert]) -> Severity:
    """The worst there was: an incident is as severe as its worst alert."""
    return min([incident.severity, *(alert.severity for alert in alerts)])


def channel_names(incident: Incident) -> Iterator[str]:
    """Names for its channel, the first choice first: `inc-7-checkout-is-slow`, then with `-2`, `-3` behind.

    Slack takes lower case letters, digits, hyphens and underscores, 80 characters at most.
    """
    stem = f"inc-{incident.id}-{_slug(incident.title)}".rstrip("-")
    yield stem[:LONGEST_NAME].rstrip("-")
    for number in range(2, 100):
        ending = f"-{number}"
        yield stem[: LONGEST_NAME - len(ending)].rstrip("-") + ending


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def topic(incident: Incident) -> str:
    """What stands at the top of its channel."""
    text = f"Incident #{incident.id} · {incident.severity.priority} · {' '.join(incident.title.split())}"
    return text if len(text) <= LONGEST_TOPIC else text[: LONGEST_TOPIC - 1] + "…"


def invitations(
    incident: Incident, alerts: Iterable[Alert], on_call: Iterable[str], joined: Iterable[str] = ()
) -> list[Invitation]:
    """Whom to call, each once: who opened it, who joined it, who acknowledged an alert, who is on call."""
    acknowledged = [alert.acknowledged_by for alert in alerts if alert.acknowledged_by]
    found: dict[str, Reason] = {}
    for users, reason in (
        ([incident.opened_by], Reason.OPENED),
        (joined, Reason.JOINED),
        (acknowledged, Reason.ACKNOWLEDGED),
        (on_call, Reason.ON_CALL),
    ):
        for user in users:
            if is_user(user):
                found.setdefault(user, reason)
    return [Invitation(user=user, reason=reason) for user, reason in found.items()]


def is_user(name: str) -> bool:
    """Whether this is a Slack user's id, and not a name of the API or a user group."""
    return re.fullmatch(r"[UW][A-Z0-9]{1,20}", name) is not None
