"""How bad something is: the teams' words for it, and the overage that decides it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.priority import overage
from bot.domain.severity import RESPONSE_TIME, Severity, parse_severity
from tests.properties import quick

CRITICAL, HIGH, MEDIUM, LOW = Severity


@pytest.mark.parametrize(
    ("words", "severity"),
    [
        ("critical CRITICAL Critical P1 p1 fatal page", CRITICAL),
        ("high HIGH P2 p2 error ERROR", HIGH),
        ("medium P3 p3 warning WARNING warn", MEDIUM),
        ("low LOW P4 p4", LOW),
    ],
)
def test_every_team_keeps_its_own_words_for_the_four_severities(words: str, severity: Severity) -> None:
    assert {parse_severity(word) for word in words.split()} == {severity}
    assert parse_severity(severity) is severity


@pytest.mark.parametrize("word", ["", "INFO", "P0", "P5", "critcal", None, 1, True, 2.0, "1"])
def test_any_other_word_is_refused_with_the_words_there_are(word: object) -> None:
    with pytest.raises(ValueError, match=r"write critical \(P1\), high \(P2, ERROR\), medium"):
        parse_severity(word)


def test_more_urgent_severities_are_to_be_answered_sooner() -> None:
    assert [RESPONSE_TIME[each].total_seconds() / 60 for each in Severity] == [5, 30, 120, 24 * 60]


@pytest.mark.parametrize(
    ("value", "threshold", "percent", "severity"),
    [
        (92, 80, "15.0", HIGH),  # the team's own examples
        (95, 80, "18.8", CRITICAL),
        (83.9, 80, "4.9", MEDIUM),
        (84, 80, "5.0", HIGH),  # a fifth of the headroom
        (93.9, 80, "17.4", HIGH),
        (94, 80, "17.5", CRITICAL),
        (80.1, 80, "0.1", MEDIUM),
        (100, 80, "25.0", CRITICAL),
        (120, 100, "20.0", CRITICAL),  # no headroom at all
        (5, 0, "100.0", MEDIUM),
    ],
)
def test_a_percentage_is_as_bad_as_the_share_of_its_headroom_that_is_used(
    value: float, threshold: float, percent: str, severity: Severity
) -> None:
    found = overage(value, threshold, bounded=True)
    assert (f"{found.percent:.1f}", found.severity) == (percent, severity)


@pytest.mark.parametrize(
    ("value", "threshold", "percent", "severity"),
    [
        (1200, 1000, "20.0", MEDIUM),
        (1201, 1000, "20.1", HIGH),
        (1500, 1000, "50.0", HIGH),
        (1501, 1000, "50.1", CRITICAL),
        (1000.1, 1000, "0.0", MEDIUM),
        (1, 0, "100.0", CRITICAL),  # where nothing is allowed, anything is
        (-4, -10, "60.0", CRITICAL),
    ],
)
def test_an_unbounded_value_is_as_bad_as_its_overage(
    value: float, threshold: float, percent: str, severity: Severity
) -> None:
    found = overage(value, threshold)
    assert (f"{found.percent:.1f}", found.severity) == (percent, severity)


@pytest.mark.parametrize(
    ("value", "bounded", "percent", "severity"),
    [
        (9, False, "10.0", MEDIUM),
        (7.9, False, "21.0", HIGH),
        (4, False, "60.0", CRITICAL),
        (9, True, "10.0", MEDIUM),
        (8, True, "20.0", HIGH),
        (3, True, "70.0", CRITICAL),
        (0, True, "100.0", CRITICAL),
    ],
)
def test_too_little_is_judged_by_the_way_down_to_nothing(
    value: float, bounded: bool, percent: str, severity: Severity
) -> None:
    found = overage(value, 10, below=True, bounded=bounded)
    assert (f"{found.percent:.1f}", found.severity) == (percent, severity)


@quick
@given(
    value=st.floats(0.01, 1e9),
    more=st.floats(1, 1e9),
    threshold=st.floats(0, 1e6),
    bounded=st.booleans(),
)
def test_what_is_further_past_its_threshold_is_never_less_urgent(
    value: float, more: float, threshold: float, bounded: bool
) -> None:
    near = overage(threshold + value, threshold, bounded=bounded)
    far = overage(threshold + value + more, threshold, bounded=bounded)
    assert far.severity <= near.severity
