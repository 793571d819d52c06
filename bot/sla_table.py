"""The SLA report in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.reports.sla import ObjectiveFigures, SlaReport, Standing, Trend, written

_STYLE = {Standing.MET: "green", Standing.MISSED: "bold red", Standing.NO_DATA: "yellow"}
_NARROWEST = 100


def print_sla(report: SlaReport) -> None:
    """A line an objective: target, current, state and how it was the month before."""
    console = Console()
    console.width = max(console.width, _NARROWEST)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("Objective", "Target", "Current", "State", "The month before"):
        right = title in ("Target", "Current")
        table.add_column(title, justify="right" if right else "left", overflow="fold", no_wrap=right)
    for each in report.objectives:
        current = "no data" if each.current is None else written(each.current, each.target)
        state = Text(each.standing.value, style=_STYLE[each.standing])
        table.add_row(Text(each.name), str(each.target), current, state, _before(each))
    so_far = "" if report.is_whole else " so far"
    console.print(Text(f"{report.name}: SLA of {report.month}{so_far}", style="bold"))
    console.print(table)
    for each in report.objectives:
        if each.since is not None:
            console.print(Text(f"{each.name} is measured only since {each.since:%Y-%m-%d %H:%M} UTC"))


def _before(each: ObjectiveFigures) -> str:
    if each.before is None:
        return "-"
    trend = "" if each.trend is Trend.UNKNOWN else f" ({each.trend.value})"
    return f"{written(each.before, each.target)}{trend}"
