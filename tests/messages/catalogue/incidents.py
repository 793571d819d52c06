"""Incidents: the card, the question at the end, the lines, the report and the list."""

from __future__ import annotations

from dataclasses import replace

from bot.blocks.incidents import (
    ASK,
    CARD,
    render_ask,
    render_card,
    render_incident_line,
    render_list,
    render_note,
    render_outcome,
    render_report,
    render_runbook,
    render_view,
)
from bot.blocks.message import Message
from bot.domain.alert import EventKind, Status
from bot.domain.incident import Incident, Invitation, Reason, Whole
from bot.domain.severity import Severity
from tests.domain.findings import HOUR, NOON
from tests.messages.catalogue.parts import ALEX, KIM, LATER, SAM, alert, alerts, event
from tests.messages.kinds import Sample, kind


def incident(s: Sample, number: int = 7) -> Incident:
    return Incident(
        id=number, title=s.text("Payments answer slowly"), severity=Severity.CRITICAL, opened_at=NOON, opened_by=ALEX,
        asked_in="C0ALERTS", channel_name="inc-7-payments", channel_id="C0INC",
    )  # fmt: skip


def closed(s: Sample, number: int = 7) -> Incident:
    return replace(
        incident(s, number), closed_at=NOON + HOUR, closed_by=KIM,
        root_cause=s.text("The importer ran twice: its lock had no end."),
        resolution=s.text("Stopped one of the two, and gave the lock an end."),
    )  # fmt: skip


def whole(s: Sample, found: Incident, *, over: bool = False) -> Whole:
    people = [
        Invitation(user=(ALEX, SAM, KIM)[(number - 1) % 3], reason=tuple(Reason)[(number - 1) % 4])
        for number in s.many(2, lambda number: number)
    ]
    listed = alerts(s, 2)
    if over:
        listed = [replace(each, status=Status.RESOLVED, closed_at=LATER) for each in listed]
    return Whole(incident=found, alerts=tuple(listed), people=tuple(people), uninvited=(SAM,))


@kind("incident-card", "Pinned in an incident's channel, edited as it goes on", render_card, render_view,
      says=("Incident #7", "Payments answer slowly", "P1 critical", "CPU at 97%", "People"), large=True)  # fmt: skip
def _card(s: Sample) -> Message:
    return render_view(CARD, whole(s, incident(s)), LATER)


@kind(
    "incident-card-closed", "The same once it is closed", render_card, says=("Closed after 1 h", "Payments")
)
def _closed_card(s: Sample) -> Message:
    return render_view(CARD, whole(s, closed(s), over=True), NOON + HOUR)


@kind("incident-ask", "Its alerts are over", render_ask, says=("incident #7 over too",))
def _ask(s: Sample) -> Message:
    return render_view(ASK, whole(s, incident(s), over=True), LATER)


@kind("incident-ask-again", "One of them began again", render_ask)
def _ask_again(s: Sample) -> Message:
    return render_view(ASK, whole(s, incident(s)), LATER)


@kind("incident-ask-closed", "Somebody closed it", render_ask, says=(f"<@{KIM}> closed incident #7",))
def _ask_closed(s: Sample) -> Message:
    return render_view(ASK, whole(s, closed(s), over=True), LATER)


@kind(
    "incident-line",
    "What happens to one of its alerts",
    render_incident_line,
    says=("Alert #41 P1 CPU at 97%",),
)
def _line(s: Sample) -> Message:
    return render_incident_line(event(s, EventKind.ACKNOWLEDGED, "looking at the importer"), alert(s))


@kind("incident-note", "A line of Tocsin's own words in its channel", render_note)
def _note(_s: Sample) -> Message:
    return render_note(f":information_source: <@{SAM}> is on call and could not be invited.")


@kind("incident-runbook", "Pinned in its channel", render_runbook, says=("Runbook for CPU at 97%",))
def _runbook(s: Sample) -> Message:
    return render_runbook(alert(s))


@kind(
    "incident-report", "Its end, in its channel", render_report, says=("Report of incident #7", "Root cause")
)
def _report(s: Sample) -> Message:
    return render_report(whole(s, closed(s), over=True), "tocsin")


@kind(
    "incident-outcome",
    "Its end, in the channels of its alerts",
    render_outcome,
    says=("closed after 1 h", "Root cause"),
)
def _outcome(s: Sample) -> Message:
    return render_outcome(whole(s, closed(s), over=True), "tocsin")


@kind("incident-list", "`/tocsin incident list`", render_list, says=("1 open", "Payments answer slowly"))
def _list(s: Sample) -> Message:
    return render_list(
        s.many(1, lambda number: incident(s, 6 + number)),
        s.many(2, lambda number: closed(s, number)),
        "tocsin",
    )


@kind("incident-list-empty", "The same where there was none", render_list, says=("there was none yet",))
def _empty(_s: Sample) -> Message:
    return render_list([], [], "tocsin")
