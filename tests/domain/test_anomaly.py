"""What a figure usually is, and what is unusual: robust, seasonal, silent while there is too little history."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.anomaly import SUCCESS, USUAL, Like, Usual, by_days, hours_like, usual_range, usual_success
from bot.domain.condition import Outcome
from bot.domain.history_questions import Unusual
from bot.domain.rollup import HOUR, Rollup
from tests.domain.findings import NOON, check
from tests.properties import quick

ZONE = ZoneInfo("America/Los_Angeles")
MONDAY = datetime(2026, 11, 16, 17, 20, tzinfo=UTC)  # 09:20 in Los Angeles


def past(values: list[float], days: list[int]) -> list[tuple[Like, Rollup]]:
    """The same values in the hour so many days ago."""
    return [(Like(hour=MONDAY - timedelta(days=ago), days_ago=ago), Rollup.of(values)) for ago in days]


def test_hours_of_the_same_kind_of_day_are_compared_at_the_zones_time_of_day() -> None:
    found = {like.hour: like for like in hours_like(MONDAY, ZONE)}
    week_ago = found[datetime(2026, 11, 9, 17, tzinfo=UTC)]
    assert (week_ago.days_ago, week_ago.beside) == (7, False)
    assert datetime(2026, 10, 26, 16, tzinfo=UTC) in found, "before the clocks went back, 09:00 was 16:00 UTC"
    assert not found[datetime(2026, 10, 26, 16, tzinfo=UTC)].beside
    assert all(like.hour.astimezone(ZONE).weekday() < 5 for like in found.values() if not like.beside)
    assert {like.hour.astimezone(ZONE).hour for like in found.values()} == {8, 9, 10}


def test_weeks_are_preferred_to_days_and_days_serve_until_there_are_three_weeks() -> None:
    values = [float(value) for value in range(90, 111)]
    assert usual_range(past(values, [7, 14])) is None
    assert usual_range(past(values, [1, 2, 3])) is None
    assert usual_range(past(values[:2], [7, 14, 21])) is None, "six values tell nothing"
    by_day = usual_range(past(values, [1, 2, 3, 4]))
    assert by_day is not None
    assert by_day.when == "at this hour on such days"
    by_week = usual_range(past(values, [7, 14, 21]) + past([5.0] * 12, [1]))
    assert by_week is not None
    assert by_week.when == "at this hour of the week"
    assert by_week.low == pytest.approx(94, rel=0.02)
    assert by_week.high == pytest.approx(106, rel=0.02)
    assert by_week.bottom < 70 < by_week.low


def test_one_terrible_week_in_five_moves_the_range_little() -> None:
    values = [float(value) for value in range(90, 111)]
    calm = usual_range(past(values, [7, 14, 21, 28, 35]))
    shaken = usual_range(past(values, [7, 14, 21, 28]) + past([9999.0] * 21, [35]))
    assert calm is not None
    assert shaken is not None
    assert shaken.bottom == pytest.approx(calm.bottom, rel=0.35)
    assert shaken.top < 300


def test_what_never_changed_may_change_a_little() -> None:
    found = usual_range(past([100.0] * 12, [7, 14, 21]))
    assert found is not None
    assert found.bottom < 92 < 108 < found.top
    assert found.bottom > 85


def test_a_figure_that_swings_can_still_be_missing() -> None:
    chance = random.Random(3)
    found = usual_range(past([100 * chance.lognormvariate(0, 0.4) for _ in range(60)], [7, 14, 21]))
    assert found is not None
    assert 0 < found.bottom < 20


@given(st.lists(st.floats(-1e6, 1e6), min_size=12, max_size=40))
@quick
def test_the_usual_is_never_unusual(values: list[float]) -> None:
    found = usual_range(past(values, [7, 14, 21]))
    assert found is not None
    assert found.bottom <= found.low <= found.high <= found.top


def asked(value: Any, usual: Usual | None) -> Any:
    question = Unusual(field="orders_per_hour", label="orders per hour")
    names = {"orders_per_hour": value, USUAL: {"orders_per_hour": usual}}
    return question.ask(check({"orders_per_hour": value}, name="shop"), names)


RANGE = Usual(low=140, high=220, bottom=80, top=300, values=180, when="at this hour of the week")


def test_the_answer_tells_the_value_and_the_usual_range() -> None:
    verdict = asked(12, RANGE)
    assert verdict.outcome is Outcome.TRUE
    assert verdict.title == "shop: orders per hour is unusually low at 12"
    assert verdict.reason == (
        "orders_per_hour is 12; at this hour of the week it is usually 140 to 220 (60% of 180 earlier values)"
    )
    assert "unusually high at 301" in asked(301, RANGE).title


@pytest.mark.parametrize(
    ("value", "usual", "outcome"),
    [
        (80, RANGE, Outcome.FALSE),
        (300.0, RANGE, Outcome.FALSE),
        (139, RANGE, Outcome.FALSE),
        (12, None, Outcome.NOT_APPLICABLE),
        (None, RANGE, Outcome.NOT_APPLICABLE),
        ("12", RANGE, Outcome.NOT_APPLICABLE),
        (True, RANGE, Outcome.NOT_APPLICABLE),
        (float("nan"), RANGE, Outcome.NOT_APPLICABLE),
    ],
)
def test_only_numbers_out_of_a_known_range_are_unusual(
    value: Any, usual: Usual | None, outcome: Outcome
) -> None:
    assert asked(value, usual).outcome is outcome


def runs(good: int, bad: int) -> Rollup:
    return Rollup.of([1.0] * good + [0.0] * bad)


def test_a_success_rate_is_judged_by_its_days_with_room_for_chance() -> None:
    assert usual_success([runs(95, 5)] * 6) is None
    usual = usual_success([runs(95, 5)] * 20)
    assert usual is not None
    assert (usual.low, usual.high) == (0.95, 0.95)
    assert 0.80 < usual.bottom < 0.90
    few = usual_success([runs(4, 0)] * 20)
    assert few is not None
    assert few.bottom <= 0.5, "one or two of four may fail by chance"
    verdict = Unusual(field=SUCCESS, label="success rate").ask(
        check({SUCCESS: 0.6}), {SUCCESS: 0.6, USUAL: {SUCCESS: usual}}
    )
    assert verdict.reason.endswith("over a day it is usually 0.95 to 0.95 (60% of 20 earlier days)")


def test_hours_are_brought_together_by_the_zones_days() -> None:
    found = by_days([(NOON, runs(1, 0)), (NOON + HOUR, runs(1, 1)), (NOON + 24 * HOUR, runs(2, 0))], UTC)
    assert [(day.count, day.total) for day in found] == [(3, 2.0), (2, 2.0)]
