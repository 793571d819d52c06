"""What a result may carry, so that no check can fill the memory or the database of all the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sized
from dataclasses import replace
from itertools import islice
from typing import Any

from checks.result import CheckResult, Diagnostic, State, Value

MOST_FIELDS = 200
MOST_PARTS = 1000
_MOST_DIAGNOSTICS = 10
_MOST_VALUES = 2000  # in all lists and mappings of one result's fields together
_LONGEST_SUMMARY = 2000
_LONGEST_TEXT = 8000
_LONGEST_NAME = 200
_DEEPEST = 8


def bounded(result: object, most_parts: int = MOST_PARTS) -> CheckResult:
    """The result as far as it can be kept; its summary says what was left out.

    Raises TypeError when it is no result at all, and whatever its own mappings raise.
    """
    if not isinstance(result, CheckResult):
        raise TypeError(f"it gave a {type(result).__name__} instead of a result")
    left_out: list[str] = []
    parts = [_one(part, []) for part in _first(result.parts, most_parts, "parts", left_out)]
    return replace(_one(result, left_out), parts=tuple(parts))


def _one(result: CheckResult, left_out: list[str]) -> CheckResult:
    if not isinstance(result.state, State):
        raise TypeError(f"it gave {text_of(result.state)[:60]!r} instead of a state")
    room = _Room(_MOST_VALUES)
    items = _first(result.fields.items(), MOST_FIELDS, "fields", left_out)
    diagnostics = _first(result.diagnostics, _MOST_DIAGNOSTICS, "diagnostics", left_out)
    told = f" (kept are {', '.join(left_out)})" if left_out else ""
    return CheckResult(
        state=result.state,
        summary=text_of(result.summary)[: _LONGEST_SUMMARY - len(told)] + told,
        fields={text_of(name)[:_LONGEST_NAME]: room.value(value) for name, value in items},
        diagnostics=tuple(
            Diagnostic(title=text_of(each.title)[:_LONGEST_NAME], text=text_of(each.text)[:_LONGEST_TEXT])
            for each in diagnostics
        ),
        remedy=None if result.remedy is None else text_of(result.remedy)[:_LONGEST_SUMMARY],
        resource=None if result.resource is None else text_of(result.resource)[:300],
    )


def _first(items: Iterable[Any], most: int, what: str, left_out: list[str]) -> list[Any]:
    kept = list(islice(items, most + 1))
    if len(kept) > most:
        of = f" of {len(items):,}" if isinstance(items, Sized) else ""
        left_out.append(f"{most:,}{of} {what}")
    return kept[:most]


class _Room:
    """How many values may still be kept. Lists shared within themselves would have no end otherwise."""

    def __init__(self, most: int) -> None:
        self._left = most

    def value(self, value: Any, depth: int = 0) -> Value:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return value if -(2**63) <= value < 2**63 else None
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if not isinstance(value, Mapping | list | tuple):
            return text_of(value)[:_LONGEST_TEXT]
        if depth >= _DEEPEST:
            return "…"
        if isinstance(value, Mapping):
            items = value.items()
            return {text_of(k)[:_LONGEST_NAME]: self.value(v, depth + 1) for k, v in self._taken(items)}
        return [self.value(item, depth + 1) for item in self._taken(value)]

    def _taken(self, items: Iterable[Any]) -> Iterable[Any]:
        for item in items:
            if self._left <= 0:
                return
            self._left -= 1
            yield item


def text_of(value: object) -> str:
    """The value as text, even when it refuses to be one."""
    if isinstance(value, str):
        return value
    try:
        return str(value)
    except Exception:  # noqa: BLE001  (a value's own code)
        return f"a {type(value).__name__}"
