"""One pass over a CSV file: how many rows are what they must be, and what is wrong with the rest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from threading import Event
from typing import BinaryIO

from checks._csv_columns import Bound, Cell, Column
from checks._csv_rows import Lines, Row, Rows, detect_delimiter
from checks._repeats import Repeats
from checks._threads import AbandonedError

MOST_EXAMPLES = 10
_MOST_REASONS = 1000
_PAUSE = 1024  # rows between two looks at whether anybody still waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a file must look like."""

    columns: Mapping[str, Column]
    unique: Sequence[str]
    ranges: Mapping[str, Sequence[Bound]]
    delimiter: str | None
    encoding: str | None
    header: bool


@dataclass(slots=True, kw_only=True)
class Reading:
    """What one pass found. Rows without an end, which only the last can be, are counted as any other."""

    rows: int = 0
    invalid: int = 0
    duplicates: int = 0
    unended: bool = False
    unended_invalid: bool = False
    grown: bool = False
    empty: bool = False
    missing_columns: list[str] = field(default_factory=list)
    header_fault: str | None = None
    note: str | None = None
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[int, str]] = field(default_factory=list)

    def without_unended(self) -> Reading:
        """The same without the last row, for a file that is still being written."""
        if not self.unended:
            return self
        return replace(self, rows=self.rows - 1, invalid=self.invalid - self.unended_invalid)

    def reject(self, line: int, general: str, particular: str) -> None:
        """One more invalid row."""
        self.invalid += 1
        if general in self.reasons or len(self.reasons) < _MOST_REASONS:
            self.reasons[general] += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append((line, particular))


def read_csv(path: str, layout: Layout, abandoned: Event) -> Reading:
    """Read a whole file, in little memory whatever its size. Raises OSError."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        # The text layer closes what it wraps, so it gets a descriptor of its own.
        with os.fdopen(os.dup(file.fileno()), "rb") as own:
            reading = _Pass(layout, abandoned).read(own)
        reading.grown = os.fstat(file.fileno()).st_size > size
        return reading


class _Pass:
    """What one pass keeps between rows."""

    def __init__(self, layout: Layout, abandoned: Event) -> None:
        self._layout, self._abandoned = layout, abandoned
        self._reading = Reading()
        self._repeats = Repeats()
        self._cells: list[Cell] = []
        self._keys: list[int] = []
        self._width = 0

    def read(self, file: BinaryIO) -> Reading:
        lines = Lines(file, self._layout.encoding)
        first = next(lines, "")
        if first != "":
            lines.give_back([first])
        delimiter = self._layout.delimiter or detect_delimiter(first or "", list(self._layout.columns))
        rows = iter(Rows(lines, delimiter))
        head = next(rows, None)
        try:
            if head is None:
                self._reading.empty = True
            elif self._begin(head):
                self._take_all(rows if self._layout.header else chain([head], rows))
        finally:
            self._repeats.close()
        self._reading.note = lines.note
        return self._reading

    def _begin(self, head: Row) -> bool:
        """Learn from the first row where the columns are; False when the rest cannot be understood."""
        layout = self._layout
        names = [cell.strip() for cell in head.cells] if layout.header else list(layout.columns)
        if layout.header and head.fault:
            self._reading.header_fault = head.fault
            return False
        needed = [name for name, column in layout.columns.items() if column.required]
        needed += [name for name in (*layout.unique, *layout.ranges) if name not in layout.columns]
        self._reading.missing_columns = [name for name in needed if name not in names]
        self._width = len(names) or len(head.cells)
        if self._reading.missing_columns:
            return False
        places = {name: index for index, name in reversed(list(enumerate(names)))}
        self._keys = [places[name] for name in layout.unique]
        self._cells = [
            Cell.at(places[name], name, layout.columns.get(name), layout.ranges.get(name))
            for name in {**layout.columns, **layout.ranges}
            if name in places
        ]
        return True

    def _take_all(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._take(row)
            if self._reading.rows % _PAUSE == 0:
                self._pause()
        if self._keys:
            self._count_repeats()

    def _take(self, row: Row) -> None:
        reading = self._reading
        reading.rows += 1
        fault = self._fault(row)
        if not row.ended:
            reading.unended, reading.unended_invalid = True, fault is not None
            fault = ("the last line is cut off", f"is cut off: {fault[1]}") if fault else None
        if fault:
            reading.reject(row.line, *fault)
        elif self._keys:
            self._repeats.add("\x1f".join([row.cells[index].strip() for index in self._keys]), row.line)

    def _fault(self, row: Row) -> tuple[str, str] | None:
        if row.fault:
            return row.fault, row.fault
        if len(row.cells) != self._width:
            count = len(row.cells)
            columns = f"{count} column{'s' if count != 1 else ''}"
            return "wrong number of columns", f"has {columns}, {self._width} expected"
        for cell in self._cells:
            if fault := cell.fault(row.cells):
                return fault
        return None

    def _count_repeats(self) -> None:
        reading = self._reading
        reading.duplicates, lines = self._repeats.count(self._pause)
        if reading.duplicates:
            key = ", ".join(self._layout.unique)
            reading.invalid += reading.duplicates
            reading.reasons[f"repeats an earlier {key}"] = reading.duplicates
            told = [(line, f"repeats an earlier {key}") for line in lines]
            reading.examples = sorted(reading.examples + told)[:MOST_EXAMPLES]

    def _pause(self) -> None:
        if self._abandoned.is_set():
            raise AbandonedError
