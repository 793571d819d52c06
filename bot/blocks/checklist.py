"""A checklist: tasks as checkboxes, with who ticked each, and when, beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.blocks.message import Block, Message, context, cut, escape, fitted, outside, person, section, when

A_GROUP = 10  # options of one element
_TEXT = 75  # of an option, and of its description
_WIDTHS = (_TEXT, 50, 30, 16)  # tried in turn until all fits: what is ticked counts twice
_LONGEST_TASK = 280  # ten of them fit a section
_LONG_TASKS = 2800  # characters for all that stand in full, so that fifty boxes fit beside them

Ticked = Mapping[int, tuple[str, datetime]]
"""Who did a task, by its place, and when."""


def render_checklist(
    number: int, title: str, items: Sequence[str], ticks: Ticked, due_at: datetime, mention: str = ""
) -> Message:
    """The list as it stands. Long tasks stand in full above their boxes."""
    done = sum(index in ticks for index in range(len(items)))
    head = f"{_sign(done, len(items))} *{outside(title, 150)}*: {_said(done, len(items))}"
    if mention:
        head += f" {mention}"
    lines = [_line(items[index], ticks.get(index)) for index in range(len(items))]
    blocks: list[Block] = []
    for width in _WIDTHS:
        blocks = [section(head), *_groups(number, items, ticks, width)]
        blocks.append(context(f"Tick what is done; everybody sees who did it · {when(due_at)}"))
        if fitted(blocks) == tuple(blocks):
            break
    return Message(text=cut("\n".join([head.replace("*", ""), *lines]), 3400), blocks=tuple(blocks))


def _groups(number: int, items: Sequence[str], ticks: Ticked, width: int) -> list[Block]:
    """Boxes whose texts are so wide; what is longer stands in full above its group."""
    blocks: list[Block] = []
    room = min(_LONGEST_TASK, _LONG_TASKS // max(1, sum(_is_long(item, width) for item in items)))
    for first in range(0, len(items), A_GROUP):
        group = range(first, min(first + A_GROUP, len(items)))
        long = [_in_full(index, items[index], room) for index in group if _is_long(items[index], width)]
        blocks += [section("\n".join(long))] if long else []
        blocks.append(_boxes(number, group, items, ticks, width))
    return blocks


def _sign(done: int, total: int) -> str:
    return ":white_check_mark:" if done == total else ":clipboard:"


def _said(done: int, total: int) -> str:
    if done == total:
        return f"all {total} done" if total > 1 else "done"
    return f"{done} of {total} done" if done else f"{total} to do"


def _boxes(number: int, group: range, items: Sequence[str], ticks: Ticked, width: int) -> Block:
    """A group's checkboxes.

    The block's id tells which of them were ticked: a press is then understood by what its person saw, and Slack
    draws the boxes anew instead of keeping what somebody clicked.
    """
    options = [_option(index, items[index], ticks.get(index), width) for index in group]
    element: Block = {
        "type": "checkboxes",
        "action_id": f"tick:{number}:{group.start}",
        "options": options,
    }
    if chosen := [options[index - group.start] for index in group if index in ticks]:
        element["initial_options"] = chosen
    return {"type": "actions", "block_id": shown_id(group.start, ticks), "elements": [element]}


def shown_id(first: int, ticks: Ticked) -> str:
    """The block id of a group that shows these ticks."""
    mask = sum(1 << (index - first) for index in ticks if first <= index < first + A_GROUP)
    return f"ticked:{first}:{mask:x}"


def ticks_shown(block_id: str) -> frozenset[int] | None:
    """The tasks that a group with this block id shows as ticked; None when it is no such id."""
    name, _, rest = block_id.partition(":")
    first, _, mask = rest.partition(":")
    try:
        start, bits = int(first), int(mask, 16)
    except ValueError:
        return None
    if name != "ticked" or bits < 0:
        return None
    return frozenset(start + bit for bit in range(A_GROUP) if bits >> bit & 1)


def _option(index: int, item: str, tick: tuple[str, datetime] | None, width: int) -> Block:
    text = f"{index + 1}. {_one_line(item)}" if _is_long(item, width) else _one_line(item)
    option: Block = {
        "text": {"type": "mrkdwn", "text": outside(text, width) if tick is None else _struck(text, width)},
        "value": str(index),
    }
    if tick is not None:
        option["description"] = {"type": "mrkdwn", "text": _by(*tick)}
    return option


def _struck(text: str, width: int) -> str:
    return f"~{outside(text, width - 2)}~"


def _by(user: str, at: datetime) -> str:
    """Short enough for a description, whatever the user's id."""
    moment = f"<!date^{int(at.timestamp())}^{{date_short}} {{time}}|{at:%m-%d %H:%M}>"
    return f"{cut(person(user), _TEXT - len(moment) - 1)} {moment}"


def _in_full(index: int, item: str, room: int) -> str:
    return f"{index + 1}. {outside(_one_line(item), room)}"


def _is_long(item: str, width: int) -> bool:
    return len(escape(_one_line(item))) > width - 6


def _one_line(item: str) -> str:
    return " ".join(item.split()) or "-"


def _line(item: str, tick: tuple[str, datetime] | None) -> str:
    text = outside(_one_line(item), _LONGEST_TASK // 2)
    if tick is None:
        return f"☐ {text}"
    return f"☑ {text} ({person(tick[0])}, {when(tick[1])})"
