"""Settings changed at run time as people see them: set, listed, set back, and beside what they change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.blocks.message import (
    Block,
    Message,
    actions,
    button,
    code,
    context,
    cut,
    escape,
    fitted,
    outside,
    person,
    preformatted,
    section,
    when,
)
from bot.domain.override import Override

_MOST = 15
_YAML = 8000
FileSays = Callable[[Override], tuple[bool, Any]]


def render_set(
    override: Override, before: tuple[bool, Any] | None = None, warnings: Sequence[str] = ()
) -> Message:
    """That somebody changed a setting; to that person also what held before, and what is probably not meant."""
    says = _file_words(override.in_file, override.file_value)
    text = f":wrench: {person(override.by)} {_did(override)} ({says}){_why(override)}."
    lines = [text]
    if before is not None and before != (override.in_file, override.file_value):
        lines.append(f"Before it was {_value(*before)}.")
    lines += [f":warning: {outside(each, 400)}" for each in warnings[:3]]
    whole = "\n".join(lines)
    return Message(
        text=whole, blocks=(section(whole), actions(f"override:{override.id}", [_revert(override)]))
    )


def render_reverted(override: Override) -> Message:
    """That the file holds again."""
    says = (
        f"{_file_words(override.in_file, override.file_value)} again"
        if override.in_file
        else "the file says nothing there"
    )
    what = f"{code(override.path)} = {_value(True, override.value)}"
    text = f":leftwards_arrow_with_hook: {person(override.reverted_by)} took back {what}; {says}."
    return Message(text=text, blocks=(section(text),))


def render_undone(override: Override) -> Message:
    """The message of a change after somebody took it back."""
    was = f"{person(override.by)} {_did(override)}{_why(override)}"
    text = f":leftwards_arrow_with_hook: {was}. {person(override.reverted_by)} took it back."
    return Message(text=text, blocks=(section(text),))


def render_overrides(
    found: Sequence[Override], refused: Mapping[str, str], file_says: FileSays, prefix: str, note: str = ""
) -> Message:
    """What is changed at present: the file's value beside it, who, when and why, and a button to set it back."""
    count = f"{len(found)} changed at run time" if found else "none; everything is as the file says"
    head = f"*Settings* · {count}"
    blocks: list[Block] = [section(text) for text in (note, head) if text]
    texts = [text for text in (note, head) if text]
    for each in found[:_MOST]:
        line = _line(each, file_says(each))
        if each.path in refused:
            line += f"\n:warning: *Without effect:* {outside(refused[each.path], 500)}"
        texts.append(line)
        blocks += [section(cut(line, 1200)), actions(f"override:{each.id}", [_revert(each)])]
    if len(found) > _MOST:
        blocks.append(context(f"… and {len(found) - _MOST} more: `tocsin overrides` lists them all"))
    small = (
        f"`/{prefix} overrides yaml` to put them into the file · `/{prefix} overrides history` for what was"
    )
    blocks.append(context(small))
    return Message(text=cut("\n".join([*texts, small]).replace("*", ""), 3400), blocks=fitted(blocks))


def render_history(found: Sequence[Override]) -> Message:
    """What was changed and set back, the newest first."""
    head = "*Settings changed at run time*, the newest first"
    if not found:
        text = "Nothing was ever changed at run time; everything is as the file says."
        return Message(text=text, blocks=(section(text),))
    lines = [_past(each) for each in found]
    blocks = [section(head), *[section("\n".join(lines[n : n + 5])) for n in range(0, len(lines), 5)]]
    return Message(text=cut("\n".join([head, *lines]).replace("*", ""), 3400), blocks=fitted(blocks))


def render_yaml(text: str) -> Message:
    """What to paste into the file."""
    if not text:
        return render_history(())
    if len(text) > _YAML:
        long = "It is too long for here: `tocsin overrides --yaml` prints it."
        return Message(text=long, blocks=(section(long),))
    head = "To put into tocsin.yml; then take the changes back, or leave them: they say the same."
    return Message(
        text=f"{head}\n{escape(text)}", blocks=(section(head), preformatted("tocsin.yml", text, _YAML))
    )


def small_print(override: Override, now_in_file: tuple[bool, Any]) -> str:
    """A change in the small print of what it changes: `threshold cpu_percent 90, file says 80, set by …`."""
    says = f"file says {_value(*now_in_file)}" if now_in_file[0] else "file does not say"
    name = _short(override.path)
    return f"{name} {_value(True, override.value)}, {says}, set by {person(override.by)} {when(override.at)}"


def with_changes(message: Message, lines: Sequence[str]) -> Message:
    """A message with what was changed at run time in its small print."""
    if not lines:
        return message
    text = ":wrench: Changed at run time: " + "; ".join(lines[:5])
    return Message(
        text=cut(f"{message.text}\n{text}", 3500),
        blocks=fitted([*message.blocks, context(text)]),
        body=message.body,
    )


def _short(path: str) -> str:
    """`threshold cpu_percent`, `severity`."""
    if ".thresholds." in path:
        return f"threshold {code(path.rpartition('.thresholds.')[2])}"
    return code(path.rpartition(".")[2].strip('"'))


def _line(override: Override, now_in_file: tuple[bool, Any]) -> str:
    says = _file_words(*now_in_file)
    since = f"{person(override.by)}, {when(override.at)}"
    moved = ""
    if now_in_file != (override.in_file, override.file_value):
        moved = f" (it said {_value(override.in_file, override.file_value)} when this was set)"
    return (
        f"*{code(override.path)}* = {_value(True, override.value)} · {says}{moved} · {since}{_why(override)}"
    )


def _past(override: Override) -> str:
    what = f"{code(override.path)} = {_value(True, override.value)}{_why(override)}"
    line = f"#{override.id} {when(override.at)} {person(override.by)}: {what}"
    if override.reverted_at is None:
        return f"{line} · holds"
    word = "replaced by" if override.replaced else "taken back by"
    return f"{line} · {word} {person(override.reverted_by)} {when(override.reverted_at)}"


def _did(override: Override) -> str:
    if override.value is None:
        return f"took away {code(override.path)}"
    return f"set {code(override.path)} to {_value(True, override.value)}"


def _why(override: Override) -> str:
    return f", because {outside(override.reason, 300)}" if override.reason else ""


def _file_words(there: bool, value: Any) -> str:
    return f"the file says {_value(there, value)}" if there else "the file does not say"


def _value(there: bool, value: Any) -> str:
    return code(plain(value), 300) if there and value is not None else "nothing"


def plain(value: Any) -> str:
    """A value on one line, as people write it in YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {plain(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(plain, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _revert(override: Override) -> Block:
    return button("Revert", "override:revert", str(override.id))
