"""The last results of a check, as `/logs` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks.message import Block, Message, code, context, fitted, outside, section, when
from bot.blocks.overview import STATE_EMOJI
from bot.domain.observation import Observation

_PER_BLOCK = 8


def render_results(check: str, found: Sequence[Observation], now: datetime, note: str = "") -> Message:
    """What a check found lately, the newest first."""
    head = (
        f"*{outside(check, 200)}* · its last results"
        if found
        else f"*{outside(check, 200)}* · no results yet"
    )
    newest_first = sorted(found, key=lambda each: each.at, reverse=True)
    lines = [_line(each, check) for each in newest_first]
    blocks: list[Block] = [section(note)] if note else []
    blocks.append(section(head))
    blocks += [section("\n".join(lines[at : at + _PER_BLOCK])) for at in range(0, len(lines), _PER_BLOCK)]
    blocks.append(context(f"As of {when(now, '{time_secs}')}"))
    return Message(text="\n".join([*([note] if note else []), head, *lines]), blocks=fitted(blocks))


def _line(result: Observation, check: str) -> str:
    where = "" if result.resource == check else f" {code(result.resource, 80)}"
    said = f" · {outside(result.summary, 200)}" if result.summary else ""
    state = result.state
    return f"{STATE_EMOJI[state]} {when(result.at, '{date_short_pretty} {time_secs}')} {state.value}{where}{said}"
