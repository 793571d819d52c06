"""Rows out of a CSV file in any state: what cannot be read is one row's fault, never an error."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

LONGEST_LINE = 1_000_000  # characters
_MOST_LINES = 100  # of one row; a quote still open after that many was never meant to open
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = ",;\t|"
_UNDECODED = re.compile("[\udc80-\udcff]")


@dataclass(slots=True)
class Row:
    """The cells of a row, or what is wrong with it. `ended`: its last line ends as lines do."""

    line: int
    cells: list[str]
    fault: str | None = None
    ended: bool = True


class Lines:
    """Decoded lines, none longer than LONGEST_LINE, numbered from 1.

    Without an encoding given, a byte order mark decides, else UTF-8; a line that is not UTF-8 is read as
    Windows-1252, and `note` says so.
    """

    def __init__(self, file: BinaryIO, encoding: str | None) -> None:
        start = file.read(4)
        file.seek(0)
        found = next((name for bom, name in _BOMS if start.startswith(bom)), "utf-8")
        self.encoding = encoding or found
        self.note: str | None = None
        self.number = 0
        errors = "replace" if encoding or found.startswith(("utf-16", "utf-32")) else "surrogateescape"
        self._text = io.TextIOWrapper(file, self.encoding, errors=errors, newline="")
        self._returned: deque[str | None] = deque()

    def __iter__(self) -> Iterator[str | None]:
        return self

    def __next__(self) -> str | None:
        """The next line with its ending, or None for one too long to hold."""
        line = self._returned.popleft() if self._returned else self._read()
        self.number += 1
        return line

    def give_back(self, lines: list[str | None]) -> None:
        """Have lines that were taken come again."""
        self._returned.extendleft(reversed(lines))
        self.number -= len(lines)

    def _read(self) -> str | None:
        line = self._text.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        if len(line) == LONGEST_LINE and line[-1] not in "\r\n":
            while (rest := self._text.readline(LONGEST_LINE)) and rest[-1] not in "\r\n":
                pass
            return None
        return line if line.isascii() else self._mended(line)

    def _mended(self, line: str) -> str:
        if _UNDECODED.search(line):
            line = line.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
            self._tell("is not UTF-8; such lines were read as Windows-1252")
        elif "\ufffd" in line:
            self._tell(f"holds bytes that are not {self.encoding}")
        return line

    def _tell(self, what: str) -> None:
        self.note = self.note or f"line {self.number + 1} {what}"


class Rows:
    """The rows of a file, header included, blank lines left out."""

    def __init__(self, lines: Lines, delimiter: str) -> None:
        self._lines, self._delimiter = lines, delimiter

    def __iter__(self) -> Iterator[Row]:
        delimiter, lines = self._delimiter, self._lines
        for line in lines:
            if line is None:
                yield Row(lines.number, [], f"is longer than {LONGEST_LINE:,} characters")
            elif "\0" in line:
                yield Row(lines.number, [], "holds a NUL byte", line[-1] in "\r\n")
            elif '"' in line:
                yield self._quoted(line)
            elif bare := line.rstrip("\r\n"):
                yield Row(lines.number, bare.split(delimiter), None, len(bare) < len(line))

    def _quoted(self, line: str) -> Row:
        """A row with quotes, which may reach over several lines: until the quotes are even."""
        first, held = self._lines.number, [line]
        opened = line.count('"') % 2
        while opened:
            following = next(self._lines, None) if len(held) < _MOST_LINES else None
            if following is None:
                self._lines.give_back([*held[1:]])
                return Row(first, [], "opens a quote that is never closed", line[-1] in "\r\n")
            held.append(following)
            opened = (opened + following.count('"')) % 2
        try:
            cells = next(csv.reader(held, delimiter=self._delimiter, strict=True))
        except (csv.Error, StopIteration) as error:
            self._lines.give_back([*held[1:]])
            return Row(first, [], f"is badly quoted ({error})", held[0][-1] in "\r\n")
        return Row(first, cells, None, held[-1][-1] in "\r\n")


def detect_delimiter(line: str, columns: list[str]) -> str:
    """The sign that splits a header into most of the columns it should have, else into most parts."""

    def fitness(delimiter: str) -> tuple[int, int]:
        cells = [cell.strip().strip('"') for cell in line.strip().split(delimiter)]
        return sum(name in cells for name in columns), len(cells)

    return max(_DELIMITERS, key=fitness)
