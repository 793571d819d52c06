"""Many alerts in one message that lists them, and what is said in its thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from bot.blocks.alert import ACKNOWLEDGED, FIRING, RESOLVED, SEVERITY_EMOJI, SILENCED
from bot.blocks.message import (
    Block,
    Message,
    actions,
    button,
    clock,
    code,
    context,
    outside,
    person,
    section,
    select,
)
from bot.domain.alert import Alert, EventKind
from bot.domain.decision import spell
from bot.domain.grouping import GroupState, Standing, standing_of

_MOST_LINES = 30
_ROOM = 6000  # for the list: the menu's hundred entries take as much, and a message holds some 13,000 in all
_PER_BLOCK = 10
_MOST_NAMED = 1000
_SIGNS = {
    Standing.ACKNOWLEDGED: ":eyes:",
    Standing.SILENCED: ":no_bell:",
    Standing.RESOLVED: ":white_check_mark:",
    Standing.EXPIRED: ":hourglass:",
}
_HAPPENED: Mapping[str, str] = {
    EventKind.ESCALATED: "escalated because nobody has acknowledged them",
    EventKind.REOPENED: "open again",
    EventKind.UNSILENCED: "no longer silenced",
    EventKind.SEVERITY: "became P1",
    EventKind.REMEDY_FAILED: "could not be recovered",
}
_COLORS = {
    Standing.OPEN: FIRING,
    Standing.ACKNOWLEDGED: ACKNOWLEDGED,
    Standing.SILENCED: SILENCED,
}


def render_group(state: GroupState, now: datetime, mention: str = "", prefix: str = "tocsin") -> Message:
    """The alerts of a group as they stand now, those that are open first, then by priority."""
    head, figures = _headline(state), _figures(state)
    if mention:
        head += f" {_within(mention, _MOST_NAMED)}"
    lines = _lines(state, now, prefix)
    blocks = [section("\n".join(lines[at : at + _PER_BLOCK])) for at in range(0, len(lines), _PER_BLOCK)]
    text = "\n".join([head.replace("*", ""), figures, *(line.replace("*", "") for line in lines)])
    return Message(
        text=text,
        blocks=(section(f"{head}\n{figures}"),),
        body=(*blocks, context(_small_print(state)), actions(f"group:{state.id}", _elements(state, now))),
        color=next((color for how, color in _COLORS.items() if state.count(how)), RESOLVED),
    )


def render_joined(alert: Alert, count: int, mention: str) -> Message:
    """That further alerts joined a group, to those whom they name."""
    others = f" and {count - 1} more" if count > 1 else ""
    line = f":heavy_plus_sign: Joined this list: {_name(alert)}{others}"
    if mention:
        line += f" {_within(mention, _MOST_NAMED)}"
    return Message(text=line.replace("*", ""), blocks=(section(line),))


def render_together(alert: Alert, kinds: Mapping[str, int], mention: str) -> Message:
    """What happened to many alerts of a list at once, by the kinds of events; `alert` is the worst of them."""
    said = ", ".join(f"{count} {_HAPPENED.get(kind, kind)}" for kind, count in kinds.items())
    line = f":mega: *{said}*, among them {_name(alert)}"
    if mention:
        line += f" {_within(mention, _MOST_NAMED)}"
    return Message(text=line.replace("*", ""), blocks=(section(line),))


def about(alert: Alert, message: Message) -> Message:
    """A line of an alert's thread, said in the thread of its group."""
    head = _name(alert)
    return replace(
        message, text=f"{head}\n{message.text}".replace("*", ""), blocks=(section(head), *message.blocks)
    )


def _name(alert: Alert) -> str:
    sign = SEVERITY_EMOJI[alert.severity]
    return f"{sign} *{alert.severity.priority} {outside(alert.firing.title, 150)}* #{alert.id}"


def _headline(state: GroupState) -> str:
    total = f"{state.total} alert{'' if state.total == 1 else 's'}"
    if state.is_over:
        lasted = f" after {spell(state.ended_at - state.began_at)}" if state.ended_at else ""
        return f":white_check_mark: *{total}: all over*{lasted}"
    priorities: dict[str, int] = {}
    for tally in state.tallies:
        priorities[tally.severity.priority] = priorities.get(tally.severity.priority, 0) + tally.count
    counts = ", ".join(f"{count} {priority}" for priority, count in priorities.items())
    sign = ":rotating_light:" if state.count(Standing.OPEN) else ":eyes:"
    return f"{sign} *{total} at once: {counts}*"


def _figures(state: GroupState) -> str:
    """How many stand how."""
    shown = [f"{state.count(how)} {how.value}" for how in Standing if state.count(how)]
    return " · ".join(shown)


def _lines(state: GroupState, now: datetime, prefix: str) -> list[str]:
    """As many alerts as fit well, and how many are left out."""
    lines: list[str] = []
    room = _ROOM
    for alert in state.first[:_MOST_LINES]:
        line = _line(alert, now)
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    if left := state.total - len(lines):
        lines.append(f"… and {left} more: `/{prefix} alerts`")
    return lines


def _line(alert: Alert, now: datetime) -> str:
    standing = standing_of(alert, now)
    how = standing.value
    if standing is Standing.ACKNOWLEDGED:
        how += f" by {person(alert.acknowledged_by)}"
    elif standing is Standing.SILENCED and alert.firing.held_by is not None:
        how = "explained by another"
    elif standing.is_over and alert.closed_at is not None:
        how += f" {clock(alert.closed_at)}"
    sign = _SIGNS.get(standing, SEVERITY_EMOJI[alert.severity])
    title, where = outside(alert.firing.title.replace("\n", " "), 80), code(alert.firing.resource, 40)
    return (
        f"{sign} *{alert.severity.priority}* {title} · {where} · since {clock(alert.opened_at)}"
        f" · {how} · #{alert.id}"
    )


def _small_print(state: GroupState) -> str:
    said = "Told together because many began at once; this list stays true"
    return said if state.is_over else f"{said}. Open one for its details and buttons, in the thread"


def _elements(state: GroupState, now: datetime) -> list[Block]:
    found = []
    if state.count(Standing.OPEN):
        found.append(button("Acknowledge all", "group:acknowledge", str(state.id), style="primary"))
    options = [(_option(alert, now), f"{state.id}:{alert.id}") for alert in state.first]
    return [*found, select("Open an alert…", "group:open", options)]


def _option(alert: Alert, now: datetime) -> str:
    over = " (over)" if standing_of(alert, now).is_over else ""
    title = " ".join(alert.firing.title.split()) or "-"
    return f"{alert.severity.priority} #{alert.id}{over} {title}"[:52]


def _within(mentions: str, most: int) -> str:
    """As many whole mentions as fit."""
    kept: list[str] = []
    for each in mentions.split(" "):
        if sum(map(len, kept)) + len(kept) + len(each) > most:
            break
        kept.append(each)
    return " ".join(kept)
