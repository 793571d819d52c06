"""Finding the file a pattern of today's date names, and saying what its absence means."""

from __future__ import annotations

import errno
import glob
import os
import stat
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from threading import Event

from checks._due import DueTimes, Phase, Turn
from checks._threads import AbandonedError
from checks.result import CheckResult, State, Value

_MOST_FILES = 100_000
_HOUR, _MINUTE = 3600.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """The newest file that fits a pattern, of `count` that do."""

    path: str
    size: int
    modified: float
    identity: tuple[int, int, int, int]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A path with strftime's directives and glob's signs, and when the file is due."""

    path: str
    times: DueTimes
    zone: tzinfo

    def turn(self, now: datetime) -> Turn:
        """The day whose file is looked for."""
        return self.times.turn(now, self.zone)

    def pattern(self, turn: Turn) -> str:
        """The path for that day."""
        return str(Path(turn.day.strftime(self.path)).expanduser())

    def find(self, turn: Turn, abandoned: Event) -> FoundFile | None:
        """The newest regular file. Raises OSError when a place cannot be looked into or is a directory.

        Where a day's file overwrites the last, one that was last written before that day is not there yet.
        """
        pattern = self.pattern(turn)
        found = [(name, status) for name in _names(pattern, abandoned) if (status := _status(name))]
        if not found:
            _refuse_directory(pattern)
            return None
        name, status = max(found, key=lambda item: (item[1].st_mtime_ns, item[0]))
        midnight = turn.day.replace(hour=0, minute=0, second=0, microsecond=0)
        overwritten = pattern == str(Path(self.path).expanduser())
        if (
            (self.times.due or self.times.missing_after)
            and overwritten
            and status.st_mtime < midnight.timestamp()
        ):
            return None
        return FoundFile(
            path=name,
            size=status.st_size,
            modified=status.st_mtime,
            identity=(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns),
            count=len(found),
        )

    def absent(self, turn: Turn) -> CheckResult:
        """The result when there is none."""
        name = os.path.basename(self.pattern(turn))
        fields: dict[str, Value] = {"exists": 0, "count": 0}
        due = f"due {self.times.due:%H:%M}" if self.times.due else "not due"
        match turn.phase:
            case Phase.EARLY:
                return CheckResult(state=State.PENDING, summary=f"{name} is {due}", fields=fields)
            case Phase.WAITING:
                return CheckResult(
                    state=State.PENDING, summary=f"{name}: {due}, not there yet", fields=fields
                )
        last = self.times.missing_after or self.times.due
        since = f" after {last:%H:%M}" if last else ""
        summary = f"{name} is missing{since}"
        return CheckResult(
            state=State.CRITICAL, summary=summary, fields=fields, remedy=_where(self.pattern(turn))
        )


def file_fields(found: FoundFile, now: datetime) -> dict[str, Value]:
    """The fields every found file has."""
    age = max(0.0, now.timestamp() - found.modified)
    return {
        "exists": 1,
        "count": found.count,
        "size_bytes": found.size,
        "age_hours": round(age / _HOUR, 4),
        "age_minutes": round(age / _MINUTE, 2),
        "newest": found.path,
    }


def unreadable(error: OSError, path: str) -> CheckResult:
    """The result when the check may not look, which says nothing of the file."""
    reason = (error.strerror or type(error).__name__).lower()
    return CheckResult(state=State.UNKNOWN, summary=f"{path} cannot be read: {reason}")


def _names(pattern: str, abandoned: Event) -> list[str]:
    if not glob.has_magic(pattern):
        return [pattern]
    names: list[str] = []
    for name in glob.iglob(pattern, recursive=True, include_hidden=False):
        if abandoned.is_set():
            raise AbandonedError
        names.append(name)
        if len(names) >= _MOST_FILES:
            break
    return names


def _status(name: str) -> os.stat_result | None:
    try:
        status = os.stat(name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _refuse_directory(pattern: str) -> None:
    if not glob.has_magic(pattern) and os.path.isdir(pattern):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


def _where(pattern: str) -> str:
    return f"look in {os.path.dirname(os.path.abspath(pattern))}"
