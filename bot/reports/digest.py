"""The daily digest's figures: alerts, uptime, jobs, and the sections a team configured."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

from bot.domain.alert import Alert
from bot.domain.pattern import Pattern
from bot.domain.rollup import Tally
from bot.domain.severity import Severity
from bot.domain.template import format_value
from bot.reports.charts import ChartFigures
from bot.reports.figures import statistic
from checks.result import Value

_FIGURE = re.compile(r"[$€£]?\{[^{}]*\}%?")

Series = Mapping[str, Sequence[tuple[datetime, Mapping[str, Value]]]]
"""What each check and job reported in a period: instant and fields, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A figure to make: statistics of a field of a source, and how to write them."""

    label: str
    source: str
    field: str
    statistics: tuple[str, ...]
    format: str | None = None
    change_days: int | None = None
    """Show the change since the period so many days before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure made. `value` says so where nothing was reported."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFigures:
    """Alerts that began in the period, by severity, and how they ended."""

    total: int
    by_severity: Mapping[Severity, int]
    resolved: int
    mean_minutes_to_resolve: float | None
    before: int | None = None
    """How many began in as much time a day before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptime:
    """The share of a check's results that were ok or a warning, 0 to 100.

    Critical ones are down; `unknown` and `pending` ones tell nothing and do not count. A group counts by its own
    result, a check with several resources by all their results.
    """

    name: str
    percent: float
    results: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptimes:
    """The uptime of each check, and of all together: the mean over checks, whatever their intervals.

    `before` is that mean a day before.
    """

    checks: Sequence[Uptime]
    overall: float
    before: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFigures:
    name: str
    runs: int
    failed: int
    mean_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Everything a digest says of [start, end)."""

    name: str
    start: datetime
    end: datetime
    sections: Sequence[tuple[str, Sequence[Figure]]]
    alerts: AlertFigures
    uptimes: Uptimes | None
    """None when nobody wants them, or nothing was measured."""
    jobs: Sequence[JobFigures]
    open: Sequence[Alert]
    quiet: Sequence[Alert] = ()
    """Alerts of the lowest priority that began in the period or are open still, and those told nowhere else."""
    charts: Sequence[ChartFigures] = ()
    patterns: Pattern | None = None


def make_figures(
    sections: Sequence[Section], series: Series, before: Mapping[int, Series]
) -> list[tuple[str, list[Figure]]]:
    """The configured sections; `before` are earlier periods by how many days before, for the changes."""
    return [
        (section.title, [_figure(item, series, before) for item in section.items]) for section in sections
    ]


def _figure(item: Item, series: Series, before: Mapping[int, Series]) -> Figure:
    values = [statistic(name, _values(item, series)) for name in item.statistics]
    if all(value is None for value in values):
        return Figure(label=item.label, value="no data")
    shown = [write(value, item.format) for value in values]
    if len(shown) > 1:
        shown = [f"{name} {value}" for name, value in zip(item.statistics, shown, strict=True)]
    text = ", ".join(shown)
    if item.change_days is None or values[0] is None:
        return Figure(label=item.label, value=text)
    earlier = statistic(item.statistics[0], _values(item, before.get(item.change_days, {})))
    then = "the day before" if item.change_days == 1 else f"{item.change_days} days before"
    if earlier is not None:
        text += f" ({change(values[0], earlier, then, item.format)})"
    return Figure(label=item.label, value=text)


def _values(item: Item, series: Series) -> list[Value]:
    return [fields.get(item.field) for _, fields in series.get(item.source, ())]


def write(value: Value, template: str | None) -> str:
    """A value by a format such as `{:.1f}% valid`; plainly without one, or where it does not fit."""
    if value is None:
        return "no data"
    if template:
        try:
            return template.format(value)
        except (ValueError, IndexError, KeyError, TypeError):
            return format_value(value, "")
    return format_value(value, "")


def change(now: float, earlier: float, then: str, template: str | None = None) -> str:
    """`▲ 2.3% against the day before`, written as the figure itself, without its words and sign."""
    difference = now - earlier
    if not difference:
        return f"= unchanged against {then}"
    figure = _FIGURE.search(template or "")
    size = write(abs(difference), figure[0] if figure else None).replace("+", "")
    return f"{'▲' if difference > 0 else '▼'} {size} against {then}"


def quiet_alerts(
    began: Sequence[Alert], still_open: Sequence[Alert], untold: Collection[int] = ()
) -> list[Alert]:
    """Those of the lowest priority, and the `untold` that were told nowhere; the worst and most frequent first."""
    everything = {alert.id: alert for alert in (*began, *still_open)}
    found = [alert for alert in everything.values() if alert.severity is Severity.LOW or alert.id in untold]
    return sorted(found, key=lambda alert: (alert.severity, -alert.count, alert.opened_at))


def alert_figures(alerts: Sequence[Alert], before: int | None = None) -> AlertFigures:
    """Figures of the alerts that began in a period; `before` is how many did in the one before."""
    ended = [alert for alert in alerts if alert.closed_at is not None]
    minutes = [
        (alert.closed_at - alert.opened_at) / timedelta(minutes=1) for alert in ended if alert.closed_at
    ]
    return AlertFigures(
        total=len(alerts),
        by_severity={level: sum(alert.severity is level for alert in alerts) for level in Severity},
        resolved=len(ended),
        mean_minutes_to_resolve=fmean(minutes) if minutes else None,
        before=before,
    )


def uptimes(found: Mapping[str, Tally], before: Mapping[str, Tally]) -> Uptimes | None:
    """Of the checks that found something that counts; None when there are none."""
    now = [each for name, tally in found.items() if (each := uptime(name, tally)) is not None]
    then = [each.percent for name, tally in before.items() if (each := uptime(name, tally)) is not None]
    if not now:
        return None
    return Uptimes(
        checks=now,
        overall=fmean(each.percent for each in now),
        before=fmean(then) if then else None,
    )


def uptime(name: str, tally: Tally) -> Uptime | None:
    """A check's uptime; None when it found nothing that counts."""
    return None if tally.share is None else Uptime(name=name, percent=100 * tally.share, results=tally.count)


def job_figures(name: str, tally: Tally) -> JobFigures:
    """Runs and failures of a job."""
    return JobFigures(
        name=name, runs=tally.count, failed=tally.count - tally.good, mean_seconds=tally.mean_seconds
    )
