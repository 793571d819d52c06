"""Incidents as they are seen: the card of a channel, its lines, the question at the end, the report, the list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from bot.blocks.alert import FIRING, RESOLVED, SEVERITY_EMOJI, render_event
from bot.blocks.message import (
    Block,
    Message,
    actions,
    button,
    context,
    cut,
    escape,
    fields,
    fitted,
    outside,
    person,
    section,
    when,
)
from bot.domain.alert import Alert, Event, EventKind, Status
from bot.domain.decision import spell
from bot.domain.incident import Incident, Whole, is_over, severity_of

CARD, ASK = "card", "ask"
"""The messages about an incident that are edited in place."""

CLOSE = "incident:close"
_ADDRESS = re.compile(r"https?://[^\s|<>]{1,2000}")
_MOST_ALERTS = 12
_MOST_PEOPLE = 20
_SHOWN_ANSWER = 2500


def render_view(what: str, whole: Whole, now: datetime) -> Message:
    """The card or the question, as the incident stands now."""
    return render_ask(whole) if what == ASK else render_card(whole, now)


def render_card(whole: Whole, now: datetime) -> Message:
    """What the incident is about, where it stands, who is in it."""
    incident = whole.incident
    severity = severity_of(incident, whole.alerts)
    title = f"Incident #{incident.id}: {outside(incident.title, 250)}"
    if incident.is_open:
        head = f"{SEVERITY_EMOJI[severity]} *{title}* ({severity.priority} {severity.word})"
    else:
        lasted = spell(incident.lasted(now))
        head = f":white_check_mark: *Closed after {lasted}: {title}* ({severity.priority})"
    listed = _alert_lines(whole.alerts)
    people = _people(whole)
    facts = [("Opened", f"{when(incident.opened_at)} by {person(incident.opened_by)}")]
    if incident.closed_at is not None:
        facts.append(("Closed", f"{when(incident.closed_at)} by {person(incident.closed_by)}"))
    facts.append(("People", people))
    body: list[Block] = [section("*Alerts*\n" + "\n".join(listed)), fields(facts)]
    if incident.is_open:
        row = actions(f"incident:{incident.id}", [button("Close incident…", CLOSE, str(incident.id))])
        body += [context(_HOW), row]
    text = [head.replace("*", ""), *listed, f"Opened {when(incident.opened_at)}", f"People: {people}"]
    return Message(
        text="\n".join(text),
        blocks=(section(head),),
        body=tuple(body),
        color=FIRING if incident.is_open else RESOLVED,
    )


_HOW = (
    "What happens to these alerts is written below as it happens. Closing asks for the root cause and the "
    "resolution, and posts the report."
)


def _alert_lines(alerts: Sequence[Alert]) -> list[str]:
    lines = [_alert_line(alert) for alert in alerts[:_MOST_ALERTS]]
    if hidden := len(alerts) - len(lines):
        lines.append(f"… and {hidden} more")
    return lines or ["None is kept any more"]


def _alert_line(alert: Alert) -> str:
    state = alert.status.value
    if alert.status is Status.ACKNOWLEDGED:
        state += f" by {person(alert.acknowledged_by)}"
    elif alert.closed_at is not None:
        state += f" after {spell(alert.closed_at - alert.opened_at)}"
    emoji = SEVERITY_EMOJI[alert.severity] if alert.status.is_open else ":white_check_mark:"
    title = outside(alert.firing.title, 150)
    return f"{emoji} {alert.severity.priority} {title} (alert #{alert.id}, {state})"


def _people(whole: Whole) -> str:
    shown = [
        f"{person(each.user)} ({each.reason.value}"
        + (", could not be invited)" if each.user in whole.uninvited else ")")
        for each in whole.people[:_MOST_PEOPLE]
    ]
    hidden = len(whole.people) - len(shown)
    return ", ".join(shown) + (f" and {hidden} more" if hidden else "") or "nobody yet"


def render_ask(whole: Whole) -> Message:
    """Whether to close an incident of which nothing is open; what came of it."""
    incident = whole.incident
    count = len(whole.alerts)
    everything = "Its alert is over" if count == 1 else f"Its {count} alerts are over"
    if not incident.is_open:
        text = (
            f":white_check_mark: {everything}. {person(incident.closed_by)} closed incident #{incident.id}."
        )
        return Message(text=text, blocks=(section(text),))
    if not is_over(incident, whole.alerts):
        still = [alert for alert in whole.alerts if alert.status.is_open]
        text = f":rotating_light: Not over yet, so incident #{incident.id} stays open: " + "; ".join(
            f"{alert.severity.priority} {outside(alert.firing.title, 150)}" for alert in still[:5]
        )
        return Message(text=text, blocks=(section(text),))
    text = (
        f":white_check_mark: {everything}. Is incident #{incident.id} over too? Closing it asks for the root "
        "cause and the resolution, and posts the report."
    )
    row = actions(
        f"incident:{incident.id}:ask",
        [button("Close incident…", CLOSE, str(incident.id), style="primary")],
    )
    return Message(text=text, blocks=(section(text), row))


def render_incident_line(event: Event, alert: Alert) -> Message:
    """What happened to an alert, as a line of its incident's channel."""
    line = render_event(event, alert).text
    if event.kind is EventKind.INCIDENT:
        line = f":heavy_plus_sign: {person(event.actor)} brought this alert here"
    about = f"Alert #{alert.id} {alert.severity.priority} {outside(alert.firing.title, 150)}"
    text = f"{line}\n_{about}_"
    return Message(text=text, blocks=(section(line), context(about)))


