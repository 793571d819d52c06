"""Incidents: who is called, what a channel is named, what can be closed, and what the report says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.alert import Alert, Event, EventKind, Firing, Status
from bot.domain.incident import (
    LONGEST_NAME,
    LONGEST_TOPIC,
    Incident,
    Invitation,
    Note,
    NoteKind,
    Reason,
    Unchanged,
    begin,
    channel_names,
    close,
    invitations,
    is_over,
    join,
    severity_of,
    topic,
)
from bot.domain.incident_report import plain, report, timeline
from bot.domain.observation import Source, SourceKind
from bot.domain.severity import Severity

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALEX, SAM, KIM = "U0ALEX", "U0SAM", "U0KIM"


def alert(number: int = 1, severity: Severity = Severity.CRITICAL, **changed: object) -> Alert:
    firing = Firing(
        rule="down",
        source=Source(kind=SourceKind.CHECK, name="backend"),
        resource="backend",
        severity=severity,
        category="availability",
        title="Backend | is down",
        message="",
        reason="503",
    )
    found = Alert(id=number, version=1, firing=firing, opened_at=NOON, last_seen=NOON)
    return replace(found, **changed)  # type: ignore[arg-type]


def incident(title: str = "Backend is down", number: int = 7) -> Incident:
    return Incident(
        id=number,
        title=title,
        severity=Severity.CRITICAL,
        opened_at=NOON,
        opened_by=ALEX,
        asked_in="C0ALERTS",
        channel_name="inc-7-backend-is-down",
    )


def closed() -> Incident:
    found = close(incident(), KIM, "A bad deploy", "Rolled back", NOON + timedelta(minutes=42))
    assert isinstance(found, Incident)
    return found


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Backend is down", "inc-7-backend-is-down"),
        ("  Größe: CPU > 90 % (web_1)!", "inc-7-grosse-cpu-90-web-1"),
        ("データベース", "inc-7"),
        ("", "inc-7"),
        ("a" * 200, "inc-7-" + "a" * 74),
    ],
)
def test_a_channel_is_named_after_its_incident_as_slack_allows(title: str, name: str) -> None:
    assert next(channel_names(incident(title))) == name


@given(st.text(max_size=300))
def test_every_name_is_one_that_slack_takes_and_no_two_are_the_same(title: str) -> None:
    names = list(channel_names(incident(title)))
    assert len(set(names)) == len(names)
    for name in names:
        assert 0 < len(name) <= LONGEST_NAME
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")
    assert len(topic(incident(title))) <= LONGEST_TOPIC


@pytest.mark.parametrize(
    ("severity", "status", "said"),
    [
        (Severity.CRITICAL, Status.RESOLVED, "is resolved, so it needs no incident"),
        (Severity.MEDIUM, Status.ACTIVE, "is P3; incidents are for P1 and P2"),
        (Severity.HIGH, Status.ACTIVE, ""),
        (Severity.CRITICAL, Status.ACKNOWLEDGED, ""),
    ],
)
def test_an_incident_begins_around_an_open_p1_or_p2(severity: Severity, status: Status, said: str) -> None:
    found = begin(alert(severity=severity, status=status), ALEX, "C0ALERTS", NOON)
    assert said in found.reason if isinstance(found, Unchanged) else not said


def test_an_alert_joins_only_an_incident_that_is_open() -> None:
    assert join(incident(), 7, alert()) is None
    for there, joining, said in (
        (None, alert(), "There is no incident #7."),
        (closed(), alert(), f"closed already by <@{KIM}>"),
        (incident(), alert(status=Status.EXPIRED), "Alert #1 is expired."),
    ):
        no = join(there, 7, joining)
        assert no is not None
        assert said in no.reason


@pytest.mark.parametrize(("cause", "helped"), [("", "x"), ("x", " \n"), ("", "")])
def test_closing_needs_both_answers(cause: str, helped: str) -> None:
    found = close(incident(), KIM, cause, helped, NOON)
    assert isinstance(found, Unchanged)
    assert "root cause and the resolution" in found.reason


def test_a_second_closing_changes_nothing_and_names_who_was_first() -> None:
    again = close(closed(), SAM, "another", "another", NOON)
    assert isinstance(again, Unchanged)
    assert f"<@{KIM}>" in again.reason


def test_it_is_over_when_none_of_its_alerts_is_open() -> None:
    over = alert(status=Status.RESOLVED)
    assert is_over(incident(), [over, alert(2, status=Status.EXPIRED)])
    assert not is_over(incident(), [over, alert(2, status=Status.ACKNOWLEDGED)])
    assert not is_over(incident(), [])
    assert not is_over(closed(), [over])


def test_it_is_as_severe_as_the_worst_of_its_alerts() -> None:
    mild = replace(incident(), severity=Severity.HIGH)
    assert severity_of(mild, [alert(severity=Severity.HIGH)]) is Severity.HIGH
    assert severity_of(mild, [alert(severity=Severity.LOW), alert()]) is Severity.CRITICAL


def test_each_person_is_called_once_by_the_first_reason_and_only_users_are() -> None:
    found = invitations(
        incident(),
        [alert(acknowledged_by=KIM), alert(acknowledged_by="the API"), alert(acknowledged_by=ALEX)],
        [SAM, KIM, "S0GROUP"],
    )
    assert found == [
        Invitation(user=ALEX, reason=Reason.OPENED),
        Invitation(user=KIM, reason=Reason.ACKNOWLEDGED),
        Invitation(user=SAM, reason=Reason.ON_CALL),
    ]


def test_the_timeline_is_in_order_and_says_each_thing_once() -> None:
    notes = [Note(kind=NoteKind.OPENED, at=NOON + timedelta(minutes=2), text="", actor=ALEX)]
    events = {
        1: [
            Event(kind=EventKind.FIRED, at=NOON, text="503"),
            Event(kind=EventKind.INCIDENT, at=NOON + timedelta(minutes=2), text="#7", actor=ALEX),
            Event(kind=EventKind.RECOVERED, at=NOON + timedelta(minutes=9), text=""),
        ],
        2: [Event(kind=EventKind.ACKNOWLEDGED, at=NOON + timedelta(minutes=1), text="mine", actor=KIM)],
    }
    found = [(each.alert_id, each.deed) for each in timeline(notes, events)]
    assert found == [(1, "fired"), (2, "acknowledged"), (None, "opened the incident"), (1, "recovered")]


def test_every_kind_of_event_and_note_has_words() -> None:
    notes = [Note(kind=kind, at=NOON, text="") for kind in NoteKind]
    events = [Event(kind=kind, at=NOON, text="") for kind in EventKind]
    found = timeline(notes, {1: events})
    assert len(found) == len(NoteKind) + len(EventKind) - 1  # joining is said by the incident itself
    assert all(each.deed and "_" not in each.deed for each in found)


def test_the_report_says_what_who_why_and_how_long() -> None:
    notes = [Note(kind=NoteKind.OPENED, at=NOON, text="for alert #1", actor=ALEX)]
    events = {1: [Event(kind=EventKind.ACKNOWLEDGED, at=NOON, text="on it", actor=KIM)]}
    text = report(
        closed(),
        [alert(status=Status.RESOLVED, closed_at=NOON + timedelta(minutes=40))],
        timeline(notes, events),
        [Invitation(user=SAM, reason=Reason.ON_CALL)],
        names={ALEX: "Alex Moreau", KIM: "Kim *K* Lindqvist"},
        zone=ZoneInfo("Europe/Berlin"),
        now=NOON + timedelta(days=1),
    )
    for said in (
        "# Incident #7: Backend is down\n",
        "- Priority: P1 critical\n",
        "- Opened: 2026-03-01 13:00:00 by Alex Moreau\n",
        "- Duration: 42 min\n",
        "## Root cause\n\nA bad deploy\n",
        "## Resolution\n\nRolled back\n",
        "| #1 | P1 | Backend \\| is down | backend | 2026-03-01 13:00:00 | resolved | 40 min |",
        "Times are in Europe/Berlin.",
        "- 2026-03-01 13:00:00 Kim \\*K\\* Lindqvist acknowledged alert #1: on it\n",
        "- U0SAM (on call): was invited\n",
        "- Alex Moreau: opened the incident\n",
    ):
        assert said in text, text


@given(st.text(max_size=200))
def test_outside_text_stays_in_its_cell(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown
    bare = shown.replace("\\\\", "")
    assert all(bare[at - 1 : at] == "\\" for at, sign in enumerate(bare) if sign in "|<`*[]")
