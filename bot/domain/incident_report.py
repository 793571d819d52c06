"""An incident's timeline and its report as Markdown: what happened, who did what, why, and what helped. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.domain.alert import Alert, Event, EventKind
from bot.domain.decision import spell
from bot.domain.incident import Incident, Invitation, Note, NoteKind, severity_of

_MOST_LINES = 1000
_LONGEST_LINE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A line of the timeline. `deed` is what its actor did, in the words after their name."""

    at: datetime
    deed: str
    text: str
    actor: str | None = None
    alert_id: int | None = None


_DEEDS = {
    EventKind.FIRED: "fired",
    EventKind.REOPENED: "opened again",
    EventKind.SEVERITY: "changed its severity",
    EventKind.ACKNOWLEDGED: "acknowledged",
    EventKind.UNACKNOWLEDGED: "took back the acknowledgement of",
    EventKind.RESOLVED: "resolved",
    EventKind.RECOVERED: "recovered",
    EventKind.SILENCED: "silenced",
    EventKind.UNSILENCED: "ended the silence of",
    EventKind.EXPIRED: "expired",
    EventKind.ESCALATED: "was escalated",
    EventKind.FLAPPING: "began to go back and forth",
    EventKind.STEADY: "stayed bad",
    EventKind.RELEASED: "is no longer explained by another",
    EventKind.REMEDY: "was to be recovered",
    EventKind.REMEDY_APPROVED: "approved the recovery of",
    EventKind.REMEDY_FAILED: "could not be recovered",
}
_BY_ITSELF = {
    EventKind.ACKNOWLEDGED: "was acknowledged",
    EventKind.UNACKNOWLEDGED: "is acknowledged no longer",
    EventKind.RESOLVED: "was resolved",
    EventKind.SILENCED: "was silenced",
    EventKind.UNSILENCED: "is no longer silenced",
    EventKind.SEVERITY: "changed severity",
}
_NOTES = {
    NoteKind.OPENED: "opened the incident",
    NoteKind.ALERT_JOINED: "added an alert",
    NoteKind.PERSON_JOINED: "joined",
    NoteKind.INVITED: "invited",
    NoteKind.TROUBLE: "could not do something",
    NoteKind.CLOSED: "closed the incident",
}


def timeline(notes: Iterable[Note], events: Mapping[int, Sequence[Event]]) -> list[Moment]:
    """Everything that happened, in order: the incident's own notes, and the events of its alerts by number."""
    found = [Moment(at=note.at, deed=_NOTES[note.kind], text=note.text, actor=note.actor) for note in notes]
    for alert_id, lines in events.items():
        found += [_moment(alert_id, event) for event in lines if event.kind is not EventKind.INCIDENT]
    return sorted(found, key=lambda moment: moment.at)[-_MOST_LINES:]


def _moment(alert_id: int, event: Event) -> Moment:
    deed = _DEEDS.get(event.kind, event.kind.value.replace("_", " "))
    if event.actor is None:
        deed = _BY_ITSELF.get(event.kind, deed)
    return Moment(at=event.at, deed=deed, text=event.text, actor=event.actor, alert_id=alert_id)


def report(
    incident: Incident,
    alerts: Sequence[Alert],
    moments: Sequence[Moment],
    invited: Sequence[Invitation],
    *,
    names: Mapping[str, str],
    zone: ZoneInfo,
    now: datetime,
) -> str:
    """The report as Markdown. `names` are people's names by their ids; times are in `zone`, which is named."""
    known = _Names(names)
    parts = [
        f"# Incident #{incident.id}: {plain(incident.title)}",
        _facts(incident, alerts, known, zone, now),
        "## Root cause\n\n" + _answer(incident.root_cause),
        "## Resolution\n\n" + _answer(incident.resolution),
        "## Alerts\n\n" + _alerts(alerts, zone, now),
        f"## Timeline\n\nTimes are in {zone.key}.\n\n" + _timeline(moments, known, zone),
        "## People\n\n" + _people(moments, invited, known),
    ]
    return "\n\n".join(parts) + "\n"