def render_note(text: str) -> Message:
    """A line of our own words in an incident's channel."""
    return Message(text=text, blocks=(section(text),))


def render_runbook(alert: Alert) -> Message:
    """Where it is written what to do about an alert."""
    address = alert.firing.runbook or ""
    title = outside(alert.firing.title, 200)
    shown = f"<{escape(address)}>" if _ADDRESS.fullmatch(address) else outside(address, 500)
    text = f":memo: Runbook for {title}: {shown}"
    return Message(text=text, blocks=(section(text),))


def render_report(whole: Whole, prefix: str) -> Message:
    """The report as its channel reads it; the timeline goes with it as a file."""
    incident = whole.incident
    assert incident.closed_at is not None
    head = f":clipboard: *Report of incident #{incident.id}: {outside(incident.title, 250)}*"
    facts = [
        ("Opened", f"{when(incident.opened_at)} by {person(incident.opened_by)}"),
        ("Closed", f"{when(incident.closed_at)} by {person(incident.closed_by)}"),
        ("Duration", spell(incident.lasted(incident.closed_at))),
        ("People", _people(whole)),
    ]
    cause = f"*Root cause*\n{outside(incident.root_cause or '', _SHOWN_ANSWER)}"
    helped = f"*Resolution*\n{outside(incident.resolution or '', _SHOWN_ANSWER)}"
    listed = "*Alerts*\n" + "\n".join(_alert_lines(whole.alerts))
    again = f"With the timeline as a file: `/{prefix} incident report {incident.id}`"
    blocks = (section(head), fields(facts), section(cause), section(helped), section(listed), context(again))
    said = [head, *(f"{label}: {value}" for label, value in facts), cause, helped, listed, again]
    return Message(text=cut("\n".join(said).replace("*", ""), 3500), blocks=blocks)


def render_outcome(whole: Whole, prefix: str) -> Message:
    """The report in short, for the channels of the alerts."""
    incident = whole.incident
    assert incident.closed_at is not None
    where = f" in <#{incident.channel_id}>" if incident.channel_id else ""
    text = (
        f":white_check_mark: *Incident #{incident.id} closed after {spell(incident.lasted(incident.closed_at))}: "
        f"{outside(incident.title, 250)}*\n"
        f"*Root cause:* {outside(incident.root_cause or '', 500)}\n"
        f"*Resolution:* {outside(incident.resolution or '', 500)}"
    )
    report = f"The report stands{where}; `/{prefix} incident report {incident.id}` sends it as a file."
    return Message(text=f"{text.replace('*', '')}\n{report}", blocks=(section(text), context(report)))


def render_list(open_ones: Sequence[Incident], closed: Sequence[Incident], prefix: str) -> Message:
    """The open incidents, and the last ones that were closed."""
    if not open_ones and not closed:
        text = (
            "*Incidents* · there was none yet. A P1 or P2 alert has a button *Open incident*, which makes a "
            "channel for it."
        )
        return Message(text=text.replace("*", ""), blocks=(section(text),))
    head = f"*Incidents* · {len(open_ones)} open" if open_ones else "*Incidents* · none is open"
    lines = [_listed(each) for each in [*open_ones, *closed]]
    foot = f"`/{prefix} incident report {(closed or open_ones)[0].id}` sends a report as a file"
    blocks = [section(head)]
    blocks += [section("\n".join(lines[start : start + 8])) for start in range(0, len(lines), 8)]
    text = "\n".join([head, *lines, foot]).replace("*", "")
    return Message(text=cut(text, 3400), blocks=fitted([*blocks, context(foot)]))


def _listed(incident: Incident) -> str:
    where = f" <#{incident.channel_id}>" if incident.channel_id else ""
    title = f"#{incident.id} {incident.severity.priority} {outside(incident.title, 120)}{where}"
    if incident.closed_at is None:
        since = f"since {when(incident.opened_at)}, opened by {person(incident.opened_by)}"
        return f"{SEVERITY_EMOJI[incident.severity]} *{title}* {since}"
    lasted = spell(incident.lasted(incident.closed_at))
    return f":white_check_mark: {title} closed {when(incident.closed_at)} after {lasted}"
