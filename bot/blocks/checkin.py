"""A check-in as a card: the overall colour, each check's state, a way to the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks.alert import ACKNOWLEDGED, FIRING, RESOLVED, SILENCED
from bot.blocks.message import Block, Message, actions, clock, context, cut, fitted, outside, section
from bot.blocks.overview import STATE_EMOJI
from bot.domain.checkin import CheckinLine, overall
from bot.domain.decision import spell
from checks.result import State

_COLOR = {
    State.OK: RESOLVED,
    State.PENDING: SILENCED,
    State.UNKNOWN: SILENCED,
    State.WARNING: ACKNOWLEDGED,
    State.CRITICAL: FIRING,
}
_A_SECTION = 8
_MOST = 60
_ORDER = (State.CRITICAL, State.WARNING, State.UNKNOWN, State.PENDING, State.OK)


def render_checkin(
    title: str,
    lines: Sequence[CheckinLine],
    *,
    due_at: datetime,
    as_of: datetime,
    live_until: datetime | None,
    dashboard: str | None = None,
    mention: str = "",
) -> Message:
    """The card as of an instant. `mention` stands on it while something is wrong; edits call nobody."""
    worst = overall(lines)
    called = f" {mention}" if mention and any(line.is_wrong for line in lines) else ""
    head = f"{STATE_EMOJI[worst]} *{outside(title, 150)}*: {_counted(lines)}{called}"
    shown = [_line(line, as_of) for line in lines[:_MOST]]
    if hidden := len(lines) - len(shown):
        shown.append(f"… and {hidden} more, counted above")
    body: list[Block] = [
        section("\n".join(shown[i : i + _A_SECTION])) for i in range(0, len(shown), _A_SECTION)
    ]
    if dashboard:
        body.append(actions("checkin", [_link("Open the dashboard", dashboard)]))
    body.append(context(_note(lines, due_at, as_of, live_until)))
    text = "\n".join([head, *shown]).replace("*", "")
    return Message(text=cut(text, 3400), blocks=(section(head),), body=fitted(body), color=_COLOR[worst])


def render_turned_wrong(title: str, lines: Sequence[CheckinLine], as_of: datetime, mention: str) -> Message:
    """What turned wrong after the card was posted, for those whom an edit does not reach."""
    shown = [_line(line, as_of) for line in lines[:_A_SECTION]]
    text = "\n".join([f":warning: *{outside(title, 150)}*: no longer as it was. {mention}", *shown])
    return Message(text=cut(text, 2900), blocks=(section(text),))


def _counted(lines: Sequence[CheckinLine]) -> str:
    """`1 critical, 1 pending, 3 ok`; `all 5 ok`."""
    if not lines:
        return "no checks are configured"
    counts = [(state, sum(line.state is state for line in lines)) for state in _ORDER]
    if counts[-1][1] == len(lines):
        return f"all {len(lines)} ok" if len(lines) > 1 else "ok"
    return ", ".join(f"{count} {state.value}" for state, count in counts if count)


def _line(line: CheckinLine, as_of: datetime) -> str:
    name = f"{STATE_EMOJI[line.state]} *{outside(line.name, 80)}*"
    if line.at is None:
        return f"{name} pending · nothing heard yet"
    said = f" · {outside(line.summary, 180)}" if line.summary else ""
    return f"{name} {line.state.value}{said} · checked {spell(as_of - line.at)} before"


def _note(
    lines: Sequence[CheckinLine], due_at: datetime, as_of: datetime, live_until: datetime | None
) -> str:
    parts = [f"Check-in of {clock(due_at)}", f"as of {clock(as_of)}"]
    if live_until is not None:
        parts.append(f"updated while something is pending, until {clock(live_until)}")
    elif any(line.state is State.PENDING for line in lines):
        parts.append("no longer updated")
    return " · ".join(parts)


def _link(text: str, url: str) -> Block:
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": text[:75], "emoji": True},
        "action_id": "open:dashboard",
        "url": url[:3000],
    }
