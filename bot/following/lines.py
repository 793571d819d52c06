"""The lines of a file from a position on, however they are cut, and how a file is known again.

Everything here is asked of an open file by `pread`, so that no position but the given one counts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

LONGEST = 1024 * 1024
"""Bytes of a line; the rest of a longer one is passed over."""
MOST_LINES = 256
_CHUNK = 128 * 1024
_MOST_CHUNKS = 64
_HEAD = 1024
_TAIL = 256
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n\0"  # zeros: what a writer leaves that did not notice that its file was truncated


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a file is read. `origin` is what its runs are known by: the same wherever the file goes.

    `line` counts the line ends before `offset`, `tail` tells the last bytes before it, `generation` how often
    the file was emptied and written anew, `skipping` that the offset lies within a line that is too long.
    """

    origin: str
    offset: int = 0
    line: int = 0
    tail: str = ""
    generation: int = 0
    skipping: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Position:
        return Position(**value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that is not blank; without `raw` it was too long."""

    number: int
    offset: int
    raw: bytes | None


@dataclass(slots=True)
class _Cut:
    """Lines as they are cut out of what was read."""

    at: Position
    lines: list[Line] = field(default_factory=list)


def head_of(file: int) -> str | None:
    """What a file is known by: its first line, or as much of that as counts; None until there is so much."""
    start = os.pread(file, _HEAD, 0)
    line, end, _ = start.removeprefix(_BOM).lstrip(_BLANK).partition(b"\n")
    line = line.rstrip(_BLANK)
    if not line and len(start) < _HEAD:
        return None
    if not end and len(start) < _HEAD and not _is_whole(line):
        return None
    return hashlib.sha256(line).hexdigest()[:24]


def continues(file: int, position: Position) -> bool:
    """Whether what was read is still what stands before the position."""
    return os.fstat(file).st_size >= position.offset and _tail(file, position.offset) == position.tail


def read_lines(file: int, position: Position, *, last: bool = False) -> tuple[list[Line], Position]:
    """Up to MOST_LINES lines from a position on, and the position after them.

    A line counts once it has its end, or is a whole JSON object without it. `last`: nothing will be added to
    the file, so that what stands at its end is a line as well.
    """
    cut = _Cut(position)
    for _ in range(_MOST_CHUNKS):
        before = cut.at.offset
        size = _CHUNK
        data = os.pread(file, size, before)
        if b"\n" not in data and len(data) == size:
            size = LONGEST
            data = os.pread(file, size, before)
        _cut_lines(cut, data, ended=len(data) < size, last=last)
        if cut.at.offset == before or len(cut.lines) >= MOST_LINES:
            break
    if cut.at.offset == position.offset:
        return cut.lines, cut.at
    return cut.lines, replace(cut.at, tail=_tail(file, cut.at.offset))


def _cut_lines(cut: _Cut, data: bytes, *, ended: bool, last: bool) -> None:
    base, start, number, skipping = cut.at.offset, 0, cut.at.line, cut.at.skipping
    while len(cut.lines) < MOST_LINES and (end := data.find(b"\n", start)) >= 0:
        number += 1
        if not skipping:
            _add(cut, number, base + start, data[start:end])
        skipping, start = False, end + 1
    if len(cut.lines) < MOST_LINES:
        rest = data[start:]
        if skipping:
            start = len(data)
        elif ended:
            if last or _is_whole(rest.strip(_BLANK)):
                _add(cut, number + 1, base + start, rest)
                start = len(data)
        elif not rest.strip(b"\0"):
            start = len(data)
        elif len(rest) >= LONGEST:
            cut.lines.append(Line(number=number + 1, offset=base + start, raw=None))
            start, skipping = len(data), True
    cut.at = replace(cut.at, offset=base + start, line=number, skipping=skipping)


def _add(cut: _Cut, number: int, offset: int, raw: bytes) -> None:
    if raw.strip(_BLANK):
        cut.lines.append(Line(number=number, offset=offset, raw=raw))


def parsed(raw: bytes) -> Any:
    """The JSON of a line. Raises ValueError, whose message says what it is instead."""
    raw = raw.strip(_BLANK).removeprefix(_BOM)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")  # an old program among others; its JSON is ASCII all the same
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        if raw.count(b"\0") > len(raw) // 4:
            raise ValueError("it is not UTF-8; let its program write UTF-8") from None
        raise ValueError(f"it is not JSON: {error.msg} at character {error.pos + 1}") from None
    except ValueError:  # a number of thousands of digits
        raise ValueError("it holds a number that is too long") from None


def shown(raw: bytes | None) -> str:
    """How a line begins."""
    return "" if raw is None else raw[:600].decode("utf-8", "replace").replace("\0", "")


def _is_whole(text: bytes) -> bool:
    """Whether it is a JSON object: no longer line begins with one."""
    if not text.startswith((b"{", _BOM)) or not text.endswith(b"}"):
        return False
    try:
        return isinstance(parsed(text), dict)
    except ValueError:
        return False


def _tail(file: int, offset: int) -> str:
    if offset == 0:
        return ""
    length = min(offset, _TAIL)
    return hashlib.sha256(os.pread(file, length, offset - length)).hexdigest()[:16]
