"""What a log gives at once, and where reading goes on after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from bot.domain.run import Run, Start

LONG = timedelta(minutes=10)
"""A log that cannot be read for so long is told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A line or a row: what it reports, or else what is wrong with it."""

    place: str
    """In words: `/var/log/runs.jsonl, line 12`."""
    report: Run | Start | None
    dated: bool = True
    """Whether it says itself when it was."""
    problem: str = ""
    text: str = ""
    """How it begins, for a log that says why it was passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Lines or rows in their order. Once they are kept, `position` is that of `item`, a part of the log."""

    item: str
    found: Sequence[Found]
    position: Mapping[str, Any]
    more: bool
    """Whether to ask again at once."""


class CannotRead(Exception):
    """A log gives nothing at present; the message says why and what to do.

    `patience`: how long that may last before it counts as trouble.
    """

    def __init__(self, reason: str, *, patience: timedelta = timedelta(0)) -> None:
        super().__init__(reason)
        self.patience = patience


class Reader(Protocol):
    """A log to be read on. Keeps nothing that a restart would need."""

    place: str
    """Where it is, in words without a secret."""

    async def read(self, known: Mapping[str, Mapping[str, Any]], now: datetime) -> Batch | None:
        """What comes after the known positions; None when nothing does. Raises CannotRead."""
        ...

    def present(self) -> frozenset[str]:
        """The items that were there when it was last read."""
        ...

    async def close(self) -> None: ...
