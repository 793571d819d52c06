"""How everything stands, as /status and the heartbeat show it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.alert import SEVERITY_EMOJI
from bot.blocks.message import (
    Block,
    Message,
    context,
    cut,
    fitted,
    outside,
    person,
    rows,
    section,
    when,
)
from bot.domain.alert import Alert, Status
from bot.domain.decision import spell
from bot.reports.overview import Figure, Line, Overview, worst_first
from checks.result import State

STATE_EMOJI = {
    State.OK: ":large_green_circle:",
    State.WARNING: ":large_orange_circle:",
    State.CRITICAL: ":red_circle:",
    State.UNKNOWN: ":white_circle:",
    State.PENDING: ":hourglass:",
}
_MOST_LINES = 12
_LINE = 180


def render_overview(overview: Overview) -> Message:
    """Overall state, alerts, checks, jobs and the team's own figures; the worst first, the rest counted."""
    head = f"*{outside(overview.name, 100)}* · {verdict(overview)}"
    blocks: list[Block] = [section(head)]
    figures = [(outside(item.label, 100), _with_change(item)) for item in overview.figures]
    blocks += rows(figures)
    parts = [
        _list("Open alerts", [alert_line(alert, overview) for alert in overview.alerts], "no open alerts"),
        _list("Checks", _state_lines(overview.checks, overview), "none configured", _ok(overview.checks)),
        _list("Jobs", _state_lines(overview.jobs, overview), "none configured", _ok(overview.jobs)),
    ]
    blocks += [section(part) for part in parts]
    own = [f":warning: *Tocsin itself:* {outside(text, 500)}" for text in overview.troubles[:3]]
    blocks += [section(text) for text in own]
    blocks.append(context(f"As of {when(overview.at, '{time_secs}')}"))
    shown = [f"{label} {value}" for label, value in figures]
    text = "\n".join([head, *own, *shown, *parts])
    return Message(text=cut(text.replace("*", ""), 3400), blocks=fitted(blocks))


def _with_change(figure: Figure) -> str:
    value = outside(figure.value, 200)
    return f"{value} ({outside(figure.change, 100)})" if figure.change else value


def verdict(overview: Overview) -> str:
    """`:large_green_circle: All systems nominal`, or an orange circle and how many warnings."""
    count = len(overview.loud)
    if not count:
        quiet = f" ({len(overview.alerts)} silenced)" if overview.alerts else ""
        return f":large_green_circle: All systems nominal{quiet}"
    critical = f" ({overview.critical} critical)" if overview.critical else ""
    return f":large_orange_circle: {count} warning{'s' if count > 1 else ''}{critical}"


def render_heartbeat(overview: Overview) -> Message:
    """The short answer: one line, and the alerts when there are any."""
    head = verdict(overview)
    listed = [alert_line(alert, overview) for alert in overview.loud[:5]]
    if len(overview.loud) > 5:
        listed.append(f"… and {len(overview.loud) - 5} more")
    good = sum(line.state is State.OK for line in [*overview.checks, *overview.jobs])
    total = len(overview.checks) + len(overview.jobs)
    note = f"{good} of {total} checks and jobs ok · {when(overview.at, '{time}')}"
    text = "\n".join([head, *listed])
    return Message(text=cut(text, 2500), blocks=(section(text), context(note)))


def alert_line(alert: Alert, overview: Overview) -> str:
    """An alert in a list."""
    emoji = SEVERITY_EMOJI[alert.severity]
    note = ""
    if alert.is_silenced(overview.at):
        emoji, note = ":no_bell:", ", silenced"
    elif alert.firing.held_by is not None:
        emoji, note = ":link:", f", explained by {outside(alert.firing.held_by, 60)}"
    elif alert.status is Status.ACKNOWLEDGED:
        emoji, note = ":eyes:", f", acknowledged by {person(alert.acknowledged_by)}"
    age = spell(overview.at - alert.opened_at)
    title = outside(alert.firing.title, 100)
    return f"{emoji} *{alert.severity.priority}* {title} · #{alert.id}, for {age}{note}"


def _state_lines(found: Sequence[Line], overview: Overview) -> list[str]:
    """Every line while they are few; else those that are not ok."""
    ordered = worst_first(found)
    if len(ordered) > _MOST_LINES:
        ordered = [line for line in ordered if line.state is not State.OK]
    return [state_line(line, overview) for line in ordered]


def state_line(line: Line, overview: Overview) -> str:
    """A check or job in a list."""
    name = outside(line.name, 80)
    if line.standing is None:
        return f"{STATE_EMOJI[State.PENDING]} *{name}* · nothing heard yet"
    age = spell(overview.at - line.standing.at)
    said = f" · {outside(line.standing.summary, _LINE)}" if line.standing.summary else ""
    return f"{STATE_EMOJI[line.state]} *{name}* {line.state.value}{said} · {age} ago"


def _ok(found: Sequence[Line]) -> int:
    return sum(line.state is State.OK for line in found) if len(found) > _MOST_LINES else 0


def _list(title: str, entries: Sequence[str], nothing: str, ok: int = 0) -> str:
    """A titled list that stays within a section: what does not fit is counted."""
    shown = list(entries[:_MOST_LINES])
    while sum(len(entry) + 1 for entry in shown) > 2600:
        shown.pop()
    if hidden := len(entries) - len(shown):
        shown.append(f"… and {hidden} more")
    if ok:
        shown.append(f"{STATE_EMOJI[State.OK]} {ok} ok")
    return f"*{title}*\n" + ("\n".join(shown) or f"_{nothing}_")
