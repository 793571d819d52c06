"""Whether a file is there in time, how old and how large it is."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from checks._due import DueTimes, Phase, TimeOfDay
from checks._found_files import FoundFile, Search, file_fields, unreadable
from checks._threads import in_thread
from checks.options import CheckContext, CheckOptions, format_duration, parse_duration
from checks.result import CheckResult, State

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)?", re.IGNORECASE)
_BYTES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}


def parse_size(value: Any) -> int:
    """Bytes, from a number or `10KB`, `5MB`. Raises ValueError with an example when it is neither."""
    match = _SIZE.fullmatch(str(value).strip())
    if isinstance(value, bool) or match is None:
        raise ValueError(f"{value!r} is not a size; write a number of bytes, or one such as 10KB or 5MB")
    return round(float(match[1]) * _BYTES[(match[2] or "B").upper()])


Size = Annotated[int, BeforeValidator(parse_size)]


class FileOptions(CheckOptions):
    """What checks on files have in common."""

    path: str = Field(
        min_length=1,
        description="Path with strftime's %Y-%m-%d and such in the team's time zone, and with * ? [] **; "
        "of several files the newest counts",
    )
    due: TimeOfDay | None = Field(
        None,
        description='Local time from which the file is expected ("11:31"); before it the check is pending',
    )
    missing_after: TimeOfDay | None = Field(
        None, description="Local time after which its absence is critical; `due` when not given"
    )

    def search(self, context: CheckContext) -> Search:
        """Where to look, and when it counts."""
        times = DueTimes(self.due, self.missing_after)
        return Search(path=self.path, times=times, zone=context.timezone)


class Options(FileOptions):
    """A file that must be there, or must be there by a time of day."""

    min_size: Size = Field(0, description="Smaller is critical: bytes, or 10KB, 5MB; 1 refuses empty files")

    def field_names(self) -> frozenset[str]:
        return frozenset({"exists", "count", "size_bytes", "age_hours", "age_minutes", "newest"})

    def build(self, context: CheckContext) -> FileCheck:
        return FileCheck(self, context)


class FileCheck:
    """Looks for the file and judges only its presence in time and its least size."""

    def __init__(self, options: Options, context: CheckContext) -> None:
        self._options, self._context = options, context
        self._search = options.search(context)

    async def run(self) -> CheckResult:
        now = self._context.clock()
        turn = self._search.turn(now)
        try:
            found = await in_thread(self._context.threads, partial(self._search.find, turn))
        except OSError as error:
            return unreadable(error, self._search.pattern(turn))
        if found is None:
            return self._search.absent(turn)
        fields = file_fields(found, now)
        if turn.phase is Phase.EARLY:
            return CheckResult(state=State.PENDING, summary=self._search.absent(turn).summary, fields=fields)
        small = found.size < self._options.min_size
        return CheckResult(
            state=State.CRITICAL if small else State.OK,
            summary=self._too_small(found) if small else _there(found, float(str(fields["age_minutes"]))),
            fields=fields,
        )

    def timed_out(self, seconds: float) -> CheckResult:
        """The result when the caller's deadline passed first: a file system that hangs."""
        summary = f"the file system of {self._options.path} gave no answer within {seconds:g} s"
        return CheckResult(state=State.UNKNOWN, summary=summary)

    def _too_small(self, found: FoundFile) -> str:
        if found.size == 0:
            return f"{_name(found)} is empty"
        return f"{_name(found)} has {found.size:,} bytes, fewer than {self._options.min_size:,}"


def _there(found: FoundFile, age_minutes: float) -> str:
    several = f", newest of {found.count:,}" if found.count > 1 else ""
    age = format_duration(parse_duration(f"{int(age_minutes)}m"))
    return f"{_name(found)}: {found.size:,} bytes, {'just written' if age == '0s' else f'{age} old'}{several}"


def _name(found: FoundFile) -> str:
    return found.path.rsplit("/", 1)[-1]
