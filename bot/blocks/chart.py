"""Native charts. Slack has them since 2026 and may refuse them, so what a chart shows also stands in text.

Limits: docs.slack.dev/reference/block-kit, data visualization block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.blocks.message import CHART, Block

MOST_POINTS = 20
_TITLE, _LABEL = 50, 20


def line_chart(title: str, moments: Sequence[str], series: Mapping[str, Sequence[float]]) -> Block:
    """Lines over up to twenty moments, each of which has its own label (see `labels`)."""
    moments = moments[-MOST_POINTS:]
    return {
        "type": CHART,
        "title": title[:_TITLE],
        "chart": {
            "type": "line",
            "series": [
                {
                    "name": name[:_LABEL],
                    "data": [
                        {"label": label, "value": float(f"{value:.4g}")}
                        for label, value in zip(moments, values[-MOST_POINTS:], strict=True)
                    ],
                }
                for name, values in list(series.items())[:6]
            ],
            "axis_config": {"categories": list(moments)},
        },
    }


def labels(instants: Sequence[datetime], zone: ZoneInfo) -> list[str]:
    """A label for each instant, none twice: as short as tells them apart."""
    local = [instant.astimezone(zone) for instant in instants]
    within_a_day = not local or max(local) - min(local) < timedelta(hours=20)
    formats = ["%H:%M", "%H:%M:%S"] if within_a_day else ["%d %b", "%d %b %H:%M", "%d %b %H:%M:%S"]
    for form in formats:
        found = [f"{moment:{form}}" for moment in local]
        if len(set(found)) == len(found):
            return found
    return [f"{text[:15]} ({number})" for number, text in enumerate(found, 1)]


def bar_chart(title: str, values: Mapping[str, float], name: str) -> Block:
    """A bar for each of up to twenty labels, none of which comes twice."""
    shown = list(values.items())[:MOST_POINTS]
    return {
        "type": CHART,
        "title": title[:_TITLE],
        "chart": {
            "type": "bar",
            "series": [
                {
                    "name": name[:_LABEL],
                    "data": [{"label": label[:_LABEL], "value": value} for label, value in shown],
                }
            ],
            "axis_config": {"categories": [label[:_LABEL] for label, _ in shown]},
        },
    }
