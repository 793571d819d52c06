"""Who is on call, as a message that calls nobody."""

from __future__ import annotations

from collections.abc import Mapping

from bot.blocks.message import Message, code, fitted, outside, section, when
from bot.domain.oncall import Duty


def render_oncall(duties: Mapping[str, Duty]) -> Message:
    """Who is on call in each rotation, until when, and who follows."""
    head = ":pager: *On call now*"
    lines = [duty_line(name, found) for name, found in duties.items()]
    blocks = [section(head)]
    blocks += [section("\n".join(lines[start : start + 10])) for start in range(0, len(lines), 10)]
    return Message(text="\n".join([head.replace("*", ""), *lines]), blocks=fitted(blocks))


def duty_line(name: str, found: Duty) -> str:
    """Who is on call in a rotation, until when, and who follows."""
    who = f"{code('@' + name, 60)} is *{outside(found.who, 60)}*"
    if found.until is None or found.then is None:
        return f"{who}, always"
    return f"{who} until {when(found.until)}, then {outside(found.then, 60)}"
