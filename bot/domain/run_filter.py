"""Which runs somebody wants to see, and a page of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.run import Run, RunStatus

Cursor = tuple[datetime, int]
"""A place in the order of runs: when one ended, and its number."""

MOST_RUNS = 50
MOST_TEXTS = 5
LONGEST_TEXT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Runs that ended in [since, until) and hold each of `texts`, whatever their case.

    They follow `before` towards older ones, or `after` towards newer ones; else they are the newest.
    """

    job: str | None = None
    status: RunStatus | None = None
    since: datetime | None = None
    until: datetime | None = None
    texts: tuple[str, ...] = ()
    limit: int = 10
    before: Cursor | None = None
    after: Cursor | None = None
    ended: bool = False
    """Only runs that ended, nothing that a job said meanwhile."""

    def older(self, place: Cursor) -> RunFilter:
        """The runs beyond a place, towards older ones."""
        return replace(self, before=place, after=None)

    def newer(self, place: Cursor) -> RunFilter:
        """The runs beyond a place, towards newer ones."""
        return replace(self, before=None, after=place)

    def newest(self) -> RunFilter:
        """The first page."""
        return replace(self, before=None, after=None)

    def dump(self) -> str:
        """For a button's value, within its 2000 characters."""
        values = {
            "job": self.job,
            "status": self.status,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "texts": self.texts or None,
            "limit": self.limit,
            "before": _dumped(self.before),
            "after": _dumped(self.after),
        }
        wanted = {name: value for name, value in values.items() if value is not None}
        return json.dumps(wanted, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> RunFilter:
        """What `dump` wrote. Raises ValueError for anything else."""
        try:
            values = json.loads(text)
            return cls(
                job=values.get("job"),
                status=RunStatus(values["status"]) if "status" in values else None,
                since=datetime.fromisoformat(values["since"]) if "since" in values else None,
                until=datetime.fromisoformat(values["until"]) if "until" in values else None,
                texts=tuple(str(each)[:LONGEST_TEXT] for each in values.get("texts", ())[:MOST_TEXTS]),
                limit=min(max(int(values["limit"]), 1), MOST_RUNS),
                before=_cursor(values.get("before")),
                after=_cursor(values.get("after")),
            )
        except (AttributeError, LookupError, TypeError, OverflowError) as error:
            raise ValueError("not a page of runs") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """Some runs, newest first, with the places beyond which more that fit lie; None at an end.

    `searched_to` says where a search for text stopped before it had read everything.
    """

    runs: Sequence[Run]
    older: Cursor | None
    newer: Cursor | None
    searched_to: Cursor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many runs fit; at least so many where it is not `exact`."""

    number: int
    exact: bool


def _dumped(cursor: Cursor | None) -> list[str | int] | None:
    return None if cursor is None else [cursor[0].isoformat(), cursor[1]]


def _cursor(value: Sequence[str] | None) -> Cursor | None:
    return None if value is None else (datetime.fromisoformat(value[0]), int(value[1]))
