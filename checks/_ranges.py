"""Whole numbers a person expects: `200-299`, `2xx`, `<500`, `>=1`, several with commas."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_COMPARISON = re.compile(r"(<=|>=|==|=|<|>)\s*(\d+)")
_SPAN = re.compile(r"(\d+)\s*(?:-|–|\.\.)\s*(\d+)")
_CLASS = re.compile(r"([1-9])xx", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ranges:
    """A set of whole numbers, as its text says."""

    text: str
    spans: tuple[tuple[float, float], ...]

    def __contains__(self, number: float) -> bool:
        return any(low <= number <= high for low, high in self.spans)

    def __str__(self) -> str:
        return self.text


def parse_ranges(value: Any) -> Ranges:
    """From a number, a text or a list of either. Raises ValueError with examples."""
    if isinstance(value, Ranges):
        return value
    items = value if isinstance(value, list | tuple) else [value]
    texts = [part.strip() for item in items for part in str(item).split(",")]
    if isinstance(value, bool) or not texts:
        raise _not_ranges(value)
    return Ranges(", ".join(texts), tuple(_span(text, value) for text in texts))


def _span(text: str, whole: Any) -> tuple[float, float]:
    if match := _COMPARISON.fullmatch(text):
        number = int(match[2])
        return {
            "<": (-math.inf, number - 1),
            "<=": (-math.inf, number),
            ">": (number + 1, math.inf),
            ">=": (number, math.inf),
        }.get(match[1], (number, number))
    if match := _SPAN.fullmatch(text):
        return int(match[1]), int(match[2])
    if match := _CLASS.fullmatch(text):
        return int(match[1]) * 100, int(match[1]) * 100 + 99
    if text.isdecimal():
        return int(text), int(text)
    raise _not_ranges(whole)


def _not_ranges(value: Any) -> ValueError:
    return ValueError(
        f"{value!r} is not a number or a range of them; write one such as 200, 200-299, <500 or >=1"
    )


RangesSetting = Annotated[
    Ranges,
    BeforeValidator(parse_ranges),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "array"}]}),
]
