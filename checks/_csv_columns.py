"""What the cells of a CSV column must be, and the first thing wrong with a row."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["string", "integer", "number", "boolean", "date", "datetime", "enum"]
Bound = int | float | str | None

_INTEGER = re.compile(r"[+-]?[0-9]{1,100}")
_TRUTHS = frozenset({"true", "false", "yes", "no", "1", "0", "t", "f", "y", "n"})
_WORDS: dict[str, str] = {
    "integer": "an integer", "number": "a number", "boolean": "true or false", "date": "a date",
    "datetime": "a date and time",
}  # fmt: skip


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or "_" in text:
        raise ValueError
    return number


def _boolean(text: str) -> str:
    return _one_of(text.lower(), _TRUTHS)


def _one_of(text: str, values: frozenset[str]) -> str:
    if text not in values:
        raise ValueError
    return text


def _formatted(text: str, form: str) -> datetime:
    return datetime.strptime(text, form)  # noqa: DTZ007  (whether it names a zone is the format's affair)


_PARSERS: dict[str, Callable[[str], Any]] = {
    "string": str, "integer": _integer, "number": _number, "boolean": _boolean,
    "date": date.fromisoformat, "datetime": datetime.fromisoformat,
}  # fmt: skip


class Column(BaseModel):
    """One column: its kind alone (`integer`), a list of what it may be, or these keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Kind = Field("string", description="string, integer, number, boolean, date, datetime or enum")
    nullable: bool = Field(False, description="Cells may be empty")
    required: bool = Field(True, description="The header must name the column")
    values: list[str] | None = Field(None, description="The only values an enum may have")
    format: str | None = Field(
        None, description="strptime's directives for a date or datetime; ISO 8601 without"
    )

    @model_validator(mode="before")
    @classmethod
    def _in_short(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"type": value}
        if isinstance(value, list):
            return {"type": "enum", "values": [str(item) for item in value]}
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.type == "enum") != (self.values is not None):
            raise ValueError("an enum needs the values it may have, and only an enum has them")
        if self.format and self.type not in ("date", "datetime"):
            raise ValueError("only a date or a datetime has a format")
        return self

    def parser(self) -> Callable[[str], Any]:
        """What makes a value of a cell that is not empty, or raises ValueError."""
        if self.format:
            as_given = partial(_formatted, form=self.format)
            return as_given if self.type == "datetime" else lambda text: as_given(text).date()
        return (
            partial(_one_of, values=frozenset(self.values))
            if self.values is not None
            else _PARSERS[self.type]
        )

    @property
    def wanted(self) -> str:
        """What a wrong cell is not: `an integer`."""
        if self.values is not None:
            return "one of " + ", ".join(self.values[:5]) + (", …" if len(self.values) > 5 else "")
        return _WORDS.get(self.type, "a text")


NUMBER = Column.model_validate("number")


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the most a value may be; None for no bound."""

    least: Any
    most: Any

    @classmethod
    def of(cls, bounds: Sequence[Bound], column: Column) -> Range:
        """Bounds as the column's values. Raises ValueError when they are not of its kind."""
        parse = column.parser()
        return cls(*(None if bound is None else _comparable(parse(str(bound))) for bound in bounds))

    def fault(self, value: Any) -> str | None:
        """`is under 0`, `is over 500`, or None."""
        value = _comparable(value)
        if self.least is not None and value < self.least:
            return f"is under {self.least}"
        return f"is over {self.most}" if self.most is not None and value > self.most else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Where a column stands in a row and what it must be."""

    index: int
    name: str
    column: Column
    range: Range | None
    parse: Callable[[str], Any]

    @classmethod
    def at(cls, index: int, name: str, column: Column | None, bounds: Sequence[Bound] | None) -> Cell:
        """The column at a place; one that has only a range is a column of numbers."""
        column = column or NUMBER
        limits = Range.of(bounds, column) if bounds else None
        return cls(index=index, name=name, column=column, range=limits, parse=column.parser())

    def fault(self, cells: Sequence[str]) -> tuple[str, str] | None:
        """What is wrong, in general and for this row, or None."""
        text = cells[self.index].strip()
        if not text:
            return None if self.column.nullable else (f"{self.name} is empty", f"{self.name} is empty")
        try:
            value = self.parse(text)
        except (ValueError, OverflowError):
            what = f"not {self.column.wanted}"
            return f"{self.name} is {what}", f"{self.name} is {_shown(text)}, {what}"
        if self.range is not None and (outside := self.range.fault(value)):
            return f"{self.name} {outside}", f"{self.name} is {_shown(text)}, which {outside}"
        return None


def _comparable(value: Any) -> Any:
    """Times without a zone beside those with one: taken as UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
