"""Home: the overall state, what is open with its buttons, checks, jobs, silences, who is on call, what comes."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.alert import SEVERITY_EMOJI
from bot.blocks.duty import duty_line
from bot.blocks.message import (
    Block,
    actions,
    button,
    code,
    context,
    cut,
    divider,
    outside,
    person,
    rows,
    section,
    when,
)
from bot.blocks.overview import STATE_EMOJI, verdict
from bot.blocks.silences import silence_buttons, silence_line
from bot.domain.alert import Alert, Status
from bot.domain.severity import Severity
from bot.reports.home import HomeState
from bot.reports.overview import Line, Overview, worst_first

MOST_BLOCKS = 100
_MOST_ALERTS = 15
_MOST_SILENCES = 5
_MOST_LINES = 40
_PART = 2600


def render_home(home: HomeState, prefix: str) -> list[Block]:
    """At most a hundred blocks; what does not fit is counted, with the command that lists it."""
    overview = home.overview
    blocks: list[Block] = [section(f"*{outside(overview.name, 100)}* · {verdict(overview)}")]
    blocks += [section(f":warning: *Tocsin itself:* {outside(text, 500)}") for text in overview.troubles[:3]]
    blocks += rows(
        [(outside(each.label, 100), _figure(each.value, each.change)) for each in overview.figures[:20]]
    )
    blocks += [divider(), *_alerts(overview, prefix)]
    blocks += [
        divider(),
        *_standings("Checks", overview.checks, prefix),
        *_standings("Jobs", overview.jobs, prefix),
    ]
    blocks += [divider(), *_silences(home, prefix)]
    blocks += [section(text) for text in _people_and_times(home)]
    blocks.append(
        context(f"As of {when(overview.at, '{time_secs}')} · `/{prefix} help` says what else you can ask")
    )
    if len(blocks) > MOST_BLOCKS:
        blocks = [*blocks[: MOST_BLOCKS - 1], context(f"… more does not fit here; ask `/{prefix}-status`")]
    return blocks


def _figure(value: str, change: str | None) -> str:
    return outside(value, 200) + (f" ({outside(change, 100)})" if change else "")


def _alerts(overview: Overview, prefix: str) -> list[Block]:
    """By priority, those that notify first, each with its buttons."""
    if not overview.alerts:
        return [section("*Open alerts*\n_none_")]
    ordered = sorted(overview.alerts, key=lambda each: (_is_quiet(each, overview), each.severity, -each.id))
    counted = [(each, sum(alert.severity is each for alert in ordered)) for each in Severity]
    counts = " · ".join(f"{SEVERITY_EMOJI[each]} {count} {each.priority}" for each, count in counted if count)
    quiet = sum(_is_quiet(alert, overview) for alert in ordered)
    silent = f" · :no_bell: {quiet} of them kept quiet" if quiet else ""
    blocks: list[Block] = [section(f"*Open alerts* · {counts}{silent}")]
    for alert in ordered[:_MOST_ALERTS]:
        blocks += [section(_alert(alert, overview)), actions(f"home:{alert.id}", _buttons(alert))]
    if hidden := len(ordered) - _MOST_ALERTS:
        blocks += [context(f"… and {hidden} more: `/{prefix} alerts`")] if hidden > 0 else []
    return blocks


def _is_quiet(alert: Alert, overview: Overview) -> bool:
    return alert.is_silenced(overview.at) or alert.firing.held_by is not None


def _alert(alert: Alert, overview: Overview) -> str:
    emoji = ":no_bell:" if _is_quiet(alert, overview) else SEVERITY_EMOJI[alert.severity]
    title = f"{emoji} *{alert.severity.priority} {outside(alert.firing.title, 200)}* · #{alert.id}"
    notes = [f"since {when(alert.opened_at)}"]
    if alert.count > 1:
        notes.append(f"seen {alert.count} times")
    if alert.status is Status.ACKNOWLEDGED:
        notes.append(f":eyes: {person(alert.acknowledged_by)} is on it")
    if alert.is_silenced(overview.at) and alert.silenced_until:
        notes.append(f":no_bell: silenced until {when(alert.silenced_until)}")
    if alert.firing.held_by is not None:
        notes.append(f":link: explained by {outside(alert.firing.held_by, 100)}")
    if alert.firing.flapping:
        notes.append(":ocean: flapping")
    reason = outside(alert.firing.reason.split("\n")[0], 200)
    return f"{title}\n{reason}\n{' · '.join(notes)}"


def _buttons(alert: Alert) -> list[Block]:
    number = str(alert.id)
    first = (
        button("Unacknowledge", "alert:unacknowledge", number)
        if alert.status is Status.ACKNOWLEDGED
        else button("Acknowledge", "alert:acknowledge", number, style="primary")
    )
    return [
        first,
        button("Resolve", "alert:resolve", number),
        button("Details", "alert:details", number),
        button("Why?", "alert:why", number),
    ]


def _standings(title: str, found: Sequence[Line], prefix: str) -> list[Block]:
    """Every check or job with its last state, the worst first."""
    if not found:
        return [section(f"*{title}*\n_none configured_")]
    counted = [(state, sum(line.state is state for line in found)) for state in STATE_EMOJI]
    counts = " · ".join(f"{STATE_EMOJI[state]} {count} {state.value}" for state, count in counted if count)
    lines = [_standing(line) for line in worst_first(found)[:_MOST_LINES]]
    if (hidden := len(found) - len(lines)) > 0:
        lines.append(f"… and {hidden} more: `/{prefix}-status NAME`")
    portions = [f"*{title}* · {counts}"]
    for line in lines:
        if len(portions[-1]) + len(line) > _PART:
            portions.append(line)
        else:
            portions[-1] += f"\n{line}"
    return [section(portion) for portion in portions]


def _standing(line: Line) -> str:
    name = outside(line.name, 80)
    if line.standing is None:
        return f"{STATE_EMOJI[line.state]} *{name}* nothing heard yet"
    said = f" · {outside(line.standing.summary, 120)}" if line.standing.summary else ""
    return f"{STATE_EMOJI[line.state]} *{name}* {line.state.value}{said} · {when(line.standing.at)}"


def _silences(home: HomeState, prefix: str) -> list[Block]:
    if not home.silences:
        return [section("*Silences*\n_none is active; everything is told_")]
    blocks: list[Block] = [section(f"*Silences* · {len(home.silences)}")]
    for silence in home.silences[:_MOST_SILENCES]:
        blocks += [section(cut(silence_line(silence), 600)), silence_buttons(silence)]
    if (hidden := len(home.silences) - _MOST_SILENCES) > 0:
        blocks.append(context(f"… and {hidden} more: `/{prefix} silences`"))
    return blocks


def _people_and_times(home: HomeState) -> list[str]:
    found = []
    if home.duties:
        lines = [duty_line(name, each) for name, each in list(home.duties.items())[:10]]
        if (hidden := len(home.duties) - len(lines)) > 0:
            lines.append(f"… and {hidden} more")
        found.append("*On call now*\n" + "\n".join(lines))
    if home.coming:
        lines = [f"• {code(name, 100)} {when(at)}" for name, at in home.coming[:8]]
        found.append("*Next*\n" + "\n".join(lines))
    return found
