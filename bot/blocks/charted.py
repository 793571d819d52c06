"""A chart's figures as a native chart, and the same figures as text for who sees no chart.

Limits: docs.slack.dev/reference/block-kit, data visualization block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from bot.blocks.chart import labels
from bot.blocks.message import CHART, Block, outside
from bot.domain.template import format_value
from bot.reports.charts import ChartFigures

MOST_CHARTS = 2  # Slack takes so many a message; the rest stands in text
_TITLE, _LABEL = 50, 20
_MOST_TEXT = 700
_COUNTS = ("sum", "count")


def draw(charts: Sequence[ChartFigures], zone: ZoneInfo) -> list[Block | None]:
    """A chart for each of the figures; None where there is nothing to draw, or no room for a third."""
    drawn: list[Block | None] = []
    for chart in charts:
        room = sum(block is not None for block in drawn) < MOST_CHARTS
        drawn.append(chart_block(chart, zone) if room else None)
    return drawn


def chart_block(chart: ChartFigures, zone: ZoneInfo) -> Block | None:
    """The native chart; None when fewer than two parts, or segments, have a figure."""
    content = _pie(chart) if chart.kind == "pie" else _plotted(chart, zone)
    return None if content is None else {"type": CHART, "title": chart.title[:_TITLE], "chart": content}


def _pie(chart: ChartFigures) -> Block | None:
    values = {name: found[0] for name, found in chart.series.items() if found}
    positive = {name: value for name, value in values.items() if value is not None and value > 0}
    if len(positive) < 2:
        return None
    names = _unique(list(positive))
    segments = [
        {"label": label, "value": _short(value)}
        for label, value in zip(names, positive.values(), strict=True)
    ]
    return {"type": "pie", "segments": segments}


def _plotted(chart: ChartFigures, zone: ZoneInfo) -> Block | None:
    """Parts that lack a figure are left out, but for sums and counts, where it is a zero."""
    kept = [
        index
        for index in range(len(chart.starts))
        if _can_show([v[index] for v in chart.series.values()], chart)
    ]
    if len(kept) < 2:
        return None
    moments = labels([chart.starts[index] for index in kept], zone)
    names = _unique(list(chart.series))
    return {
        "type": chart.kind,
        "series": [
            {
                "name": name,
                "data": [
                    {"label": label, "value": _short(values[index] or 0.0)}
                    for label, index in zip(moments, kept, strict=True)
                ],
            }
            for name, values in zip(names, chart.series.values(), strict=True)
        ],
        "axis_config": {"categories": list(moments)},
    }


def _can_show(values: Sequence[float | None], chart: ChartFigures) -> bool:
    if chart.stat in _COUNTS:
        return not chart.is_empty
    return bool(values) and all(value is not None for value in values)


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _unique(names: Sequence[str]) -> list[str]:
    """Names as short as a chart takes, none twice."""
    found: list[str] = []
    for number, name in enumerate(names, 1):
        short = name[:_LABEL]
        found.append(short if short not in found else f"{short[: _LABEL - 4]} ({number})"[:_LABEL])
    return found


def chart_text(chart: ChartFigures, zone: ZoneInfo) -> str:
    """The figures in words: `*Rows* (sum a day): 2 Mar 1204 · 3 Mar 1300`, a line a series."""
    each = (
        "" if chart.kind == "pie" else f" a {chart.each}" if chart.each.isalpha() else f", each {chart.each}"
    )
    head = f"*{outside(chart.title, 100)}* ({outside(chart.stat, 60)}{each})"
    if chart.is_empty:
        return f"{head}: no data"
    lines = _pie_lines(chart) if chart.kind == "pie" else _lines(chart, zone)
    if chart.left_out:
        lines.append(f"… and {chart.left_out} more that are not shown")
    return f"{head}\n" + "\n".join(lines)


def _lines(chart: ChartFigures, zone: ZoneInfo) -> list[str]:
    moments = labels(chart.starts, zone)
    several = len(chart.series) > 1
    room = _MOST_TEXT // max(1, len(chart.series))
    return [
        (f"{outside(name, 40)}: " if several else "") + _within(_pairs(moments, values), room)
        for name, values in chart.series.items()
    ]


def _pairs(moments: Sequence[str], values: Sequence[float | None]) -> list[str]:
    return [
        f"{moment} {'–' if value is None else format_value(value, '')}"
        for moment, value in zip(moments, values, strict=True)
    ]


def _within(pairs: Sequence[str], room: int) -> str:
    """The newest pairs that fit."""
    shown: list[str] = []
    for pair in reversed(pairs):
        if sum(len(each) + 3 for each in shown) + len(pair) > room:
            return "… " + " · ".join(reversed(shown))
        shown.append(pair)
    return " · ".join(reversed(shown))


def _pie_lines(chart: ChartFigures) -> list[str]:
    values: Mapping[str, float] = {
        name: found[0] for name, found in chart.series.items() if found and found[0] is not None
    }
    total = sum(values.values())
    ordered = sorted(values.items(), key=lambda item: -item[1])
    return [
        f"{outside(name, 60)} {format_value(value, '')}" + (f" ({value / total:.0%})" if total > 0 else "")
        for name, value in ordered
    ]
