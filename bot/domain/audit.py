"""What people did: who, when, what, on what, from where, and what became of it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.alert import Alert, Event, EventKind, Status

_SLACK_USER = re.compile(r"[UW][A-Z0-9]+")
_NOT_OF_ONE_ALERT = frozenset({EventKind.SILENCED, EventKind.UNSILENCED})
_LONGEST = 1000
_ACTS = {
    EventKind.UNACKNOWLEDGED: "gave back",
    EventKind.INCIDENT: "put into an incident",
    EventKind.REMEDY_APPROVED: "approved the recovery of",
}


class Via(StrEnum):
    """From where somebody did it."""

    SLACK = "slack"
    API = "api"
    CLI = "cli"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One act of a person. `who` is a Slack user id, or a name of their own; `subject` names what it was done to.

    `before` and `after` say what it changed, where that fits in a few words.
    """

    who: str
    at: datetime
    act: str
    via: Via
    subject: str
    alert_id: int | None = None
    before: str | None = None
    after: str | None = None
    note: str | None = None
    id: int = 0


def via_of(who: str) -> Via:
    """From where an act came, by who did it: people in Slack go by their id."""
    return Via.SLACK if _SLACK_USER.fullmatch(who) else Via.API


def deed_of(event: Event, alert: Alert, via: Via) -> Deed | None:
    """The act that a line of an alert's history stands for; None for what nobody did.

    Silences are acts of their own: one that covers many alerts was made once.
    """
    who, act = event.actor, _ACTS.get(event.kind, event.kind.value)
    raised_by = alert.firing.fields.get("raised_by")
    if event.kind in (EventKind.FIRED, EventKind.REOPENED) and isinstance(raised_by, str) and raised_by:
        who, act = raised_by[:64], "raised"
        via = via_of(who)
    if who is None or event.kind in _NOT_OF_ONE_ALERT:
        return None
    before, after = _states(event, alert)
    return Deed(
        who=who[:64],
        at=event.at,
        act=act,
        via=via,
        subject=alert.firing.title,
        alert_id=alert.id,
        before=before,
        after=after,
        note=None if act == "raised" else event.text[:_LONGEST] or None,
    )


def _states(event: Event, alert: Alert) -> tuple[str | None, str | None]:
    active, taken = Status.ACTIVE.value, Status.ACKNOWLEDGED.value
    match event.kind:
        case EventKind.ACKNOWLEDGED:
            return active, taken
        case EventKind.UNACKNOWLEDGED:
            return taken, active
        case EventKind.RESOLVED:
            return (taken if alert.acknowledged_at else active), Status.RESOLVED.value
    return None, None
