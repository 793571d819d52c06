"""How often a problem came, and around which hour."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.recurrence import recurrence
from tests.properties import quick

DAY = datetime(2026, 11, 16, tzinfo=UTC)


def at(*clocks: str) -> list[datetime]:
    """These times of day, each on a day of its own."""
    return [
        DAY + timedelta(days=number, hours=int(clock[:2]), minutes=int(clock[3:]))
        for number, clock in enumerate(clocks)
    ]


@pytest.mark.parametrize(
    ("clocks", "words"),
    [
        ([], ""),
        (["14:00"], ""),
        (["14:00", "14:01"], "2nd time in 7 days"),
        (["14:00", "14:10", "03:00", "13:50"], "4th time in 7 days, mostly around 14:00"),
        (["14:00", "14:10", "03:00", "20:00"], "4th time in 7 days, mostly around 14:00"),
        (["14:00", "14:10", "03:00", "20:00", "08:00"], "5th time in 7 days"),
        (["23:40", "00:10", "00:20"], "3rd time in 7 days, mostly around 00:00"),
        (["01:00", "09:00", "17:00"], "3rd time in 7 days"),
    ],
)
def test_the_hour_is_said_when_at_least_three_came_and_half_of_them_near_it(
    clocks: list[str], words: str
) -> None:
    assert recurrence(at(*clocks), UTC).words() == words


def test_the_hour_is_that_of_the_teams_zone() -> None:
    found = recurrence(at("14:00", "14:10", "13:50"), ZoneInfo("America/Los_Angeles"))
    assert found.around == time(6)


@given(st.lists(st.datetimes(DAY.replace(tzinfo=None), datetime(2026, 11, 22)), max_size=30))
@quick
def test_mostly_is_never_said_of_fewer_than_half(moments: list[datetime]) -> None:
    began = [moment.replace(tzinfo=UTC) for moment in moments]
    found = recurrence(began, UTC)
    assert found.count == len(began)
    if found.around is not None:
        middle = found.around.hour * 60
        away = [abs(moment.hour * 60 + moment.minute - middle) for moment in began]
        near = sum(min(minutes, 1440 - minutes) <= 60 for minutes in away)
        assert near == found.near
        assert 2 * near >= len(began) >= 3
