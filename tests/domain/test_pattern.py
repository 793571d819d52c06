"""Patterns of alerts: the figures, and a sentence that says no more than they do."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from statistics import fmean, median
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.pattern import FEW, Episode, Noisiest, Pattern, brief, find_pattern, percent
from bot.domain.severity import Severity
from tests.domain.findings import HOUR, MINUTE, NOON
from tests.properties import quick

ZONE = ZoneInfo("America/Los_Angeles")
START = NOON - timedelta(days=7)


def episode(rule: str = "Disk", hour: int = 14, lasted: float | None = 5, **parts: object) -> Episode:
    """One that began at an hour of Los Angeles and went away by itself after some minutes."""
    opened = datetime(2026, 11, 18, hour, 30, tzinfo=ZONE)
    ended = None if lasted is None else opened + lasted * MINUTE
    given = {"resource": "db-1", "severity": Severity.HIGH, "opened_at": opened, "resolved_at": ended}
    return Episode(rule=rule, **{**given, **parts})  # type: ignore[arg-type]


def found(*episodes: Episode) -> Pattern:
    return find_pattern(episodes, START, NOON, ZONE)


def test_the_figures_are_counted() -> None:
    pattern = found(
        *[episode(lasted=minutes) for minutes in (2, 4, 6)],
        episode("CPU", 3, 40, resolved_by="U1", severity=Severity.CRITICAL),
        episode("CPU", 3, None, resource="web-1", times=5),
    )
    assert pattern.total == 5
    assert pattern.types == {"Disk": 3, "CPU": 2}
    assert pattern.resources == {"db-1": 4, "web-1": 1}
    assert pattern.peak_hour == 14
    assert (pattern.hours[14], pattern.hours[3], sum(pattern.hours)) == (3, 2, 5)
    assert pattern.severities[Severity.CRITICAL] == 1
    assert (pattern.resolved, pattern.by_itself) == (4, 3)
    assert (pattern.mean_minutes, pattern.median_minutes) == (13, 5)
    assert pattern.median_minutes_by_itself == 4
    assert pattern.noisiest == Noisiest(rule="CPU", resource="web-1", times=5)


@pytest.mark.parametrize(
    ("episodes", "insight"),
    [
        ([], "No alert began in 7 days."),
        ([episode()], "Only 1 alert began in 7 days: too few to tell a pattern."),
        ([episode()] * 4, "Only 4 alerts began in 7 days: too few to tell a pattern."),
        (
            [episode(hour=14)] * 6 + [episode("CPU", hour, lasted=None) for hour in (1, 5, 9, 20)],
            'Most alerts were "Disk": 6 of 10 (60%). Most began from 14:00 to 15:00: 6 of 10 (60%). '
            "Most resolved by themselves: 6 of 6 (100%) of those resolved, half of them within 5 min; "
            "a longer wait (for) would keep such short ones quiet.",
        ),
        (
            [episode(name, hour, 90, resolved_by="U1") for hour, name in enumerate("AABBCC")],
            "No type stands out: 3 types, at most 2 alerts of each. No hour of the day stands out.",
        ),
        (
            [episode(name, 23 if name == "A" else hour, None) for hour, name in enumerate("AAABBCD")],
            'The most common was "A": 3 of 7 (42%). The busiest hour is 23:00 to 00:00, with 3 of 7 (42%).',
        ),
    ],
)
def test_the_sentence_tells_what_stands_out(episodes: list[Episode], insight: str) -> None:
    assert found(*episodes).insight == insight


EPISODES = st.lists(
    st.builds(
        episode,
        st.sampled_from(["A", "B", "C"]),
        st.integers(0, 23),
        st.none() | st.integers(0, 5000),
        resolved_by=st.sampled_from([None, "U1"]),
        times=st.integers(1, 3),
    ),
    max_size=40,
)


@given(EPISODES)
@quick
def test_every_number_in_the_sentence_is_a_figure_and_most_means_more_than_half(
    episodes: list[Episode],
) -> None:
    pattern = found(*episodes)
    said = pattern.insight
    shares = [(int(a), int(b), int(c)) for a, b, c in re.findall(r"(\d+) of (\d+) \((\d+)%\)", said)]
    counted = {*pattern.types.values(), *pattern.hours, pattern.by_itself}
    for part, whole, share in shares:
        assert part in counted
        assert whole in (pattern.total, pattern.resolved)
        assert share == 100 * part // whole == percent(part, whole)
    for sentence in re.findall(r"Most [^.]*?(\d+) of (\d+)", said):
        assert 2 * int(sentence[0]) > int(sentence[1])
    if pattern.total < FEW:
        assert "Most" not in said
        assert re.findall(r"\d+", said)[:1] in ([str(pattern.total)], ["7"])
    if within := re.search(r"half of them within (\d+) min", said):
        alone = [e for e in episodes if e.resolved_at is not None and e.resolved_by is None]
        limit = int(within[1]) * MINUTE
        assert 2 * sum(e.resolved_at - e.opened_at <= limit for e in alone if e.resolved_at) >= len(alone)


@given(EPISODES)
@quick
def test_the_parts_add_up_to_the_whole(episodes: list[Episode]) -> None:
    pattern = found(*episodes)
    for parts in (
        pattern.types.values(),
        pattern.resources.values(),
        pattern.hours,
        pattern.severities.values(),
    ):
        assert sum(parts) == pattern.total == len(episodes)
    assert pattern.by_itself <= pattern.resolved <= pattern.total
    lasted = [(e.resolved_at - e.opened_at) / MINUTE for e in episodes if e.resolved_at]
    assert pattern.mean_minutes == (pytest.approx(fmean(lasted)) if lasted else None)
    assert pattern.median_minutes == (pytest.approx(median(lasted)) if lasted else None)


@pytest.mark.parametrize(
    ("minutes", "words"), [(0, "0 min"), (3.2, "3 min"), (119, "119 min"), (150, "2.5 h")]
)
def test_minutes_read_as_people_say_them(minutes: float, words: str) -> None:
    assert brief(minutes) == words


def test_an_alert_of_a_day_of_a_clock_change_keeps_its_hour() -> None:
    opened = datetime(2026, 11, 1, 9, 30, tzinfo=ZoneInfo("UTC"))  # 01:30 again, after the clocks went back
    assert found(episode(lasted=None, opened_at=opened)).hours[1] == 1
    assert found(episode(lasted=None, opened_at=opened - HOUR)).hours[1] == 1
