"""A forecast is made when the growth deserves it, and then the truth lies between its bounds."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.condition import Outcome
from bot.domain.forecast import TRENDS, Outlook, accumulates, find_trend, look_ahead
from bot.domain.history_questions import WillBreach
from bot.domain.rule import Threshold
from bot.domain.severity import Severity
from tests.domain.findings import HOUR, MINUTE, NOON, check
from tests.properties import quick

Points = list[tuple[datetime, float]]


def line(level: float, per_hour: float, *, noise: float = 0.0, hours: int = 6, seed: int = 1) -> Points:
    """A figure every five minutes until noon, when it is at `level`."""
    chance = random.Random(seed)
    count = hours * 12
    return [
        (NOON - (count - n) * 5 * MINUTE, level - per_hour * (count - n) / 12 + chance.gauss(0, noise))
        for n in range(count + 1)
    ]


def ahead(points: Points, value: float, limit: float, **parts: Any) -> Outlook | None:
    trend = find_trend(points)
    return look_ahead([trend], value, limit, NOON, **parts) if trend is not None else None


def test_steady_growth_tells_when_the_limit_is_reached() -> None:
    found = ahead(line(78, 2), 78, 90)
    assert found is not None
    assert found.after == pytest.approx(6 * HOUR, abs=MINUTE)
    assert found.words() == "in about 6 h"
    noisy = ahead(line(78, 2, noise=0.5), 78, 90)
    assert noisy is not None
    assert "between" in noisy.words()


def test_what_runs_out_is_told_too() -> None:
    found = ahead(line(20, -2), 20, 10, below=True)
    assert found is not None
    assert found.after == pytest.approx(5 * HOUR, abs=MINUTE)


@pytest.mark.parametrize(
    ("points", "value", "limit"),
    [
        ([], 78, 90),
        (line(78, 2)[:7], 78, 90),  # too few
        (line(78, 0), 78, 90),  # it stands still
        (line(78, -2), 78, 90),  # it shrinks
        (line(78, 0.1, noise=2), 78, 90),  # it scatters more than it grows
        (line(78, 0.5), 78, 90),  # 24 hours away by six hours of looking
        (line(91, 2), 91, 90),  # over it already
        (line(78, 2), 40, 90),  # somebody has made room
        (
            line(78, 4, hours=3) + [(NOON + n * 5 * MINUTE, 78.0) for n in range(1, 36)],
            78,
            90,
        ),  # it has stopped
    ],
)
def test_nothing_is_said_where_the_fit_does_not_deserve_it(
    points: Points, value: float, limit: float
) -> None:
    assert ahead(points, value, limit) is None


@pytest.mark.parametrize("seed", range(60))
def test_noise_alone_is_never_taken_for_growth(seed: int) -> None:
    assert find_trend(line(50, 0, noise=3, seed=seed)) is None


def test_the_truth_lies_within_the_bounds_nearly_always() -> None:
    told = held = 0
    for seed in range(150):
        found = ahead(line(78, 2, noise=1.0, seed=seed), 78, 90)
        if found is not None:
            told += 1
            held += found.soonest <= 6 * HOUR <= found.latest
    assert told > 100
    assert held / told >= 0.9


@given(st.floats(0.2, 20), st.floats(10, 80), st.floats(0, 1), st.integers(0, 9))
@quick
def test_an_outlook_is_ordered_and_not_farther_than_twice_what_was_seen(
    per_hour: float, level: float, noise: float, seed: int
) -> None:
    found = ahead(line(level, per_hour, noise=noise, seed=seed), level, 90)
    if found is not None:
        assert timedelta(0) < found.soonest <= found.after <= found.latest <= 3.1 * found.soonest
        assert found.after <= 12 * HOUR
        assert found.words().startswith("in about ")


def test_a_single_spike_does_not_move_it() -> None:
    points = line(78, 2)
    points[30] = (points[30][0], 9999.0)
    found = ahead(points, 78, 90)
    assert found is not None
    assert found.after == pytest.approx(6 * HOUR, rel=0.02)


@pytest.mark.parametrize(
    ("after", "soonest", "latest", "words"),
    [
        (6 * HOUR, 5.4 * HOUR, 7.2 * HOUR, "in about 6 h (between 5 and 8 h)"),
        (42 * MINUTE, 38 * MINUTE, 51 * MINUTE, "in about 40 min (between 35 and 55 min)"),
        (72 * HOUR, 60 * HOUR, 90 * HOUR, "in about 3 days (between 2 and 4 days)"),
        (2 * MINUTE, 1 * MINUTE, 3 * MINUTE, "in about 5 min (between 0 and 5 min)"),
    ],
)
def test_times_are_told_in_the_unit_they_deserve(
    after: timedelta, soonest: timedelta, latest: timedelta, words: str
) -> None:
    assert Outlook(limit=90, after=after, soonest=soonest, latest=latest).words() == words


@pytest.mark.parametrize(
    ("field", "fills"),
    [("disk_percent", True), ("queue_depth", True), ("cpu_percent", False), ("response_time_ms", False),
     ("load_1m", False), ("error_rate", False), ("memory_percent", True)],
)  # fmt: skip
def test_what_swings_is_not_foretold(field: str, fills: bool) -> None:
    assert accumulates(field) is fills


def names(level: float, per_hour: float) -> dict[str, Any]:
    trend = find_trend(line(level, per_hour))
    return {"disk_percent": level, TRENDS: {"disk_percent": (trend,) if trend else ()}}


@pytest.mark.parametrize(
    ("level", "per_hour", "outcome", "severity"),
    [
        (78, 2, Outcome.TRUE, Severity.MEDIUM),
        (70, 2, Outcome.TRUE, Severity.LOW),
        (91, 2, Outcome.FALSE, None),
        (78, 0, Outcome.FALSE, None),
    ],
)
def test_a_breach_ahead_is_an_alert_of_low_or_medium_severity(
    level: float, per_hour: float, outcome: Outcome, severity: Severity | None
) -> None:
    question = WillBreach(field="disk_percent", limit=90, ahead=24 * HOUR, label="disk", unit="%")
    verdict = question.ask(check({"disk_percent": level}), names(level, per_hour))
    assert (verdict.outcome, verdict.severity) == (outcome, severity)
    if level == 78 and per_hour:
        assert verdict.title == "host: disk will reach 90% in about 6 h"
        assert verdict.reason == "disk_percent is 78%. At this rate it reaches 90% in about 6 h"


def test_an_alert_over_a_threshold_tells_when_the_next_is_reached() -> None:
    question = Threshold(
        field="disk_percent", steps=((Severity.CRITICAL, 90.0), (Severity.MEDIUM, 70.0)), bounded=True
    )
    said = question.ask(check({"disk_percent": 78.0}), names(78, 2)).reason
    assert said.endswith("exceeded by 11.4%. At this rate it reaches 90 in about 6 h")
    full = question.ask(check({"disk_percent": 94.0}), names(94, 1)).reason
    assert full.endswith("At this rate it reaches 100 in about 6 h")
    plain = question.ask(check({"disk_percent": 78.0}), {"disk_percent": 78.0}).reason
    assert plain.endswith("exceeded by 11.4%")
