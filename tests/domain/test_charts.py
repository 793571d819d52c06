"""Charts of a digest: at most twenty parts, right across clock changes, split into series."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.schedule import Daily, Together, days_before, local_month
from bot.reports.charts import MOST_PARTS, MOST_SERIES, buckets, figures_of
from checks.result import Value
from tests.properties import quick

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 3, 31, 22, tzinfo=UTC)  # in Berlin


def test_a_week_is_seven_local_days_of_which_one_has_23_hours() -> None:
    parts, each = buckets(MIDNIGHT, 7 * DAY, BERLIN)
    assert each == "day"
    assert [(end - start) / HOUR for start, end in parts] == [24, 24, 24, 24, 23, 24, 24]
    assert parts[-1][1] == MIDNIGHT


def test_a_day_under_way_is_the_last_and_shorter_part() -> None:
    parts, _ = buckets(MIDNIGHT + 10 * HOUR, 3 * DAY, BERLIN)
    assert [(end - start) / HOUR for start, end in parts] == [24, 24, 10]


def test_a_month_is_shown_in_steps_of_two_days() -> None:
    parts, each = buckets(MIDNIGHT, 30 * DAY, BERLIN)
    assert (len(parts), each) == (15, "2 days")


def test_a_day_is_shown_in_hours() -> None:
    parts, each = buckets(MIDNIGHT, 6 * HOUR, BERLIN)
    assert (len(parts), each) == (6, "hour")
    assert buckets(MIDNIGHT, DAY, BERLIN)[1] == "2 hours"


@quick
@given(hours=st.integers(1, 24 * 400), minutes=st.integers(0, 60 * 24 * 400))
def test_parts_are_few_in_order_and_end_where_they_should(hours: int, minutes: int) -> None:
    end = MIDNIGHT + timedelta(minutes=minutes)
    parts, _ = buckets(end, timedelta(hours=hours), BERLIN)
    assert 1 <= len(parts) <= MOST_PARTS
    assert parts[-1][1] == end
    assert all(start < stop for start, stop in parts)
    assert all(before[1] == after[0] for before, after in pairwise(parts))


def test_a_field_splits_into_series_and_the_rarest_are_left_out() -> None:
    rows: list[tuple[datetime, dict[str, Value]]] = [
        (MIDNIGHT + timedelta(minutes=number), {"rows": 1, "region": f"r{region}"})
        for region in range(8)
        for number in range(region + 1)
    ]
    found, hidden = figures_of(rows, "rows", "sum", "region", [(MIDNIGHT, MIDNIGHT + HOUR)], "rows")
    assert len(found) == MOST_SERIES
    assert hidden == 2
    assert found["r7"] == [8]
    assert "r0" not in found


def test_values_outside_every_part_and_without_the_field_count_nowhere() -> None:
    rows = [(MIDNIGHT - HOUR, {"rows": 5}), (MIDNIGHT, {"other": 1}), (MIDNIGHT, {"rows": 2})]
    parts = [(MIDNIGHT, MIDNIGHT + HOUR), (MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR)]
    assert figures_of(rows, "rows", "last", None, parts, "rows") == ({"rows": [2.0, None]}, 0)


@pytest.mark.parametrize(
    ("instant", "months", "start", "end"),
    [
        (datetime(2026, 11, 1, 7, tzinfo=UTC), -1, "2026-09-30T22:00", "2026-10-31T23:00"),
        (datetime(2026, 1, 15, tzinfo=UTC), -1, "2025-11-30T23:00", "2025-12-31T23:00"),
        (datetime(2025, 12, 31, 23, 30, tzinfo=UTC), 0, "2025-12-31T23:00", "2026-01-31T23:00"),
    ],
)
def test_a_month_is_the_zones_own(instant: datetime, months: int, start: str, end: str) -> None:
    found = local_month(instant, BERLIN, months)
    assert [f"{each:%Y-%m-%dT%H:%M}" for each in found] == [start, end]


def test_the_day_before_is_compared_up_to_the_same_time_of_day() -> None:
    start, end = datetime(2026, 3, 29, 22, tzinfo=UTC), datetime(2026, 3, 30, 16, tzinfo=UTC)
    assert days_before(start, end, BERLIN, 1) == (
        datetime(2026, 3, 28, 23, tzinfo=UTC),  # a day of 23 hours
        datetime(2026, 3, 29, 16, tzinfo=UTC),
    )


def test_several_times_of_day_are_one_schedule() -> None:
    times = [datetime(2026, 1, 1, hour).time() for hour in (8, 16)]
    both = Together(tuple(Daily(at=at, zone=BERLIN) for at in times))
    assert both.next_after(datetime(2026, 1, 5, 8, tzinfo=UTC)) == datetime(2026, 1, 5, 15, tzinfo=UTC)
    assert both.last_until(datetime(2026, 1, 5, 6, tzinfo=UTC)) == datetime(2026, 1, 4, 15, tzinfo=UTC)
