"""When things are due: by interval, by time of day, by cron, right across clock changes in any zone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.jobs import Dues
from bot.domain.schedule import Cron, Daily, Every, Schedule, local_day, local_instant
from tests.properties import quick

NEW_YORK = ZoneInfo("America/New_York")  # gap 2026-03-08 02:00, repeat 2026-11-01 01:00
LONDON = ZoneInfo("Europe/London")
LOS_ANGELES = ZoneInfo("America/Los_Angeles")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # its clocks change by half an hour
HAVANA = ZoneInfo("America/Havana")  # its clocks change at midnight
CAIRO = ZoneInfo("Africa/Cairo")  # so do these
APIA = ZoneInfo("Pacific/Apia")  # had no 30 December 2011


def at(text: str) -> datetime:
    """`2026-03-08 07:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days(schedule: Schedule, start: str, count: int) -> list[str]:
    """The next due instants."""
    found, instant = [], at(start)
    for _ in range(count):
        instant = schedule.next_after(instant)
        found.append(f"{instant:%m-%d %H:%M}")
    return found


def test_an_interval_is_due_at_its_multiples_whenever_it_was_started() -> None:
    half_hour = Every(interval=timedelta(minutes=30))
    assert half_hour.last_until(at("2026-03-08 07:29")) == at("2026-03-08 07:00")
    assert half_hour.last_until(at("2026-03-08 07:30")) == at("2026-03-08 07:30")
    assert half_hour.next_after(at("2026-03-08 07:30")) == at("2026-03-08 08:00")
    assert half_hour.next_after(at("2026-03-08 07:29:59.999")) == at("2026-03-08 07:30")


@pytest.mark.parametrize(
    ("zone", "clock", "start", "due"),
    [
        (LOS_ANGELES, "07:30", "2026-03-06 20:00", ["03-07 15:30", "03-08 14:30", "03-09 14:30"]),
        (LOS_ANGELES, "07:30", "2026-10-30 20:00", ["10-31 14:30", "11-01 15:30", "11-02 15:30"]),
        (NEW_YORK, "02:30", "2026-03-07 00:00", ["03-07 07:30", "03-08 07:00", "03-09 06:30"]),  # skipped
        (NEW_YORK, "01:30", "2026-10-31 00:00", ["10-31 05:30", "11-01 05:30", "11-02 06:30"]),  # repeated
        (NEW_YORK, "03:00", "2026-03-07 00:00", ["03-07 08:00", "03-08 07:00", "03-09 07:00"]),
        (LORD_HOWE, "02:10", "2026-10-03 00:00", ["10-03 15:30", "10-04 15:10"]),
        (HAVANA, "00:30", "2026-03-07 00:00", ["03-07 05:30", "03-08 05:00", "03-09 04:30"]),
        (ZoneInfo("UTC"), "00:00", "2026-12-31 00:00", ["01-01 00:00", "01-02 00:00"]),
    ],
)
def test_a_time_of_day_is_due_once_a_day_whatever_the_clocks_do(
    zone: ZoneInfo, clock: str, start: str, due: list[str]
) -> None:
    assert days(Daily(at=time.fromisoformat(clock), zone=zone), start, len(due)) == due


@pytest.mark.parametrize(
    ("zone", "expression", "start", "due"),
    [
        (LOS_ANGELES, "0 6 * * *", "2026-03-07 20:00", ["03-08 13:00", "03-09 13:00"]),
        (NEW_YORK, "30 2 * * *", "2026-03-07 08:00", ["03-08 07:00", "03-09 06:30"]),
        (NEW_YORK, "30 1 * * *", "2026-10-31 06:00", ["11-01 05:30", "11-02 06:30"]),
        (NEW_YORK, "0 * * * *", "2026-11-01 04:30", ["11-01 05:00", "11-01 06:00", "11-01 07:00"]),
        (LONDON, "*/30 * * * *", "2026-10-25 00:15", ["10-25 00:30", "10-25 01:00", "10-25 01:30"]),
        (ZoneInfo("UTC"), "30 9 * * 1", "2026-11-20 12:00", ["11-23 09:30", "11-30 09:30"]),
        (ZoneInfo("UTC"), "0 9 1 * *", "2026-11-20 12:00", ["12-01 09:00", "01-01 09:00"]),
        (ZoneInfo("UTC"), "0 0 29 2 *", "2026-11-20 12:00", ["02-29 00:00", "02-29 00:00"]),
    ],
)
def test_cron_is_due_as_cron_is(zone: ZoneInfo, expression: str, start: str, due: list[str]) -> None:
    assert days(Cron(expression, zone), start, len(due)) == due


@pytest.mark.parametrize(
    ("zone", "expression", "instant", "last"),
    [
        ("UTC", "0 * * * *", "2026-01-01 11:59:59.500", "2026-01-01 11:00"),
        ("UTC", "0 * * * *", "2026-01-01 12:00", "2026-01-01 12:00"),
        ("America/New_York", "0 * * * *", "2026-11-01 06:58", "2026-11-01 06:00"),
        ("America/New_York", "15 1,2,3 * * *", "2026-11-01 06:12", "2026-11-01 05:15"),
        ("Europe/London", "30 1 * * *", "2026-10-25 01:10", "2026-10-25 00:30"),
        ("Europe/London", "0 0 * * 0", "2026-10-25 01:10", "2026-10-24 23:00"),
        ("Australia/Lord_Howe", "5 */2 * * *", "2026-04-04 16:40", "2026-04-04 13:05"),
    ],
)
def test_the_last_time_cron_was_due_is_found_in_a_repeated_hour_too(
    zone: str, expression: str, instant: str, last: str
) -> None:
    assert Cron(expression, ZoneInfo(zone)).last_until(at(instant)) == at(last)


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "61 * * * *", "0 0 30 2 *", "0 0 31 4 *", "@daily", "a b c d e", "0 0 * * 9"],
)
def test_what_is_no_cron_expression_or_never_due_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="is not a cron expression"):
        Cron(expression, NEW_YORK)


ZONES = st.sampled_from(
    [
        "UTC",
        "Africa/Cairo",
        "America/Havana",
        "America/New_York",
        "America/Sao_Paulo",
        "Asia/Beirut",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Europe/Dublin",
        "Europe/London",
        "Pacific/Apia",
        "Pacific/Kiritimati",
    ]
).map(ZoneInfo)
SCHEDULES = st.one_of(
    st.builds(lambda minutes: Every(interval=timedelta(minutes=minutes)), st.integers(1, 10_000)),
    st.builds(
        lambda zone, clock: Daily(at=clock.replace(second=0, microsecond=0), zone=zone), ZONES, st.times()
    ),
    st.builds(
        lambda zone, expression: Cron(expression, zone),
        ZONES,
        st.sampled_from(
            ["0 2 * * *", "30 1 * * *", "*/30 * * * *", "15 1,2,3 * * *", "0 0 * * 0", "5 */2 * * *"]
        ),
    ),
)
# Days on which clocks somewhere change, and any others.
INSTANTS = st.one_of(
    st.sampled_from(
        ["2026-03-08", "2026-11-01", "2026-10-25", "2026-04-04", "2026-04-23", "2011-12-29", "2018-11-04"]
    )
    .map(at)
    .flatmap(lambda day: st.timedeltas(timedelta(0), timedelta(days=2)).map(lambda later: day + later)),
    st.datetimes(datetime(2001, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
)


@quick
@given(schedule=SCHEDULES, instant=INSTANTS)
def test_what_was_due_last_and_what_is_due_next_enclose_every_instant(
    schedule: Schedule, instant: datetime
) -> None:
    last, following = schedule.last_until(instant), schedule.next_after(instant)
    assert last <= instant < following
    assert schedule.next_after(last) == following
    assert schedule.last_until(following) == following
    assert last.tzinfo is UTC
    assert following.tzinfo is UTC


@quick
@given(zone=ZONES, wall=st.datetimes(datetime(2001, 1, 1), datetime(2037, 1, 1)))
def test_a_wall_clock_time_is_met_at_its_first_instant_or_when_the_gap_over_it_ends(
    zone: ZoneInfo, wall: datetime
) -> None:
    wall = wall.replace(microsecond=0)
    instant = local_instant(wall, zone)
    shown = instant.astimezone(zone).replace(tzinfo=None)
    earlier = (instant - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    assert shown >= wall
    assert earlier < wall
    assert shown == wall or shown - earlier > timedelta(seconds=1)


@pytest.mark.parametrize(
    ("instant", "zone", "hours"),
    [
        ("2026-03-08 12:00", NEW_YORK, 23),
        ("2026-11-01 12:00", NEW_YORK, 25),
        ("2026-03-09 12:00", NEW_YORK, 24),
        ("2026-10-04 00:00", LORD_HOWE, 23.5),
        ("2026-04-24 12:00", CAIRO, 23),
        ("2026-11-01 12:00", HAVANA, 25),
    ],
)
def test_a_day_is_as_long_as_the_clocks_make_it(instant: str, zone: ZoneInfo, hours: float) -> None:
    start, end = local_day(at(instant), zone)
    assert (end - start) / timedelta(hours=1) == hours
    assert start <= at(instant) < end


def test_yesterday_is_the_local_day_before() -> None:
    start, end = local_day(at("2026-11-20 07:59"), LOS_ANGELES, -1)  # still the 19th there
    assert (start, end) == (at("2026-11-18 08:00"), at("2026-11-19 08:00"))


@quick
@given(zone=ZONES, instant=INSTANTS)
def test_days_follow_one_another_without_gap_or_overlap(zone: ZoneInfo, instant: datetime) -> None:
    found = [local_day(instant, zone, number) for number in range(-2, 3)]
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert found[2][0] <= instant < found[2][1]


def test_a_day_that_was_left_out_has_no_hours() -> None:
    start, end = local_day(at("2011-12-29 20:00"), APIA, 1)
    assert start == end


@quick
@given(
    schedule=SCHEDULES,
    instants=st.lists(INSTANTS, min_size=1, max_size=8),
    step=st.timedeltas(timedelta(0), timedelta(days=1)),
)
def test_periods_that_are_remembered_are_those_of_the_schedule(
    schedule: Schedule, instants: list[datetime], step: timedelta
) -> None:
    dues = Dues(schedule)
    for instant in [later for each in instants for later in (each, each + step, each + 2 * step, each)]:
        assert dues.around(instant) == (schedule.last_until(instant), schedule.next_after(instant))
