"""Conditions in CEL: compiled once, asked of fields, with an answer for what is missing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any

import cel

_FUNCTIONS = frozenset(
    {"size", "contains", "startsWith", "endsWith", "matches", "int", "uint", "double", "string", "bytes"}
    | {"timestamp", "duration", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek"}
    | {"getDayOfYear", "getHours", "getMinutes", "getSeconds"}
)
_LONGEST = 10_000
_DEEPEST = 200  # brackets; the parser recurses, and a hostile expression must not exhaust its stack


class Outcome(Enum):
    """What a condition says of some fields. `NOT_APPLICABLE`: it needs a field that is not there."""

    TRUE = "true"
    FALSE = "false"
    NOT_APPLICABLE = "not applicable"


class ConditionError(ValueError):
    """An expression that is not CEL, or that cannot be calculated; the message says where and what to write."""


class Condition:
    """A compiled CEL expression.

    Names the fields lack make it not applicable, unless the rest decides alone (`a && b` is false when `b`
    is, whatever `a` would have been), as the CEL specification has it. Language: cel.dev.
    """

    __slots__ = ("_program", "source", "variables")

    def __init__(self, source: str) -> None:
        self.source = source
        if len(source) > _LONGEST or _depth(source) > _DEEPEST:
            raise ConditionError("the condition is too long or too deeply nested to be read")
        try:
            self._program = cel.compile(source)
        except ValueError as error:
            raise ConditionError(_syntax_message(source, str(error))) from None
        self.variables: frozenset[str] = frozenset(self._program.variables())
        unknown = {name for name in self._program.functions() if name.isidentifier()} - _FUNCTIONS
        if unknown := {name for name in unknown if not name.startswith("_")}:
            raise ConditionError(f"{source!r} calls {min(unknown)}(), which there is none of")

    def __repr__(self) -> str:
        return f"Condition({self.source!r})"

    def evaluate(self, fields: Mapping[str, Any]) -> Outcome:
        """True, false or not applicable. Raises ConditionError for what can never be calculated."""
        value = self.value(fields)
        if value is None:
            return Outcome.NOT_APPLICABLE
        if not isinstance(value, bool):
            raise ConditionError(
                f"the condition {self.source!r} gives {value!r}, not true or false; compare it with something"
            )
        return Outcome.TRUE if value else Outcome.FALSE

    def value(self, fields: Mapping[str, Any]) -> Any:
        """What the expression gives, or None when a field it needs is missing or null."""
        known = {name: to_cel(fields[name]) for name in self.variables if fields.get(name) is not None}
        try:
            return self._program.execute(known)
        except (RuntimeError, LookupError):  # an undeclared name, a key or an index that is not there
            return None
        except ZeroDivisionError:
            return None
        except (TypeError, ValueError, OverflowError) as error:
            if any(_holds_nothing(value) for value in known.values()):
                return None
            raise ConditionError(_type_message(self.source, str(error))) from None


def _depth(source: str) -> int:
    depth = deepest = 0
    for sign in source:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    return deepest


@cache
def compile_condition(source: str) -> Condition:
    """The condition, compiled once a text. Raises ConditionError."""
    return Condition(source)


def to_cel(value: Any) -> Any:
    """Numbers become doubles, since CEL compares across number types but does not calculate across them."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): to_cel(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_cel(item) for item in value]
    return str(value)


def _holds_nothing(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_nothing(item) for item in value.values())
    return value is None or (isinstance(value, float) and math.isnan(value))


def _syntax_message(source: str, error: str) -> str:
    place = re.search(r"<input>:(\d+):(\d+): (.*)", error)
    shown = source if len(source) <= 200 else source[:200] + "…"
    if place is None:
        return f"{shown!r} is not a condition"
    column, problem = int(place[2]), place[3].split(" expecting ")[0].removeprefix("Syntax error: ")
    hint = ""
    if re.search(r"(?<![=!<>])=(?!=)", source):
        hint = "; write == to compare"
    elif re.search(r"\b(and|or|not)\b", source):
        hint = "; write && for and, || for or, ! for not"
    return f"{shown!r} is not a condition: at character {column}, {problem}{hint}"


_WHOLE_NUMBER = re.compile(r"(?<![\w.'\"])\d+(?![\w.])")


def _type_message(source: str, error: str) -> str:
    shown = source if len(source) <= 200 else source[:200] + "…"
    kinds = re.match(r"Unsupported operation: (\w+) . (\w+)", error)
    mixed = kinds is not None and {kinds[1], kinds[2]} == {"float", "int"}
    calculates = re.search(r"[-+*/%]", source) is not None and kinds is None
    if mixed or (calculates and _WHOLE_NUMBER.search(source) and not re.search(r"['\"]", source)):
        number = _WHOLE_NUMBER.search(source)
        example = f"{number[0]}.0" if number else "2.0"
        return f"{shown!r} calculates with a whole number; write it with a point: {example}"
    what = f": {kinds[1]} and {kinds[2]}" if kinds else ""
    return f"{shown!r} compares or calculates with values of different kinds{what}"
