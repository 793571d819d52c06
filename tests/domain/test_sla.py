"""Objectives against what was reached: units, states, trends, CSV."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from bot.config.scalars import parse_target
from bot.domain.rollup import Rollup
from bot.reports.sla import (
    Measured,
    ObjectiveFigures,
    SlaReport,
    Standing,
    Trend,
    as_csv,
    objective_figures,
    written,
)

START = datetime(2026, 10, 1, tzinfo=UTC)
NOTHING = Measured(rollup=None)


def measured(*values: float, since: datetime = START) -> Measured:
    return Measured(rollup=Rollup.of(values), since=since)


def objective(
    field: str, stat: str, target: str, now: Measured, before: Measured = NOTHING
) -> ObjectiveFigures:
    return objective_figures("Uptime", field, stat, parse_target(target), now, before, START)


@pytest.mark.parametrize(
    ("field", "stat", "target", "values", "current", "standing"),
    [
        ("up", "avg", ">= 99.9%", [1] * 999 + [0], 99.9, Standing.MET),
        ("up", "avg", ">= 99.9%", [1] * 998 + [0] * 2, 99.8, Standing.MISSED),
        ("error_rate", "avg", "< 1%", [0.0, 0.01], 0.5, Standing.MET),
        ("deploy_status", "share of 'live'", "> 95%", [1, 1, 1, 0], 75, Standing.MISSED),
        ("cpu_percent", "avg", "< 80%", [0.5, 0.7], 0.6, Standing.MET),  # its name says it is in percent
        ("score", "avg", "> 80%", [70, 95], 82.5, Standing.MET),  # beyond 1: no share
        ("response_time_ms", "max", "< 500 ms", [120, 499], 499, Standing.MET),
        ("response_time_ms", "max", "< 0.5 s", [120, 510], 0.51, Standing.MISSED),
        ("duration_seconds", "max", "<= 2 min", [60, 120], 2, Standing.MET),
        ("rows", "sum", ">= 100", [60, 50], 110, Standing.MET),
        ("rows", "count", "> 1", [60, 50], 2, Standing.MET),
    ],
)
def test_a_figure_is_in_the_unit_of_its_target(
    field: str, stat: str, target: str, values: list[float], current: float, standing: Standing
) -> None:
    found = objective(field, stat, target, measured(*values))
    assert found.current == pytest.approx(current)
    assert found.standing is standing


def test_the_95th_percentile_is_asked_of_all_values_together() -> None:
    found = objective("response_time_ms", "p95", "< 500 ms", measured(*[100] * 90, *[900] * 10))
    assert found.current == pytest.approx(900, rel=0.02)
    assert found.standing is Standing.MISSED


def test_what_was_not_measured_has_no_state_and_no_trend() -> None:
    found = objective("up", "avg", ">= 99.9%", NOTHING, measured(1))
    assert (found.standing, found.trend, found.values) == (Standing.NO_DATA, Trend.UNKNOWN, 0)


@pytest.mark.parametrize(
    ("target", "now", "before", "trend"),
    [
        (">= 90%", 0.99, 0.95, Trend.BETTER),
        (">= 90%", 0.95, 0.99, Trend.WORSE),
        ("< 5%", 0.01, 0.02, Trend.BETTER),
        ("< 5%", 0.02, 0.01, Trend.WORSE),
        ("< 5%", 0.02, 0.02001, Trend.SAME),
    ],
)
def test_better_is_towards_the_target(target: str, now: float, before: float, trend: Trend) -> None:
    assert objective("rate", "avg", target, measured(now), measured(before)).trend is trend


@pytest.mark.parametrize(
    ("figure", "target", "text"),
    [
        (99.95, ">= 99.9%", "99.95%"),
        (99.8999, ">= 99.9%", "99.8999%"),  # 99.90% would seem to meet it
        (499.6, "< 500 ms", "499.6 ms"),
        (36.2, "< 500 ms", "36 ms"),
        (100, ">= 99.9%", "100.00%"),
    ],
)
def test_a_figure_is_never_rounded_to_the_other_side_of_its_target(
    figure: float, target: str, text: str
) -> None:
    assert written(figure, parse_target(target)) == text


def test_what_is_known_only_from_late_in_the_month_says_since_when() -> None:
    late = datetime(2026, 10, 20, tzinfo=UTC)
    assert objective("up", "avg", ">= 99%", measured(1, since=late)).since == late
    assert objective("up", "avg", ">= 99%", measured(1)).since is None


def test_the_csv_file_is_read_back_as_it_was_and_is_no_formula() -> None:
    odd = '=HYPERLINK("https://evil.example"), "quoted"\nline'
    objectives = [
        objective_figures(odd, "up", "avg", parse_target(">= 99.9%"), measured(1, 0), measured(1), START),
        objective("up", "avg", ">= 99.9%", NOTHING),
    ]
    report = SlaReport(name="Shop", month="2026-10", start=START, end=START, objectives=objectives)
    first, second = csv.DictReader(io.StringIO(as_csv(report), newline=""))
    assert first["objective"] == f"'{odd}"
    assert (first["current"], first["unit"], first["state"], first["trend"]) == (
        "50.0",
        "%",
        "missed",
        "worse",
    )
    assert (second["current"], second["state"], second["values"]) == ("", "no data", "0")
