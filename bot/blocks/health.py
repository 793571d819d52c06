"""The health report: how everything stands, and how many alerts began in 24 hours and 7 days."""

from __future__ import annotations

from bot.blocks.alert import SEVERITY_EMOJI
from bot.blocks.message import Block, Message, context, cut, fields, fitted, outside, section, when
from bot.blocks.overview import alert_line, state_line, verdict
from bot.domain.severity import Severity
from bot.reports.health import AlertCount, Health
from bot.reports.overview import worst_first
from checks.result import State

_MOST = 8


def render_health(health: Health) -> Message:
    """The verdict, the counts, then only what is not well."""
    overview = health.overview
    head = f":shield: *{outside(overview.name, 100)}: health report* · {verdict(overview)}"
    counts = [("Alerts in 24 hours", _count(health.day, "the day before")),
              ("Alerts in 7 days", _count(health.week, "the week before"))]  # fmt: skip
    blocks: list[Block] = [section(head), fields(counts)]
    everything = [*overview.checks, *overview.jobs]
    bad = [line for line in worst_first(everything) if line.state not in (State.OK, State.PENDING)]
    parts = [
        _list("Open alerts", [alert_line(alert, overview) for alert in overview.loud]),
        _list("Not well", [state_line(line, overview) for line in bad]),
    ]
    parts += [f":warning: *Tocsin itself:* {outside(text, 500)}" for text in overview.troubles[:3]]
    blocks += [section(part) for part in parts if part]
    well = sum(line.state is State.OK for line in everything)
    blocks.append(context(f"{well} of {len(everything)} checks and jobs ok · {when(overview.at, '{time}')}"))
    said = [f"{label}: {value}" for label, value in counts]
    text = "\n".join([head, *said, *(part for part in parts if part)])
    return Message(text=cut(text.replace("*", ""), 3400), blocks=fitted(blocks))


def _count(found: AlertCount, then: str) -> str:
    by = ", ".join(
        f"{SEVERITY_EMOJI[level]} {found.by_severity[level]} {level.priority}"
        for level in Severity
        if found.by_severity.get(level)
    )
    before = f"{then} {found.before or 'none'}"
    return f"{found.total} · {by} · {before}" if found.total else f"none · {before}"


def _list(title: str, entries: list[str]) -> str:
    if not entries:
        return ""
    shown = entries[:_MOST]
    if hidden := len(entries) - len(shown):
        shown.append(f"… and {hidden} more")
    return f"*{title}*\n" + "\n".join(shown)
