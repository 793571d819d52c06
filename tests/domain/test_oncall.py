"""Who is on call: turns by the calendar, exceptions, and who follows."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.oncall import Duty, Override, Rotation, duty, on_call

LONDON = ZoneInfo("Europe/London")
WEEKLY = Rotation(
    people=("ethan", "nadia", "kim"), at=time(9), weekday=0, zone=LONDON, starts=date(2026, 3, 2)
)
DAILY = Rotation(people=("ethan", "nadia"), at=time(9), zone=LONDON, starts=date(2026, 3, 2))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("rotation", "now", "who"),
    [
        (WEEKLY, "2026-03-02T08:59:59", "kim"),  # before the first hand-over the order runs backwards
        (WEEKLY, "2026-03-02T09:00:00", "ethan"),
        (WEEKLY, "2026-03-09T08:59:59", "ethan"),
        (WEEKLY, "2026-03-09T09:00:00", "nadia"),
        (WEEKLY, "2026-03-16T09:00:00", "kim"),
        (WEEKLY, "2026-03-30T07:59:59", "ethan"),  # summer time began: 09:00 is 08:00 UTC
        (WEEKLY, "2026-03-30T08:00:00", "nadia"),
        (DAILY, "2026-03-02T09:00:00", "ethan"),
        (DAILY, "2026-03-03T08:59:00", "ethan"),
        (DAILY, "2026-03-03T09:00:00", "nadia"),
        (DAILY, "2026-03-29T08:00:00", "nadia"),  # the clocks changed in the night
        (DAILY, "2026-03-30T08:00:00", "ethan"),
    ],
)
def test_turns_follow_the_calendar_of_the_zone(rotation: Rotation, now: str, who: str) -> None:
    assert on_call(rotation, at(now)) == who


def test_an_override_holds_for_its_time_and_the_last_written_counts() -> None:
    night = Override(who="lena", start=at("2026-03-03T18:00:00"), end=at("2026-03-04T08:00:00"))
    hour = Override(who="omar", start=at("2026-03-03T20:00:00"), end=at("2026-03-03T21:00:00"))
    rotation = Rotation(
        people=WEEKLY.people, at=WEEKLY.at, weekday=0, zone=LONDON, starts=WEEKLY.starts, overrides=(night, hour)
    )  # fmt: skip
    assert [on_call(rotation, at(f"2026-03-03T{hour}")) for hour in ("17:59", "18:00", "20:30", "21:00")] == [
        "ethan", "lena", "omar", "lena",
    ]  # fmt: skip
    assert duty(rotation, at("2026-03-03T12:00:00")) == Duty(
        who="ethan", until=at("2026-03-03T18:00:00"), then="lena"
    )
    assert duty(rotation, at("2026-03-04T09:00:00")) == Duty(
        who="ethan", until=at("2026-03-09T09:00:00"), then="nadia"
    )


def test_somebody_who_takes_over_from_themselves_is_one_stretch() -> None:
    twice = Rotation(people=("ethan", "ethan", "nadia"), at=time(9), zone=LONDON, starts=date(2026, 3, 2))
    assert duty(twice, at("2026-03-02T10:00:00")).until == at("2026-03-04T09:00:00")


def test_one_person_alone_is_always_on_call() -> None:
    alone = Rotation(people=("ethan",), at=time(9), zone=LONDON)
    assert duty(alone, at("2026-03-02T10:00:00")) == Duty(who="ethan")


@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda each: each.replace(tzinfo=UTC)),
    moment=st.times().map(lambda each: each.replace(second=0, microsecond=0)),
    weekday=st.none() | st.integers(0, 6),
    people=st.integers(2, 4),
    zone=st.sampled_from([LONDON, ZoneInfo("America/Santiago"), ZoneInfo("Pacific/Auckland")]),
)
def test_everybody_follows_the_one_before_them(
    now: datetime, moment: time, weekday: int | None, people: int, zone: ZoneInfo
) -> None:
    names = tuple(str(number) for number in range(people))
    rotation = Rotation(people=names, at=moment, weekday=weekday, zone=zone)
    found = duty(rotation, now)
    assert found.until is not None
    longest = timedelta(days=1 if weekday is None else 7, hours=2)
    assert now < found.until <= now + longest
    assert found.then == names[(names.index(found.who) + 1) % people]
    assert on_call(rotation, found.until - timedelta(seconds=1)) == found.who
