"""What is wrong in tocsin.yml: where it is, why, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

_LONGEST = 400  # characters of a sentence
Path = tuple[str | int, ...]


class Place(NamedTuple):
    """Where something is written, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing to mend. `line` and `column` count from 1; `suggestion` ends the printed sentence."""

    file: str
    path: str
    line: int
    column: int
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " + (f"{_shortened(self.path)}: " if self.path else "")
        end = f"; {_shortened(self.suggestion)}" if self.suggestion else ""
        return _printable(where + _shortened(self.message) + end)


class ConfigInvalid(Exception):
    """tocsin.yml cannot be used. Holds every mistake found, in the order of the file."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes), key=lambda m: (m.line, m.column, m.path, m.message)))
        super().__init__(describe(self.mistakes))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _printable(text: str) -> str:
    """One line without signs that a terminal would obey."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def describe(mistakes: Iterable[Mistake]) -> str:
    """The mistakes as people read them: one a line, file and line first for editors to jump to."""
    return "\n".join(str(mistake) for mistake in mistakes)


def format_path(path: Path) -> str:
    """`checks.backend.every`, `alerts[2].condition`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
