"""What a destination that edits nothing is told: what is missing, no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.alert import Alert, Status
from bot.domain.news import EVERYTHING, Heard, NewsKind, heard_after, next_news
from bot.domain.severity import Severity
from tests.domain.findings import NOON, alert

P1, P2, P3 = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM
OVER: dict[str, Any] = {"status": Status.RESOLVED, "closed_at": NOON}
TAKEN: dict[str, Any] = {"status": Status.ACKNOWLEDGED, "acknowledged_at": NOON}
QUIET: dict[str, Any] = {"silenced_until": NOON + timedelta(hours=1)}


def so(severity: Severity = P2, **changes: Any) -> Alert:
    return replace(alert(severity=severity), **changes)


@pytest.mark.parametrize(
    ("heard", "now", "told"),
    [
        (None, so(), NewsKind.FIRING),
        (None, so(**TAKEN), NewsKind.FIRING),
        (None, so(**OVER), None),
        (None, so(**QUIET), None),
        ("firing:P2:0", so(), None),
        ("firing:P2:0", so(count=50), None),
        ("firing:P2:0", so(P1), NewsKind.WORSE),
        ("firing:P2:0", so(P3), None),
        ("firing:P2:0", so(P1, **QUIET), None),
        ("firing:P2:0", so(**TAKEN), NewsKind.ACKNOWLEDGED),
        ("acknowledged:P2:0", so(**TAKEN), None),
        ("acknowledged:P2:0", so(P1), NewsKind.WORSE),
        ("firing:P2:0", so(**OVER), NewsKind.RESOLVED),
        ("firing:P2:0", so(status=Status.EXPIRED, closed_at=NOON), NewsKind.RESOLVED),
        ("firing:P2:0", so(**OVER, **QUIET), NewsKind.RESOLVED),
        ("resolved:P2:0", so(**OVER), None),
        ("resolved:P2:0", so(reopened=1), NewsKind.REOPENED),
        ("firing:P2:0", so(reopened=1), NewsKind.REOPENED),
        ("resolved:P2:0", so(reopened=1, **OVER), None),
    ],
)
def test_what_is_missing_is_told(heard: str | None, now: Alert, told: NewsKind | None) -> None:
    before = None if heard is None else Heard.read(heard)
    assert next_news(before, now, EVERYTHING, NOON) == told
    if told is not None:
        after = heard_after(told, before, now)
        rest = (
            NewsKind.ACKNOWLEDGED if now.status is Status.ACKNOWLEDGED and told is NewsKind.FIRING else None
        )
        assert next_news(after, now, EVERYTHING, NOON, in_doubt=True) == rest, "not twice"


def test_who_does_not_understand_an_end_is_not_told_of_it() -> None:
    understands = frozenset({NewsKind.FIRING, NewsKind.REOPENED})
    heard = Heard.read("firing:P2:0")
    assert next_news(heard, so(**OVER), understands, NOON) is None
    assert next_news(heard, so(**TAKEN), understands, NOON) is None
    assert next_news(heard, so(reopened=1), understands, NOON) is NewsKind.REOPENED


@pytest.mark.parametrize("heard", [None, Heard.read("resolved:P2:0")])
def test_an_end_is_told_when_the_beginning_perhaps_arrived(heard: Heard | None) -> None:
    over = so(reopened=0 if heard is None else 1, **OVER)
    assert next_news(heard, over, EVERYTHING, NOON, in_doubt=True) is NewsKind.RESOLVED
    after = heard_after(NewsKind.RESOLVED, heard, over)
    assert next_news(after, over, EVERYTHING, NOON, in_doubt=True) is None


@st.composite
def _courses(draw: st.DrawFn) -> list[Alert]:
    """The states of one alert as a destination comes by them: what ended is open again only by reopening."""
    found: list[Alert] = []
    reopened, ended = 0, False
    for changes in draw(st.lists(st.sampled_from([{}, OVER, TAKEN, QUIET]), min_size=1, max_size=8)):
        if changes is not OVER and ended:
            reopened += 1
        reopened += draw(st.integers(0, 1))  # it came and went between two looks
        ended = changes is OVER
        found.append(so(draw(st.sampled_from(Severity)), reopened=reopened, **changes))
    return found


@given(_courses())
def test_whatever_happens_the_last_word_is_true(course: list[Alert]) -> None:
    heard: Heard | None = None
    for now in course:
        told = 0
        while (kind := next_news(heard, now, EVERYTHING, NOON)) is not None:
            heard, told = heard_after(kind, heard, now), told + 1
            assert told <= 2, "it comes to rest"
        if heard is not None:
            assert Heard.read(str(heard)) == heard
            assert (heard.state == "resolved") == (not now.status.is_open) or now.is_silenced(NOON)
