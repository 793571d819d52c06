"""Incidents as messages and windows: true to their state, taken by Slack whatever is in them, pinging nobody else."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.blocks.alert import AlertContext, render_alert
from bot.blocks.incidents import (
    ASK,
    CARD,
    render_incident_line,
    render_list,
    render_outcome,
    render_report,
    render_runbook,
    render_view,
)
from bot.demo.workspace.limits import check_view
from bot.domain.alert import Alert, Event, EventKind, Status
from bot.domain.incident import Incident, Invitation, Reason, Standing, Whole
from bot.domain.severity import Severity
from handlers.slack.incidents import close_window, incident_trouble, join_window
from tests.blocks.reading import HOSTILE, buttons, pings, shown
from tests.domain.findings import NOON, alert

LATER = NOON + timedelta(minutes=42)


def incident(title: str = "Backend is down") -> Incident:
    return Incident(
        id=7,
        title=title,
        severity=Severity.CRITICAL,
        opened_at=NOON,
        opened_by="U0ALEX",
        asked_in="C0ALERTS",
        channel_name="inc-7",
        channel_id="C0INC",
    )


def closed(text: str = "It was the deploy") -> Incident:
    return replace(incident(), closed_at=LATER, closed_by="U0KIM", root_cause=text, resolution=text)


def whole(found: Incident, *alerts: Alert) -> Whole:
    people = (
        Invitation(user="U0ALEX", reason=Reason.OPENED),
        Invitation(user="U0SAM", reason=Reason.ON_CALL),
    )
    return Whole(incident=found, alerts=alerts or (alert(),), people=people, uninvited=("U0SAM",))


OVER = replace(alert(), status=Status.RESOLVED, closed_at=LATER)


@pytest.mark.parametrize(
    ("what", "found", "alerts", "said", "pressable"),
    [
        (CARD, incident(), (), "Incident #7: Backend is down* (P1 critical)", ["Close incident…"]),
        (CARD, closed(), (OVER,), "*Closed after 42 min: Incident #7", []),
        (ASK, incident(), (OVER,), "Its alert is over. Is incident #7 over too?", ["Close incident…"]),
        (ASK, incident(), (OVER, OVER), "Its 2 alerts are over.", ["Close incident…"]),
        (ASK, incident(), (OVER, alert()), "Not over yet, so incident #7 stays open", []),
        (ASK, closed(), (OVER,), "<@U0KIM> closed incident #7", []),
    ],
)
def test_the_card_and_the_question_are_as_the_incident_is(
    what: str, found: Incident, alerts: tuple[Alert, ...], said: str, pressable: list[str]
) -> None:
    message = render_view(what, whole(found, *alerts), LATER)
    assert said in shown(message)
    assert said.replace("*", "") in message.text
    assert [name for name in buttons(message) if name] == pressable


def test_the_card_says_who_could_not_be_invited() -> None:
    assert "<@U0SAM> (on call, could not be invited)" in shown(render_view(CARD, whole(incident()), NOON))


@pytest.mark.parametrize(
    ("standing", "label", "fact"),
    [
        (None, None, None),
        (Standing(), "Open incident", None),
        (Standing(others_open=True), "Join incident…", None),
        (Standing(incident=incident()), "Join incident", "#7 in <#C0INC>"),
        (Standing(incident=closed()), "Open incident", "#7 in <#C0INC>, closed"),
        (Standing(incident=replace(incident(), channel_id=None)), "Join incident", "#7 in #inc-7"),
    ],
)
def test_an_alert_says_its_incident_and_offers_what_can_be_done(
    standing: Standing | None, label: str | None, fact: str | None
) -> None:
    found = alert(severity=Severity.HIGH)
    message = render_alert(found, AlertContext(now=NOON, incident=standing))
    assert [name for name in buttons(message) if "incident" in name] == ([label] if label else [])
    assert fact is None or fact in message.text
    assert (fact is None) == ("Incident" not in message.text)


def test_a_p3_has_no_button_unless_it_is_in_an_incident() -> None:
    mild = alert(severity=Severity.MEDIUM)
    for standing, count in ((Standing(others_open=True), 0), (Standing(incident=incident()), 1)):
        message = render_alert(mild, AlertContext(now=NOON, incident=standing))
        assert len([name for name in buttons(message) if "incident" in name]) == count


def test_slack_takes_the_worst_of_every_kind_and_it_pings_nobody_else() -> None:
    bad = HOSTILE * 30
    hostile = [
        replace(alert(title=bad, resource=bad, runbook=f"https://x.example/{bad}"), id=number)
        for number in range(60)
    ]
    people = tuple(Invitation(user=f"U0P{number}", reason=Reason.ON_CALL) for number in range(200))
    over = replace(closed(bad), title=bad)
    full = Whole(incident=over, alerts=tuple(hostile), people=people)
    still = replace(full, incident=incident(bad))
    event = Event(kind=EventKind.RESOLVED, at=NOON, text=bad, actor="U0KIM")
    messages = [
        render_view(CARD, full, LATER),
        render_view(CARD, still, LATER),
        render_view(ASK, still, LATER),
        render_report(full, "tocsin"),
        render_outcome(full, "tocsin"),
        render_incident_line(event, hostile[0]),
        render_runbook(hostile[0]),
        render_list([incident(bad)] * 30, [over] * 15, "tocsin"),
    ]
    for message in messages:
        for named in pings(message):
            assert re.match(r"<@U0(P\d+|ALEX|KIM)>|<#C0INC>", named), named


def test_slack_takes_the_windows_whatever_the_incidents_are_called() -> None:
    check_view(join_window(alert(title=HOSTILE * 30), [incident(HOSTILE * 9)] * 80, "C0ALERTS"), "modal")
    check_view(close_window(incident(HOSTILE * 30), 3, "C0INC"), "modal")


def test_a_list_without_incidents_says_how_one_is_opened() -> None:
    assert "Open incident" in render_list([], [], "tocsin").text


def test_what_was_written_in_a_window_that_could_not_be_acted_on_is_given_back() -> None:
    view = close_window(incident(), 0, "C0INC")
    values = {name: {name: {"value": f"the {name} <!here>"}} for name in ("cause", "resolution")}
    said = incident_trouble({**view, "state": {"values": values}}, {"user": {"id": "U0ALEX"}}, "Try again.")
    assert (said["channel"], said["user"]) == ("C0INC", "U0ALEX")
    assert said["text"] == "Try again.\nYou wrote:\nthe cause &lt;!here&gt;\nthe resolution &lt;!here&gt;"
