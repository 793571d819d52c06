"""Threshold advice: room over what is usual, never past 100 %, silent where there is too little."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.advice import Advice, Measured, advise, as_yaml, rounded
from bot.domain.rollup import HOUR, Rollup
from bot.domain.severity import Severity
from tests.config.reading import read
from tests.domain.findings import NOON
from tests.properties import quick


def judged(values: list[float], *limits: float, **parts: Any) -> Advice:
    """Ten values an hour, over as many hours as that takes."""
    given = {
        "path": ("host",),
        "field": "cpu_percent",
        "limits": tuple((None, limit) for limit in limits or (80.0,)),
    }
    hours = [values[start : start + 10] for start in range(0, len(values), 10)]
    past = [(NOON - number * 4 * HOUR, Rollup.of(some)) for number, some in enumerate(hours)]
    return advise(Measured(**{**given, **parts}), past)


def test_room_of_a_fifth_is_left_over_what_95_percent_of_the_values_stay_within() -> None:
    found = judged([40.0] * 960 + [60.0] * 40)
    assert found.advised == ((None, 48.0),)
    assert found.why == "95% of the values are at most about 40"
    assert (found.values, found.hours, found.days) == (1000, 100, 17)


def test_how_often_each_would_have_been_passed_is_counted_in_hours() -> None:
    found = judged([40.0] * 960 + [85.0] * 20 + [60.0] * 20)
    assert (found.passed, found.passed_if_advised) == (2, 4)


def test_with_too_little_it_says_so_and_advises_nothing() -> None:
    assert judged([40.0] * 99).why == "too little to say: 99 values on 2 days"
    assert judged([40.0] * 100).why == "too little to say: 100 values on 2 days"
    assert judged([]).why == "nothing was measured yet"
    assert all(judged([40.0] * count).advised is None for count in (0, 1, 99))


@pytest.mark.parametrize(
    ("usual", "advised"), [(50, 60), (70, 84), (75, 88), (90, 95), (98, 99), (98.9, 99.5)]
)
def test_a_percentage_stays_under_100(usual: float, advised: float) -> None:
    assert judged([float(usual)] * 1000, bounded=True).advised == ((None, advised),)


def test_a_percentage_that_is_full_gets_no_advice() -> None:
    assert "no limit below 100 has room" in judged([99.5] * 1000, bounded=True).why


def test_too_low_is_mirrored() -> None:
    found = judged([50.0] * 960 + [10.0] * 40, 20.0, below=True)
    assert found.advised == ((None, 40.0),)
    assert found.why == "95% of the values are at least about 49.9"


def test_worse_limits_keep_their_distance() -> None:
    limits = ((Severity.HIGH, 100.0), (Severity.CRITICAL, 200.0))
    assert judged([40.0] * 1000, limits=limits).advised == ((Severity.HIGH, 48.0), (Severity.CRITICAL, 96.0))
    shares = ((Severity.HIGH, 80.0), (Severity.CRITICAL, 90.0))
    found = judged([50.0] * 1000, limits=shares, bounded=True)
    assert found.advised == ((Severity.HIGH, 60.0), (Severity.CRITICAL, 80.0))


@given(st.lists(st.floats(0.1, 1e6), min_size=300, max_size=400), st.booleans())
@quick
def test_at_most_a_twentieth_of_the_values_is_past_what_is_advised(values: list[float], below: bool) -> None:
    found = judged(values, below=below)
    if found.advised is not None:
        limit = found.advised[0][1]
        past = sum(value < limit if below else value > limit for value in values)
        assert past <= 0.05 * len(values) + 1


@given(st.floats(0.1, 100), st.booleans())
@quick
def test_a_percentage_is_never_advised_to_be_100(usual: float, below: bool) -> None:
    found = judged([usual] * 400, bounded=True, below=below)
    if found.advised is not None:
        assert 0 <= found.advised[0][1] < 100


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1234.0, 1250.0),
        (1212.0, 1200.0),
        (0.0471, 0.047),
        (87.2, 87.0),
        (99.45, 99.0),
        (48.4, 48.0),
        (0.0, 0.0),
    ],
)
def test_limits_are_numbers_that_people_write(value: float, written: float) -> None:
    assert rounded(value) == written


def test_the_yaml_says_what_is_advised_when_it_is_read_again() -> None:
    both = {"limits": ((Severity.HIGH, 80.0), (Severity.CRITICAL, 90.0)), "bounded": True}
    found = [
        judged([50.0] * 1000, **both),
        judged([50.0] * 1000, 5.0, below=True),
        judged([50.0] * 1000, field="load_1m"),
        judged([50.0] * 1000, 9.0, field="load_5m", below=True),
        judged([50.0] * 10, field="swap_percent"),
        judged([50.0] * 1000, path=("all", "the db"), field="memory_percent"),
    ]
    text = as_yaml(found)
    assert text == (
        "checks:\n"
        "  host:\n"
        "    thresholds:\n"
        "      cpu_percent: {P2: 60, P1: 80, below: 40}\n"
        "      load_1m: 60\n"
        "      load_5m: {below: 40}\n"
        "  all:\n"
        "    checks:\n"
        '      "the db":\n'
        "        thresholds:\n"
        "          memory_percent: 60"
    )
    whole = text.replace("  host:", "  host:\n    type: system").replace("  all:", "  all:\n    type: group")
    settings = read(whole.replace('"the db":', '"the db":\n        type: system'))
    limits = settings.checks["host"].thresholds["cpu_percent"]
    assert {(limit.direction, limit.severity, limit.limit) for limit in limits} == {
        ("above", Severity.HIGH, 60.0), ("above", Severity.CRITICAL, 80.0), ("below", None, 40.0),
    }  # fmt: skip
    assert as_yaml([judged([])]) == ""
