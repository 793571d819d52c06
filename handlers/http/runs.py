"""Runs as they are posted: the format of requirement FY3, one object, an array or a line each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from bot.domain.run import Run, RunStatus, Start
from handlers.http.answers import HALF, mistakes

MOST_RUNS = 10_000
_AHEAD = timedelta(days=1)
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")


class BodyUnreadable(ValueError):
    """A body that is not JSON; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What was posted. `several`: a list or lines, even when there is one; `lines`: where each item stands."""

    items: Sequence[Any]
    several: bool
    lines: Sequence[int] = ()

    def place(self, position: int) -> dict[str, int]:
        """Where an item is found again by who sent it, from 1."""
        return {"line": self.lines[position]} if self.lines else {"item": position + 1}


def _utc(value: Any) -> Any:
    """An instant without a zone is UTC, as the format says."""
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
            utc = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValueError("write an instant such as 2026-11-20T06:00:00.000Z") from None
        if utc < _FIRST:
            raise ValueError("is before the year 2000; write an instant such as 2026-11-20T06:00:00.000Z")
        return utc
    raise ValueError("write an instant such as 2026-11-20T06:00:00.000Z")


def _storable(text: str) -> str:
    """A name without what databases cannot keep; left out, it could be taken for another."""
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(HALF)
    return text


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class Reported(StrEnum):
    """What a line may say of a run: that it has begun, or how it ended."""

    STARTED = "STARTED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    TIMEOUT = "TIMEOUT"


class RunPayload(BaseModel):
    """One line. Any further field is kept, and rules see it."""

    model_config = ConfigDict(extra="allow")

    job_name: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
        AfterValidator(_storable),
    ]
    status: Annotated[Reported, BeforeValidator(_upper)]
    timestamp: Annotated[AwareDatetime, BeforeValidator(_utc)] | None = None
    run_id: Annotated[str, AfterValidator(_storable)] | None = Field(None, min_length=1, max_length=200)
    duration_seconds: float | None = Field(None, ge=0, le=1e9, allow_inf_nan=False)
    exit_code: int | None = Field(None, ge=-1000, le=100_000)
    log_level: str | None = Field(None, max_length=16)

    def report(self, now: datetime) -> Run | Start:
        """The run, or its start; one without a timestamp, or from a clock far ahead, is of now."""
        at = (
            now if self.timestamp is None or self.timestamp > now + _AHEAD else self.timestamp.astimezone(UTC)
        )
        job = self.job_name.strip()
        if self.status in (Reported.STARTED, Reported.RUNNING):
            return Start(job=job, rid=self.run_id, at=at)
        status = RunStatus(self.status.value)
        level = (self.log_level or ("INFO" if status is RunStatus.SUCCESS else "ERROR")).upper()
        return Run(
            run_id=self.run_id,
            job=job,
            status=status,
            level=level,
            finished_at=at,
            duration_seconds=self.duration_seconds,
            exit_code=self.exit_code,
            fields=self.model_extra or {},
        )


def parse_body(body: bytes, content_type: str = "") -> Body:
    """One object, a list, or a line each. Raises BodyUnreadable."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BodyUnreadable(f"the body is not UTF-8 (byte {error.start})") from None
    if content_type in NDJSON:
        return _lines(text)
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        found = _lines(text)
        if len(found.items) < 2:
            raise BodyUnreadable(f"the body is not JSON: {error.msg} at character {error.pos}") from None
        return found
    except RecursionError:
        raise BodyUnreadable("the body is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise BodyUnreadable(f"the body cannot be read: {error}") from None
    return Body(items=whole, several=True) if isinstance(whole, list) else Body(items=[whole], several=False)


def _lines(text: str) -> Body:
    found = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(found) > MOST_RUNS:  # refused as a whole, so none need be read
        return Body(items=found, several=True)
    return Body(items=[_line(line) for _, line in found], several=True, lines=[number for number, _ in found])


def _line(line: str) -> Any:
    """A line of NDJSON; one that is broken is refused by itself."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return BodyUnreadable(f"not JSON: {line.strip()[:80]}")


def parse_run(item: Any, now: datetime) -> Run | Start | list[dict[str, str]]:
    """A run, a start, or what is wrong with each of its fields: `path` and `message`."""
    if isinstance(item, BodyUnreadable):
        return [{"path": "", "message": str(item)}]
    if not isinstance(item, Mapping):
        return [{"path": "", "message": 'a run is an object such as {"job_name": …, "status": "SUCCESS"}'}]
    try:
        return RunPayload.model_validate(item).report(now)
    except ValidationError as error:
        return mistakes(error)
