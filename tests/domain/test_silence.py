"""When silences hold, right across clock changes, and which alerts they cover."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.alert import EventKind
from bot.domain.coverage import covered, misspelled
from bot.domain.schedule import Cron, Daily
from bot.domain.severity import Severity
from bot.domain.silence import Silence, Timetable, Window, covering, hush, settle, speak
from tests.domain.findings import HOUR, MINUTE, NOON, alert

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTLY = Timetable(
    name="Nightly", match="category == 'database'", begins=(Cron("0 3 * * *", BERLIN),), length=2 * HOUR
)
LATE = Timetable(name="Late", match="true", begins=(Daily(at=time(22), zone=BERLIN),), length=8 * HOUR)
WEEKLY = Timetable(name="Weekly", match="true", begins=(Cron("30 23 * * 6", BERLIN),), length=2 * HOUR)
TWICE = Timetable(
    name="Twice",
    match="true",
    begins=(Daily(at=time(6), zone=BERLIN), Daily(at=time(7), zone=BERLIN)),
    length=90 * MINUTE,
)
ONCE = Timetable(name="Once", match="true", once=Window(starts_at=NOON, ends_at=NOON + HOUR))
SPRING = Timetable(name="Gap", match="true", begins=(Daily(at=time(2, 30), zone=BERLIN),), length=HOUR)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("timetable", "now", "expected"),
    [
        # in winter 03:00 in Berlin is 02:00 UTC, in summer 01:00
        (NIGHTLY, "2026-01-15 01:59:59", None),
        (NIGHTLY, "2026-01-15 02:00", ("2026-01-15 02:00", "2026-01-15 04:00")),
        (NIGHTLY, "2026-01-15 03:59:59", ("2026-01-15 02:00", "2026-01-15 04:00")),
        (NIGHTLY, "2026-01-15 04:00", None),
        (NIGHTLY, "2026-07-15 01:30", ("2026-07-15 01:00", "2026-07-15 03:00")),
        # past midnight, by the local day
        (WEEKLY, "2026-01-17 23:00", ("2026-01-17 22:30", "2026-01-18 00:30")),
        (WEEKLY, "2026-01-18 23:00", None),
        # through the night in which clocks go forward (29 March 2026, 01:00 UTC) and back (25 October)
        (LATE, "2026-03-29 03:00", ("2026-03-28 21:00", "2026-03-29 05:00")),
        (LATE, "2026-10-25 03:30", ("2026-10-24 20:00", "2026-10-25 04:00")),
        (LATE, "2026-10-25 04:00", None),
        # 02:30 does not exist on that day, and exists twice on the other
        (SPRING, "2026-03-29 01:00", ("2026-03-29 01:00", "2026-03-29 02:00")),
        (SPRING, "2026-10-25 00:30", ("2026-10-25 00:30", "2026-10-25 01:30")),
        (SPRING, "2026-10-25 01:30", None),
        # windows that overlap are one
        (TWICE, "2026-01-15 05:10", ("2026-01-15 05:00", "2026-01-15 07:30")),
        (TWICE, "2026-01-15 06:40", ("2026-01-15 05:00", "2026-01-15 07:30")),
        (ONCE, "2026-11-20 11:59", None),
        (ONCE, "2026-11-20 12:30", ("2026-11-20 12:00", "2026-11-20 13:00")),
        (ONCE, "2026-11-20 13:00", None),
    ],
)
def test_a_window_holds_from_its_begin_for_its_length(
    timetable: Timetable, now: str, expected: tuple[str, str] | None
) -> None:
    window = None if expected is None else Window(starts_at=utc(expected[0]), ends_at=utc(expected[1]))
    assert timetable.window_at(utc(now)) == window


@pytest.mark.parametrize(
    ("timetable", "now", "begins"),
    [
        (NIGHTLY, "2026-01-15 01:00", "2026-01-15 02:00"),
        (NIGHTLY, "2026-01-15 02:00", "2026-01-16 02:00"),
        (NIGHTLY, "2026-03-28 05:00", "2026-03-29 01:00"),
        (TWICE, "2026-01-15 05:10", "2026-01-16 05:00"),
        (ONCE, "2026-11-20 11:00", "2026-11-20 12:00"),
        (ONCE, "2026-11-20 12:00", None),
    ],
)
def test_the_next_window_is_the_one_after_that_which_holds(
    timetable: Timetable, now: str, begins: str | None
) -> None:
    coming = timetable.next_window(utc(now))
    assert (coming and coming.starts_at) == (None if begins is None else utc(begins))


@given(
    st.sampled_from([NIGHTLY, LATE, WEEKLY, TWICE, ONCE, SPRING]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    st.floats(0, 0.999),
)
def test_nothing_changes_until_it_is_said_to(timetable: Timetable, naive: datetime, share: float) -> None:
    now = naive.replace(tzinfo=UTC)
    until = timetable.unchanged_until(now)
    window = timetable.window_at(now)
    if window is not None:
        assert window.starts_at <= now < window.ends_at
    if until is not None:
        assert until > now
        assert timetable.window_at(now + (until - now) * share) == window
        assert timetable.window_at(until) != window


def silence(**parts: object) -> Silence:
    known = {"id": 12, "match": "true", "starts_at": NOON, "ends_at": NOON + 2 * HOUR, "created_by": "U1"}
    return Silence(**{**known, **parts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("match", "is_covered"),
    [
        ("severity == 'high'", True),
        ("severity == 'low'", False),
        ("check == 'host' && priority == 'P2'", True),
        ("job == 'host'", False),
        ("cpu > 90", True),
        ("memory > 90", False),  # nothing measured it
        ("cpu > 'hot'", False),  # cannot be calculated
        ("cpu * 2 > 10", False),  # calculates with a whole number
        ("resource.startsWith('ho')", True),
    ],
)
def test_a_condition_covers_what_it_is_true_of_and_nothing_else(match: str, is_covered: bool) -> None:
    found = alert(fields={"cpu": 95})
    assert silence(match=match).covers(found) is is_covered


def test_the_silence_that_lasts_longest_decides_and_the_present_one_where_they_are_equal() -> None:
    found = replace(alert(), id=3, silence_id=1)
    first, second = silence(id=1), silence(id=2)
    assert covering([second, first], found) == first
    longer = silence(id=4, ends_at=NOON + 3 * HOUR)
    assert covering([first, longer, silence(id=5, match="false", ends_at=NOON + 9 * HOUR)], found) == longer
    assert covering([replace(longer, lifted=frozenset({3})), first], found) == first
    assert covering([], found) is None


@pytest.mark.parametrize(
    ("length", "before"), [(2 * HOUR, 15), (HOUR, 15), (20 * MINUTE, 5), (4 * MINUTE, 1)]
)
def test_the_warning_comes_a_quarter_of_an_hour_before_the_end_or_sooner(
    length: timedelta, before: int
) -> None:
    assert silence(ends_at=NOON + length).warn_at == NOON + length - before * MINUTE


def test_history_says_which_silence_who_until_when_and_why() -> None:
    quiet = hush(replace(alert(), id=3), silence(name="Nightly", reason="maintenance"), NOON)
    (event,) = quiet.events
    assert event.kind is EventKind.SILENCED
    assert (event.actor, event.text) == (
        "U1",
        'until 2026-11-20 14:00 UTC by silence #12 "Nightly": maintenance',
    )
    longer = silence(ends_at=NOON + 4 * HOUR, extended_by="U2")
    (event,) = hush(quiet.alert, longer, NOON).events
    assert (event.actor, event.text) == ("U2", "extended until 2026-11-20 16:00 UTC by silence #12")


def test_history_says_why_an_alert_is_heard_again() -> None:
    quiet = hush(replace(alert(), id=3), silence(), NOON).alert
    since = "still failing since 2026-11-20 12:00 UTC"
    over, later = silence(ended_at=NOON + MINUTE, ended_by="U2"), NOON + HOUR
    told = [
        (event.actor, event.text)
        for before in (silence(ends_at=later), over, silence(), silence(lifted=frozenset({3})), None)
        for event in speak(quiet, before, later).events
    ]
    assert told == [
        (None, f"silence #12 ended; {since}"),
        ("U2", f"silence #12 ended; {since}"),
        (None, f"silence #12 does not match any more; {since}"),
        (None, f"silence #12 goes on without this alert; {since}"),
        (None, since),
    ]


def test_an_alert_that_becomes_worse_than_its_silence_matches_is_heard() -> None:
    mild = replace(alert(severity=Severity.LOW), id=3)
    low = silence(match="severity == 'low'")
    change = settle(mild, [low], None, NOON)
    assert change is not None
    quiet = change.alert
    assert quiet.is_silenced(NOON)
    assert settle(quiet, [low], low, NOON) is None
    worse = replace(quiet, firing=replace(quiet.firing, severity=Severity.CRITICAL))
    loud = settle(worse, [low], low, NOON)
    assert loud is not None
    assert not loud.alert.is_silenced(NOON)
    assert "does not match any more" in loud.events[0].text


def test_a_silence_of_everything_is_known_as_such() -> None:
    samples = [alert(severity=Severity.CRITICAL), alert(severity=Severity.LOW, resource="web-2")]
    other = replace(samples[0].firing, source=replace(samples[0].firing.source, name="db"))
    samples.append(replace(samples[0], firing=other))
    assert covered(silence(), samples, ()).is_everything
    narrow = covered(silence(match="check == 'db'"), samples, samples[:1])
    assert (len(narrow.sources), narrow.total, narrow.critical, narrow.open) == (1, 2, True, ())
    assert not narrow.is_everything


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ("severty == 'low'", ("severty", "severity")),
        ("cpu_percnt > 90", ("cpu_percnt", "cpu_percent")),
        ("severity == 'low'", None),
        ("gunicorn_workers > 3", None),
    ],
)
def test_a_name_that_nothing_has_is_found(match: str, found: tuple[str, str] | None) -> None:
    assert misspelled(match, [alert()], frozenset({"cpu_percent"})) == found