class _Names(dict[str, str]):
    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__({user: plain(name) for user, name in names.items()})

    def of(self, user: str | None) -> str:
        return "Tocsin" if user is None else self.get(user) or plain(user)


def _facts(incident: Incident, alerts: Sequence[Alert], names: _Names, zone: ZoneInfo, now: datetime) -> str:
    severity = severity_of(incident, alerts)
    lines = [
        f"- Priority: {severity.priority} {severity.word}",
        f"- Opened: {_time(incident.opened_at, zone)} by {names.of(incident.opened_by)}",
    ]
    if incident.closed_at is None:
        lines.append(f"- Still open after {spell(incident.lasted(now))}")
    else:
        lines.append(f"- Closed: {_time(incident.closed_at, zone)} by {names.of(incident.closed_by)}")
        lines.append(f"- Duration: {spell(incident.lasted(now))}")
    return "\n".join([*lines, f"- Channel: #{incident.channel_name}"])


def _alerts(alerts: Sequence[Alert], zone: ZoneInfo, now: datetime) -> str:
    rows = ["| Alert | Priority | What | Where | Began | State | Lasted |", "|---|---|---|---|---|---|---|"]
    for alert in alerts:
        lasted = spell((alert.closed_at or now) - alert.opened_at)
        cells = (
            f"#{alert.id}", alert.severity.priority, plain(alert.firing.title), plain(alert.firing.resource),
            _time(alert.opened_at, zone), alert.status.value, lasted,
        )  # fmt: skip
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) if alerts else "None is kept any more."


def _timeline(moments: Sequence[Moment], names: _Names, zone: ZoneInfo) -> str:
    return "\n".join(f"- {_time(each.at, zone)} {sentence(each, names)}" for each in moments) or "- Nothing."


def sentence(moment: Moment, names: Mapping[str, str]) -> str:
    """Who did what, in one line of Markdown."""
    who = names.of(moment.actor) if isinstance(names, _Names) else _Names(names).of(moment.actor)
    about = "" if moment.alert_id is None else f"alert #{moment.alert_id}"
    if moment.actor is None and about:
        said = f"{about[0].upper()}{about[1:]} {moment.deed}"
    else:
        said = f"{who} {moment.deed} {about}".rstrip()
    return f"{said}: {plain(moment.text)}" if moment.text else said


def _people(moments: Sequence[Moment], invited: Sequence[Invitation], names: _Names) -> str:
    deeds: dict[str, dict[str, None]] = {each.user: {} for each in invited}
    for moment in moments:
        if moment.actor is not None:
            about = "" if moment.alert_id is None else f" alert #{moment.alert_id}"
            deeds.setdefault(moment.actor, {})[f"{moment.deed}{about}"] = None
    reasons = {each.user: each.reason.value for each in invited}
    lines = []
    for user, done in deeds.items():
        why = f" ({reasons[user]})" if user in reasons else ""
        lines.append(f"- {names.of(user)}{why}: {', '.join(done) or 'was invited'}")
    return "\n".join(lines) or "- Nobody."


def _answer(text: str | None) -> str:
    """What somebody wrote, as they wrote it; it cannot begin a heading of the report, nor hold HTML."""
    if not text:
        return "Not known yet."
    return re.sub(r"(?m)^(\s*)(#|=+\s*$|-+\s*$)", r"\1\\\2", text.replace("<", "&lt;"))


def _time(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def plain(text: str) -> str:
    """Outside text in one line of Markdown: nothing in it can format, link or break a table."""
    flat = " ".join(text.split())
    flat = flat if len(flat) <= _LONGEST_LINE else flat[: _LONGEST_LINE - 1] + "…"
    return re.sub(r"([\\`*|\[\]<])", r"\\\1", flat)
