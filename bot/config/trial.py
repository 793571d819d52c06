"""Conditions tried on sample values when the file is read, so that none fails first at night."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bot.domain.condition import Condition, ConditionError, compile_condition

_MEMBER = r"\b{name}\.([A-Za-z_]\w*)\b(?!\s*\()"
_BARE = re.compile(r"!*\s*[A-Za-z_][\w.]*(?:\[[^\[\]]*\])*")
_WHOLE = re.compile(r"(?<![\w.])\d+(?![\w.])")
_MODULO = re.compile(r"([A-Za-z_][\w.]*)\s*%")
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_SAMPLE = 1.5
_OPENING, _CLOSING = "([{", ")]}"


def try_condition(source: str) -> Condition:
    """The condition, compiled and tried. Raises ConditionError for what could never be calculated."""
    condition = compile_condition(source.strip())
    for part in parts_of(condition.source):
        value = _tried(part)
        if (
            value is not None
            and not isinstance(value, bool)
            and not _BARE.fullmatch(part)
            and "?" not in source
        ):
            raise ConditionError(
                f"{part!r} gives {_kind(value)}, not true or false; compare it with something"
            )
    return condition


def try_expression(source: str) -> Condition:
    """An expression that may give anything, compiled and tried. Raises ConditionError."""
    condition = compile_condition(source.strip())
    for part in parts_of(condition.source):
        _tried(part)
    return condition


def parts_of(source: str) -> Iterator[str]:
    """The comparisons in a condition, since `a && b` hides what is wrong with b while a is false."""
    text = source.strip().lstrip("!").strip() if source.strip().startswith("!") else source.strip()
    pieces = list(_split(text))
    if len(pieces) > 1:
        for piece in pieces:
            yield from parts_of(piece)
    elif text.startswith("(") and _closes_at(text) == len(text) - 1:
        yield from parts_of(text[1:-1])
    elif text:
        yield text


def _tried(part: str) -> Any:
    """What a part gives with a number for every name, or None when that cannot be known.

    Raises ConditionError only where another way of writing the same works: a name may stand for a text or a
    list as well, so a part that fails on numbers is not wrong for that alone.
    """
    try:
        return _calculate(part, _SAMPLE)
    except ConditionError:
        pass
    if _works(part, "text"):
        return None
    with_points = _replaced(_WHOLE, r"\g<0>.0", part)
    if with_points != part and _works(with_points, _SAMPLE):
        raise ConditionError(f"{part!r} calculates with a whole number; write {with_points}")
    with_whole = _replaced(_MODULO, r"int(\1) %", part)
    if with_whole != part and _works(with_whole, _SAMPLE):
        raise ConditionError(f"{part!r} divides with a rest, which needs whole numbers; write {with_whole}")
    return None


def _replaced(pattern: re.Pattern[str], replacement: str, part: str) -> str:
    """The part with a pattern replaced wherever it stands outside quotes."""
    pieces = _QUOTED.split(part)
    return "".join(
        piece if index % 2 else pattern.sub(replacement, piece) for index, piece in enumerate(pieces)
    )


def _calculate(part: str, sample: str | float) -> Any:
    condition = compile_condition(part)
    return condition.value({name: _sample(part, name, sample) for name in condition.variables})


def _works(part: str, sample: str | float) -> bool:
    try:
        _calculate(part, sample)
    except ConditionError:
        return False
    return True


def _sample(part: str, name: str, sample: str | float) -> Any:
    members = re.findall(_MEMBER.format(name=re.escape(name)), part)
    return dict.fromkeys(members, sample) if members else sample


def _split(text: str) -> Iterator[str]:
    """The text cut at &&, ||, ? and : outside brackets and quotes."""
    start = 0
    for index, width in _joints(text):
        yield text[start:index]
        start = index + width
    yield text[start:]


def _joints(text: str) -> Iterator[tuple[int, int]]:
    depth, skip = 0, 0
    for index, sign in _outside_quotes(text):
        if index < skip:
            continue
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if depth == 0 and text[index : index + 2] in {"&&", "||"}:
            skip = index + 2
            yield index, 2
        elif depth == 0 and sign in "?:":
            yield index, 1


def _closes_at(text: str) -> int:
    depth = 0
    for index, sign in _outside_quotes(text):
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if depth == 0:
            return index
    return -1


def _outside_quotes(text: str) -> Iterator[tuple[int, str]]:
    quote, escaped = "", False
    for index, sign in enumerate(text):
        if escaped:
            escaped = False
        elif quote:
            escaped = sign == "\\"
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        else:
            yield index, sign


def _kind(value: Any) -> str:
    return "a number" if isinstance(value, int | float) else "a text" if isinstance(value, str) else "a value"
