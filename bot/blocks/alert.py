"""An alert as its message, and each event of its life as a line in its thread."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.blocks.message import (
    Block,
    Message,
    actions,
    button,
    clock,
    code,
    context,
    cut,
    escape,
    fields,
    outside,
    overflow,
    person,
    preformatted,
    section,
    when,
)
from bot.blocks.remedies import MOST_OFFERS, offer_button
from bot.domain.alert import Alert, Event, EventKind, Status
from bot.domain.decision import spell
from bot.domain.incident import WORST_FOR_INCIDENTS, Standing
from bot.domain.inhibition import MARK
from bot.domain.override import threshold_field
from bot.domain.recurrence import Recurrence
from bot.domain.remedy import Attempt
from bot.domain.severity import RESPONSE_TIME, Severity
from bot.domain.template import format_value, look_up

FIRING, ACKNOWLEDGED, RESOLVED, SILENCED = "#a30200", "#daa038", "#2eb886", "#dddddd"

SEVERITY_EMOJI = {
    Severity.CRITICAL: ":red_circle:",
    Severity.HIGH: ":large_orange_circle:",
    Severity.MEDIUM: ":large_yellow_circle:",
    Severity.LOW: ":large_blue_circle:",
}
_MOST_REASON = 900
_MOST_DIAGNOSTICS = 3
_MOST_WHY, _MOST_STEPS = 1200, 800  # in the top-level text, that the rest of it fits too
_INSTANT = re.compile(r"\b(20\d\d-[01]\d-[0-3]\d [0-2]\d:[0-5]\d) UTC\b")
_CLOSED = {Status.EXPIRED: "Expired", Status.WITHDRAWN: "Closed"}
_USERS = ("affected_users", "users_affected")

_ONCE = Recurrence(count=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertContext:
    """What an alert's message shows beside the alert: how often it came before, whom to call, by when, what to approve.

    `instead_of`: destinations it was meant for and that nothing can be sent to. `incident`: how it stands to
    incidents; None where that is plain, in an incident's own channel.
    """

    now: datetime
    recurrence: Recurrence = _ONCE
    mention: str = ""
    respond_within: timedelta | None = None
    escalates_at: datetime | None = None
    instead_of: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """What was changed of its rule at run time, in words."""
    incident: Standing | None = None
    offers: Sequence[Attempt] = ()


def render_alert(alert: Alert, around: AlertContext) -> Message:
    """The alert as it stands now: what, where, since when, why, what to do (requirement MH1)."""
    silenced = alert.status.is_open and alert.is_silenced(around.now)
    head = _headline(alert, around, silenced=silenced)
    body: list[Block] = [section(_why(alert)), fields(_facts(alert, around, silenced=silenced))]
    if alert.status.is_open:
        if steps := _steps(alert):
            body.append(section(steps))
        body += [preformatted(item.title, item.text) for item in alert.firing.diagnostics[:_MOST_DIAGNOSTICS]]
    body.append(context(_small_print(alert, around)))
    if alert.status.is_open:
        offered = [offer_button(attempt) for attempt in around.offers[:MOST_OFFERS]]
        body.append(actions(f"alert:{alert.id}", _buttons(alert, around, silenced=silenced) + offered))
    return Message(
        text=_text(alert, around, head),
        blocks=(section(head),),
        body=tuple(body),
        color=_color(alert, silenced=silenced),
    )


def _headline(alert: Alert, around: AlertContext, *, silenced: bool) -> str:
    title = outside(alert.firing.title, 250)
    if alert.firing.flapping and alert.status.is_open:
        title += " (flapping)"
    priority = alert.severity.priority
    match alert.status:
        case Status.RESOLVED:
            after = f" after {spell(alert.closed_at - alert.opened_at)}" if alert.closed_at else ""
            return f":white_check_mark: *Resolved: {title}* ({priority}){after}"
        case Status.EXPIRED:
            return f":hourglass: *Expired: {title}* ({priority})"
        case Status.WITHDRAWN:
            return f":heavy_minus_sign: *Closed: {title}* ({priority}), no longer asked for"
    if silenced:
        return f":no_bell: *Silenced: {title}* ({priority} {alert.severity.word})"
    if alert.status is Status.ACKNOWLEDGED:
        by = person(alert.acknowledged_by)
        return f":eyes: *{priority} {alert.severity.word}: {title}* (acknowledged by {by})"
    mention = f" {around.mention}" if around.mention else ""
    return f"{SEVERITY_EMOJI[alert.severity]} *{priority} {alert.severity.word}: {title}*{mention}"


def _color(alert: Alert, *, silenced: bool) -> str:
    if not alert.status.is_open:
        return RESOLVED if alert.status is Status.RESOLVED else SILENCED
    if silenced:
        return SILENCED
    return ACKNOWLEDGED if alert.status is Status.ACKNOWLEDGED else FIRING


def _why(alert: Alert) -> str:
    firing = alert.firing
    said = config_text(firing.message, 1200) if firing.message else ""
    reason = outside(firing.reason, _MOST_REASON)
    return f"{said}\n*Why:* {reason}" if said else reason or "-"


def config_text(text: str, limit: int) -> str:
    """A message from the configuration with its fields filled in: emoji stay, mentions do not."""
    return cut(escape(text), limit)


def _facts(alert: Alert, around: AlertContext, *, silenced: bool) -> list[tuple[str, str]]:
    firing = alert.firing
    where = code(firing.resource)
    if firing.resource != firing.source.name:
        where += f" ({firing.source.kind.value} {code(firing.source.name)})"
    facts = [("Where", where), ("Since", when(alert.opened_at)), *_incident_fact(around.incident)]
    if alert.count > 1:
        facts.append(("Seen", f"{alert.count} times, last {clock(alert.last_seen)}"))
    users = next((found for name in _USERS if (found := look_up(firing.fields, name)) is not None), None)
    if isinstance(raised_by := firing.fields.get("raised_by"), str):
        facts.append(("Raised by", person(raised_by)))
    if users is not None:
        facts.append(("Users affected", outside(format_value(users, ""), 50)))
    if alert.status is Status.ACKNOWLEDGED and alert.acknowledged_at:
        facts.append(("Acknowledged", f"{person(alert.acknowledged_by)}, {clock(alert.acknowledged_at)}"))
    if silenced and alert.silenced_until:
        until = f"until {when(alert.silenced_until)}"
        by = person(alert.silenced_by)
        if alert.silence_name:
            by = f"the silence _{outside(alert.silence_name, 150)}_ of tocsin.yml"
        facts.append(("Silenced", f"{until} by {by}"))
        if alert.silence_reason:
            facts.append(("Silenced because", outside(alert.silence_reason, 300)))
    if not alert.status.is_open and alert.closed_at:
        by = f"by {person(alert.closed_by)}" if alert.closed_by else "by itself"
        word = _CLOSED.get(alert.status, "Resolved")
        facts.append(
            (word, f"{when(alert.closed_at)} {by if word == 'Resolved' or alert.closed_by else ''}".strip())
        )
    if alert.status.is_open and alert.firing.held_by:
        facts.append(("Explained by", explained_by(alert.firing.held_by)))
    if alert.status.is_open and firing.flapping:
        facts.append(("Flapping", f"{firing.flapping}; it stays open until it is steady"))
    if alert.note:
        facts.append(("Note", outside(alert.note, 500)))
    return facts


def explained_by(held_by: str) -> str:
    """What an alert waits for, as its message names it."""
    if held_by.startswith(MARK):
        return f"alert {outside(held_by, 200)}, which is open"
    return f"check {code(held_by)}, which fails too"


def _steps(alert: Alert) -> str:
    firing = alert.firing
    lines = [f"{number}. {step_text(step)}" for number, step in enumerate(firing.recommendations[:5], 1)]
    if firing.runbook:
        lines.append(f":memo: {_link(firing.runbook, 'Runbook')}")
    return "*What to do*\n" + "\n".join(lines) if lines else ""


def step_text(step: str) -> str:
    """A recommendation; the parts in backticks stay code."""
    return cut(escape(step), 300)


def _link(address: str, text: str) -> str:
    if re.fullmatch(r"https?://[^\s|<>]+", address):
        return f"<{escape(address)}|{text}>"
    return f"{text}: {outside(address, 300)}"


def _small_print(alert: Alert, around: AlertContext) -> str:
    parts = [f"Alert #{alert.id}", f"rule {code(alert.firing.rule)}", escape(alert.firing.category)]
    if alert.status is Status.ACTIVE:
        parts.append(f"respond within {spell(around.respond_within or RESPONSE_TIME[alert.severity])}")
    if alert.status.is_open and around.escalates_at is not None:
        parts.append(f"escalates {clock(around.escalates_at)}")
    if again := around.recurrence.words():
        parts.append(again)
    if around.instead_of:
        names = escape(", ".join(around.instead_of))
        parts.append(f":warning: meant for {names}, which nothing can be sent to, so it is told here")
    if alert.status.is_open:
        parts += around.changed
    return " · ".join(parts)


def _buttons(alert: Alert, around: AlertContext, *, silenced: bool) -> list[Block]:
    number = str(alert.id)
    acknowledged = alert.status is Status.ACKNOWLEDGED
    first = (
        button("Unacknowledge", "alert:unacknowledge", number)
        if acknowledged
        else button("Acknowledge", "alert:acknowledge", number, style="primary")
    )
    quiet = (
        button("End silence", "alert:unsilence", number)
        if silenced
        else button("Silence…", "alert:silence", number)
    )
    notes = [
        ("Resolve with a note…", f"resolve:{number}"),
        ("Details", f"details:{number}"),
        ("Why?", f"why:{number}"),
    ]
    if not acknowledged:
        notes.insert(0, ("Acknowledge with a note…", f"acknowledge:{number}"))
    if threshold_field(alert) is not None:
        notes.append(("Change threshold…", f"threshold:{number}"))
    return [
        first,
        button("Resolve", "alert:resolve", number),
        quiet,
        *_incident_button(alert, around.incident),
        overflow("alert:more", notes),
    ]


def _incident_button(alert: Alert, standing: Standing | None) -> list[Block]:
    """For a P1 or P2: open an incident, or join the one it belongs to or those that are open."""
    if standing is None:
        return []
    belongs = standing.incident is not None and standing.incident.is_open
    if alert.severity > WORST_FOR_INCIDENTS and not belongs:
        return []
    label = "Join incident" if belongs else "Join incident…" if standing.others_open else "Open incident"
    return [button(label, "alert:incident", str(alert.id))]


def _incident_fact(standing: Standing | None) -> list[tuple[str, str]]:
    if standing is None or standing.incident is None:
        return []
    incident = standing.incident
    where = f"<#{incident.channel_id}>" if incident.channel_id else f"#{incident.channel_name}"
    closed = "" if incident.is_open else ", closed"
    return [("Incident", f"#{incident.id} in {where}{closed}")]


def _text(alert: Alert, around: AlertContext, head: str) -> str:
    """Everything essential in plain words."""
    firing = alert.firing
    parts = [head.replace("*", ""), cut(_why(alert).replace("*", ""), _MOST_WHY), f"Where: {code(firing.resource)}",
             f"Since {when(alert.opened_at)}"]  # fmt: skip
    if alert.count > 1:
        parts.append(f"Seen {alert.count} times")
    parts += [f"{label}: {value}" for label, value in _incident_fact(around.incident)]
    if alert.status.is_open and firing.flapping:
        parts.append(f"Flapping: {firing.flapping}")
    if alert.status.is_open and (steps := _steps(alert)):
        parts.append(cut(steps.replace("*", ""), _MOST_STEPS))
    parts.append(_small_print(alert, around))
    return "\n".join(parts)


_LINES = {
    EventKind.ACKNOWLEDGED: ":eyes: {who} acknowledged this",
    EventKind.UNACKNOWLEDGED: ":leftwards_arrow_with_hook: {who} is no longer on it; it needs somebody",
    EventKind.RESOLVED: ":white_check_mark: {who} resolved this",
    EventKind.RECOVERED: ":white_check_mark: Recovered",
    EventKind.SILENCED: ":no_bell: {who} silenced this",
    EventKind.UNSILENCED: ":bell: {who} ended the silence",
    EventKind.EXPIRED: ":hourglass: Expired",
    EventKind.REOPENED: ":rotating_light: Open again",
    EventKind.SEVERITY: ":arrow_up_down: Severity changed",
    EventKind.RELEASED: ":bell: What explained this is over, and it goes on",
    EventKind.FLAPPING: ":ocean: Flapping, so single recoveries are not told until it is steady",
    EventKind.STEADY: ":rotating_light: No longer flapping: it stays bad",
    EventKind.FIRED: ":rotating_light: Fired",
    EventKind.WITHDRAWN: ":heavy_minus_sign: Closed",
    EventKind.INCIDENT: ":fire: {who} made this part of an incident",
    EventKind.REMEDY: ":wrench: Recovery",
    EventKind.REMEDY_APPROVED: ":wrench: {who} approved the recovery",
    EventKind.REMEDY_FAILED: ":rotating_light: Recovery failed",
    EventKind.ESCALATED: ":mega: Escalated",
}


def render_event(event: Event, alert: Alert, mention: str = "", story: str = "") -> Message:
    """A line of an alert's thread. `mention` is whom a problem that came back, or that nobody takes, must reach.

    `story` is told with the end of one that was urgent: who did what.
    """
    line = _LINES[event.kind].format(who=person(event.actor))
    if event.kind is EventKind.UNSILENCED and event.actor is None:
        line = ":bell: The silence is over"
    if event.kind is EventKind.SILENCED and event.text.startswith(("until ", "extended until ")):
        line = line.replace(" silenced this", f" silenced this {localized(outside(event.text, 1500))}")
        line = line.replace("silenced this extended", "extended the silence")
    elif event.text:
        line += f": {localized(outside(event.text, 1500))}"
    if event.kind in (EventKind.RECOVERED, EventKind.RESOLVED):
        lasted = f"It lasted {spell(event.at - alert.opened_at)} and was seen {_times(alert.count)}"
        line += f"\n{lasted}: {story}." if story else f"\n{lasted}."
    calling = (EventKind.REOPENED, EventKind.UNSILENCED, EventKind.ESCALATED, EventKind.REMEDY_FAILED)
    if mention and event.kind in calling:
        line += f" {mention}"
    return Message(text=line, blocks=(section(line),))


def localized(text: str) -> str:
    """The instants of our own sentences in each reader's zone."""
    return _INSTANT.sub(_shown_instant, text)


def _shown_instant(found: re.Match[str]) -> str:
    try:
        return when(datetime.fromisoformat(f"{found[1]}+00:00"))
    except ValueError:  # 2026-19-39, in somebody's own words
        return found[0]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
