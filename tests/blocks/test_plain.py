"""What destinations beside Slack read: plain words, harmless HTML, one short line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.plain import (
    SHORTEST,
    as_card,
    as_html,
    as_line,
    as_text,
    letter_of,
    message_letter,
    subject_of,
    without_markup,
)
from bot.domain.alert import Alert, Status
from bot.domain.news import NewsKind
from bot.domain.severity import Severity
from checks.result import Diagnostic
from tests.domain.findings import NOON, alert

LONDON = ZoneInfo("Europe/London")


def found(**parts: object) -> Alert:
    return replace(alert(severity=Severity.CRITICAL, **parts), id=12)


def over(status: Status = Status.RESOLVED) -> Alert:
    ended = NOON + timedelta(minutes=5)
    return replace(found(title="backend is down"), status=status, closed_at=ended, closed_by="U0SAM")


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        (NewsKind.FIRING, "[P1] backend is down"),
        (NewsKind.REOPENED, "[P1] Open again: backend is down"),
        (NewsKind.WORSE, "[P1] Worse: backend is down"),
        (NewsKind.ESCALATED, "[P1] Escalated: backend is down"),
        (NewsKind.ACKNOWLEDGED, "[P1] Acknowledged: backend is down"),
        (NewsKind.RESOLVED, "[P1] Resolved: backend is down"),
    ],
)
def test_a_subject_says_what_happened(kind: NewsKind, subject: str) -> None:
    assert subject_of(kind, found(title="backend is\ndown")) == subject


def test_an_alert_nobody_heard_of_any_more_is_expired() -> None:
    gone = letter_of(NewsKind.RESOLVED, over(Status.EXPIRED), zone=LONDON, system="Shop")
    assert gone.subject == "[P1] Expired: backend is down"
    assert "Nothing was heard of it any more" in as_text(gone)


def test_the_end_says_how_long_it_lasted_and_who_ended_it() -> None:
    letter = letter_of(NewsKind.RESOLVED, over(), zone=LONDON, system="Shop", people={"U0SAM": "sam"})
    assert "It ended by sam. It lasted 5 min and was seen once." in as_text(letter)


def test_everything_needed_is_in_the_text_and_in_the_html() -> None:
    alert_ = found(
        title="backend is down",
        message=":rotating_light: Help",
        runbook="https://wiki.example.com/backend",
        recommendations=("Look at the host",),
        diagnostics=(Diagnostic(title="Output", text="line one\nline two"),),
    )
    letter = letter_of(
        NewsKind.FIRING, alert_, zone=LONDON, system="Shop", note="Slack cannot be reached", called=("lead",)
    )
    text, html = as_text(letter), as_html(letter)
    for needed in (
        "Slack cannot be reached", "Help", "P1 critical", "lead", "Look at the host", "line two", "alert #12",
        "https://wiki.example.com/backend", "12:00 GMT",
    ):  # fmt: skip
        assert needed in text
        assert needed in html
    assert ":rotating_light:" not in text
    assert text.startswith("! Slack cannot be reached")
    assert json.dumps(as_card(letter)).count("Slack cannot be reached") == 1


@given(st.text(max_size=300), st.text(max_size=300))
def test_nothing_outside_becomes_markup_and_a_text_message_stays_short(title: str, reason: str) -> None:
    letter = letter_of(
        NewsKind.FIRING, found(title=f"<b>{title}", reason=f"<script>{reason}"), zone=LONDON, system="<i>"
    )
    page = as_html(letter)
    assert "<script" not in page
    assert "<i>" not in page
    assert "\n" not in letter.subject
    line = as_line(letter)
    assert len(line) <= SHORTEST
    assert "\n" not in line
    assert json.dumps(as_card(letter))


def test_a_runbook_that_is_no_link_is_not_made_one() -> None:
    letter = letter_of(NewsKind.FIRING, found(runbook="javascript:alert(1)"), zone=LONDON, system="Shop")
    assert "href" not in as_html(letter)
    assert "buttonList" not in json.dumps(as_card(letter))


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("*3 alerts* at <!date^1709542800^{time}|2024-03-04 09:00 UTC>", "3 alerts at 2024-03-04 09:00 UTC"),
        (":sunrise: all <https://example.com/a|well> &amp; good", "all well (https://example.com/a) & good"),
        ("<@U0SAM> and <!here>", "@U0SAM and @here"),
        ("a:b:c 2*3*4 some_file_name", "a:b:c 2*3*4 some_file_name"),
    ],
)
def test_slacks_markup_is_written_out(markup: str, words: str) -> None:
    assert without_markup(markup) == words


def test_a_message_has_its_first_line_as_subject() -> None:
    letter = message_letter(":sunrise: *2 alerts in quiet hours*\none\ntwo", system="Shop")
    assert (letter.subject, letter.lead) == ("2 alerts in quiet hours", "one\ntwo")
