"""Which check-ins are worth following, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.domain.checkin import Awaited, CheckinLine, live_until, overall, since_midnight, wrong_since
from checks.result import State

LONDON = ZoneInfo("Europe/London")
FIVE = timedelta(minutes=5)


def line(name: str, state: State) -> CheckinLine:
    return CheckinLine(name=name, state=state, summary="", at=None)


def awaited(*times: timedelta) -> Awaited:
    return Awaited(times=times, every=FIVE)


def hm(hours: int, minutes: int = 0) -> timedelta:
    return timedelta(hours=hours, minutes=minutes)


@pytest.mark.parametrize(
    ("now", "pending", "until"),
    [
        # 11:45 in London in winter: the file is due 11:31 and missing from 12:00 on
        (datetime(2026, 1, 5, 11, 45, tzinfo=UTC), [awaited(hm(11, 31), hm(12))], "2026-01-05T12:11"),
        # the same by summer time
        (datetime(2026, 7, 6, 10, 45, tzinfo=UTC), [awaited(hm(11, 31), hm(12))], "2026-07-06T11:11"),
        # no time is still to come: the next look decides
        (datetime(2026, 1, 5, 13, 0, tzinfo=UTC), [awaited(hm(11, 31), hm(12))], "2026-01-05T13:11"),
        (datetime(2026, 1, 5, 13, 0, tzinfo=UTC), [awaited()], "2026-01-05T13:11"),
        # the longest wait counts
        (datetime(2026, 1, 5, 7, 0, tzinfo=UTC), [awaited(), awaited(hm(7, 30))], "2026-01-05T07:41"),
        # missing only after midnight
        (datetime(2026, 1, 5, 23, 30, tzinfo=UTC), [awaited(hm(23), hm(25))], "2026-01-06T01:11"),
        # on the day that clocks go forward 01:30 is skipped
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), [awaited(hm(1, 30))], "2026-03-29T01:11"),
    ],
)
def test_a_card_is_followed_until_its_last_time_has_passed(
    now: datetime, pending: list[Awaited], until: str
) -> None:
    assert live_until(now, pending, LONDON) == datetime.fromisoformat(until).replace(tzinfo=UTC)


def test_a_card_without_anything_pending_is_not_followed() -> None:
    assert live_until(datetime(2026, 1, 5, tzinfo=UTC), [], LONDON) is None


def test_a_time_before_the_one_it_follows_is_on_the_next_day() -> None:
    assert since_midnight(time(1, 0), time(23, 0)) == hm(25)
    assert since_midnight(time(12, 0), time(11, 31)) == hm(12)


def test_the_worst_line_colours_the_card() -> None:
    assert overall([]) is State.OK
    assert overall([line("a", State.OK), line("b", State.PENDING)]) is State.PENDING
    assert overall([line("a", State.UNKNOWN), line("b", State.WARNING)]) is State.WARNING
    assert overall([line("a", State.CRITICAL), line("b", State.WARNING)]) is State.CRITICAL


def test_only_what_was_not_wrong_before_calls_people() -> None:
    before = [line("a", State.WARNING), line("b", State.PENDING)]
    now = [line("a", State.CRITICAL), line("b", State.CRITICAL), line("c", State.OK)]
    assert [each.name for each in wrong_since(before, now)] == ["b"]
