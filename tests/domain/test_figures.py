"""Figures over what was reported: statistics, and the digest's sections, alerts, uptime and jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.alert import recover, resolve
from bot.domain.rollup import Tally
from bot.domain.severity import Severity
from bot.reports.digest import (
    Item,
    JobFigures,
    Section,
    Series,
    Uptime,
    alert_figures,
    change,
    job_figures,
    make_figures,
    uptime,
    write,
)
from bot.reports.figures import percentile, statistic
from tests.domain.findings import HOUR, NOON, alert
from tests.properties import quick


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("sum", 10), ("avg", 2.5), ("min", 1), ("max", 4), ("first", 3), ("last", 2), ("count", 4),
        ("p50", 2), ("p90", 4), ("p95", 4), ("p99.9", 4), ("p1", 1),
    ],
)  # fmt: skip
def test_every_statistic_the_configuration_knows_is_made(name: str, figure: float) -> None:
    assert statistic(name, [3, 1, 4, 2]) == figure


@pytest.mark.parametrize("name", ["sum", "avg", "min", "max", "first", "last", "p95", "share of 'live'"])
def test_of_nothing_there_is_no_figure(name: str) -> None:
    assert statistic(name, []) is None
    assert statistic(name, [None, None]) is None


def test_what_is_no_number_is_left_out_but_counted() -> None:
    values = [1, "two", None, 3.0, float("nan"), True, [4]]
    assert statistic("sum", values) == 5
    assert statistic("count", values) == 6
    assert statistic("count", []) == 0
    assert statistic("last", [1, "two"]) == 1


@pytest.mark.parametrize(
    ("name", "values", "share"),
    [
        ("share of 'live'", ["live", "live", "build_failed", None, "live"], 0.75),
        ("share of 'live'", ["failed"], 0),
        ("share of 'true'", [True, False], 0.5),
        ("share of '3'", [3, 4], 0.5),
    ],
)
def test_a_share_is_of_the_values_that_are_there(name: str, values: list[Any], share: float) -> None:
    assert statistic(name, values) == share


@quick
@given(values=st.lists(st.floats(-1e9, 1e9), min_size=1), share=st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert found <= max(values)


def series(**fields: list[Any]) -> Series:
    """What the job `parse` reported hour after hour."""
    rows = max(map(len, fields.values()), default=0)
    return {
        "parse": [
            (
                NOON + number * HOUR,
                {name: values[number] for name, values in fields.items() if number < len(values)},
            )
            for number in range(rows)
        ]
    }


def figure(before: Series | None = None, /, **parts: Any) -> str:
    """One figure of a digest."""
    item = Item(**{"label": "Rows", "source": "parse", "field": "rows", "statistics": ("sum",), **parts})
    data = series(rows=[100, 200, 300], pct=[10.0, 20.0], word=["a", "b"])
    ((_, (found,)),) = make_figures([Section(title="Pipeline", items=(item,))], data, {1: before or {}})
    return found.value


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({}, "600"),
        ({"statistics": ("avg", "min", "max")}, "avg 200, min 100, max 300"),
        ({"field": "pct", "statistics": ("avg",), "format": "{:.1f}%"}, "15.0%"),
        ({"statistics": ("sum",), "format": "${:,.0f}"}, "$600"),
        ({"field": "nothing"}, "no data"),
        ({"source": "nobody"}, "no data"),
        ({"field": "word"}, "no data"),
        ({"field": "word", "statistics": ("count",)}, "2"),
        ({"field": "word", "statistics": ("share of 'a'",), "format": "{:.0%}"}, "50%"),
        ({"field": "word", "statistics": ("sum", "count")}, "sum no data, count 2"),
    ],
)
def test_a_figure_is_written_as_configured(parts: dict[str, Any], text: str) -> None:
    assert figure(**parts) == text


def test_a_figure_shows_its_change_against_the_day_before_where_there_was_one() -> None:
    assert figure(series(rows=[500]), change_days=1) == "600 (▲ 100 against the day before)"
    assert figure(series(rows=[700]), change_days=1) == "600 (▼ 100 against the day before)"
    assert figure(series(rows=[600]), change_days=1) == "600 (= unchanged against the day before)"
    assert figure(series(other=[1]), change_days=1) == "600"
    assert figure(series(rows=[500])) == "600"


def test_a_change_names_what_it_is_against() -> None:
    assert change(2.5, 1.25, "7 d ago") == "▲ 1.25 against 7 d ago"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{:.1f}% valid", "▼ 2.0% against then"),
        ("{:+.1f}%", "▼ 2.0% against then"),
        ("${:,.0f}", "▼ $2 against then"),
        ("lift of {}", "▼ 2.0 against then"),
    ],
)
def test_a_change_is_written_as_its_figure_without_words(template: str, text: str) -> None:
    assert change(5.0, 7.0, "then", template) == text


@pytest.mark.parametrize(
    ("value", "template", "text"),
    [
        (None, "{:.1f}%", "no data"),
        (1, None, "1"),
        ("live", "{:.1f}%", "live"),
        (0.5, "{:.0%} ok", "50% ok"),
        (True, None, "yes"),
        (1, "{} {}", "1"),
        (1, "{x}", "1"),
    ],
)
def test_a_format_that_does_not_fit_loses_no_figure(value: Any, template: str | None, text: str) -> None:
    assert write(value, template) == text


def test_alerts_are_counted_by_severity_with_how_long_they_lasted() -> None:
    critical, high = alert(severity=Severity.CRITICAL), alert(severity=Severity.HIGH)
    over = recover(critical, "fine", NOON + 10 * timedelta(minutes=1)).alert
    closed = resolve(high, "U1", None, NOON + 30 * timedelta(minutes=1)).alert
    found = alert_figures([over, closed, alert(severity=Severity.HIGH)])
    assert (found.total, found.resolved, found.mean_minutes_to_resolve) == (3, 2, 20)
    assert found.by_severity == {
        Severity.CRITICAL: 1, Severity.HIGH: 2, Severity.MEDIUM: 0, Severity.LOW: 0,
    }  # fmt: skip
    nothing = alert_figures([])
    assert (nothing.total, nothing.resolved, nothing.mean_minutes_to_resolve) == (0, 0, None)


def test_uptime_is_the_share_of_results_that_were_not_critical() -> None:
    found = uptime("api", Tally(count=4, good=3))
    assert found is not None
    assert (found.name, found.percent, found.results) == ("api", 75, 4)
    assert uptime("api", Tally(count=2, good=0)) == Uptime(name="api", percent=0, results=2)
    assert uptime("api", Tally()) is None


def test_jobs_are_counted_with_their_failures_and_durations() -> None:
    found = job_figures("b", Tally(count=3, good=1, timed=2, seconds=40))
    assert found == JobFigures(name="b", runs=3, failed=2, mean_seconds=20)
    untimed = job_figures("a", Tally(count=1, good=1))
    assert untimed == JobFigures(name="a", runs=1, failed=0, mean_seconds=None)
