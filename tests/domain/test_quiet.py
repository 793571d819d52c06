"""When it is quiet, across midnight and across clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.quiet import QuietHours, quiet_until
from bot.domain.severity import Severity

LONDON, NEW_YORK = ZoneInfo("Europe/London"), ZoneInfo("America/New_York")
NIGHT = QuietHours(start=time(22), end=time(7), zone=LONDON, below=Severity.HIGH)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-01-14T21:59:59", None),
        ("2026-01-14T22:00:00", "2026-01-15T07:00:00"),
        ("2026-01-15T06:59:59", "2026-01-15T07:00:00"),
        ("2026-01-15T07:00:00", None),
        ("2026-07-14T21:00:00", "2026-07-15T06:00:00"),  # summer time: an hour earlier in UTC
        ("2026-03-28T22:30:00", "2026-03-29T06:00:00"),  # the night that loses an hour
        ("2026-10-24T21:30:00", "2026-10-25T07:00:00"),  # the night that has one more
    ],
)
def test_quiet_hours_follow_the_clocks_of_their_zone(now: str, end: str | None) -> None:
    assert NIGHT.until(at(now)) == (None if end is None else at(end))


def test_days_are_those_on_which_quiet_hours_begin() -> None:
    fridays = QuietHours(start=time(22), end=time(7), zone=LONDON, below=Severity.HIGH, days=frozenset({4}))
    assert fridays.until(at("2026-01-16T23:00:00")) is not None  # Friday
    assert fridays.until(at("2026-01-17T03:00:00")) is not None  # its night goes on
    assert fridays.until(at("2026-01-17T23:00:00")) is None


def test_the_same_time_twice_is_a_whole_day_and_days_in_a_row_are_one_stretch() -> None:
    weekend = QuietHours(start=time(0), end=time(0), zone=LONDON, below=Severity.HIGH, days=frozenset({5, 6}))
    found = quiet_until((weekend, NIGHT), Severity.MEDIUM, at("2026-01-16T23:30:00"))
    assert found is not None
    assert found[1] == at("2026-01-19T07:00:00")  # Friday night, the weekend, Sunday night
    assert quiet_until((weekend, NIGHT), Severity.HIGH, at("2026-01-16T23:30:00")) is None


@given(
    now=st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)).map(lambda each: each.replace(tzinfo=UTC)),
    start=st.times().map(lambda each: each.replace(second=0, microsecond=0)),
    end=st.times().map(lambda each: each.replace(second=0, microsecond=0)),
    zone=st.sampled_from([LONDON, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")]),
)
def test_the_end_of_quiet_hours_is_ahead_and_no_further_than_a_day(
    now: datetime, start: time, end: time, zone: ZoneInfo
) -> None:
    hours = QuietHours(start=start, end=end, zone=zone, below=Severity.HIGH)
    until = hours.until(now)
    if until is not None:
        assert now < until <= now + timedelta(hours=25)
        local = until.astimezone(zone).time()
        assert local >= end or local == time(0)
