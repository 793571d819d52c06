"""What `GET /api/v1/runs` may be asked, and how a run is written in its answer."""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.run import Run, RunStatus, summary
from bot.domain.run_filter import LONGEST_TEXT, MOST_TEXTS, Cursor, RunFilter
from checks.options import parse_duration

MOST_ITEMS = 500
_USUAL_ITEMS = 50
_NUMBER = re.compile(r"[0-9]{1,9}")
_LOST_PLUS = re.compile(r" (?=\d\d:?\d\d$)")  # a `+` of an address that was not written as %2B
_LONGEST_SPAN = timedelta(days=4000)


class QueryMistake(ValueError):
    """A parameter that cannot be read; the message names the remedy."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def parse_query(query: Mapping[str, str], now: datetime) -> RunFilter:
    """Which runs are wanted. Raises QueryMistake."""
    for name in query:
        if name not in _READERS:
            raise QueryMistake(name, _unknown(name))
    values = {name: _READERS[name](text, now) for name, text in query.items()}
    since, until = values.get("since"), values.get("until")
    if since is not None and until is not None and since >= until:
        raise QueryMistake("until", "lies before `since`; exchange the two")
    return RunFilter(
        job=values.get("job"),
        status=values.get("status"),
        since=since,
        until=until,
        texts=values.get("q", ()),
        limit=values.get("limit", _USUAL_ITEMS),
        **values.get("cursor", {}),
    )


def _unknown(name: str) -> str:
    remedies = {
        "state": "runs have no state; filter by `status` (SUCCESS, ERROR, TIMEOUT, LOG)",
        "severity": "runs have no severity; filter by `status` (SUCCESS, ERROR, TIMEOUT, LOG)",
    }
    near = difflib.get_close_matches(name, _READERS, n=1)
    known = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(_READERS)}"
    return remedies.get(name) or f"is not known; {known}"


def _job(text: str, _now: datetime) -> str:
    if not text.strip() or len(text) > 200 or "\0" in text:
        raise QueryMistake("job", "write the name of a job, of at most 200 characters")
    return text.strip()


def _status(text: str, _now: datetime) -> RunStatus:
    try:
        return RunStatus(text.upper())
    except ValueError:
        raise QueryMistake("status", f"is one of {', '.join(RunStatus)}") from None


def _instant(name: str) -> Callable[[str, datetime], datetime]:
    def read(text: str, now: datetime) -> datetime:
        try:
            found = datetime.fromisoformat(_LOST_PLUS.sub("+", text))
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        try:
            length = parse_duration(text)
        except ValueError:
            length = timedelta(0)
        if not timedelta(0) < length <= _LONGEST_SPAN:
            raise QueryMistake(
                name, "write an instant such as 2026-11-20T06:00:00Z, or a time ago such as 24h"
            )
        return now - length

    return read


def _texts(text: str, _now: datetime) -> tuple[str, ...]:
    """`"disk full" ssh` are two texts; a run must hold all of them."""
    found = [quoted or word for quoted, word in re.findall(r'"([^"]+)"|([^\s"]+)', text)]
    if (
        not found
        or len(found) > MOST_TEXTS
        or any(len(each) > LONGEST_TEXT or "\0" in each for each in found)
    ):
        raise QueryMistake(
            "q", f"write 1 to {MOST_TEXTS} words or quoted texts of at most {LONGEST_TEXT} characters each"
        )
    return tuple(found)


def _limit(text: str, _now: datetime) -> int:
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MOST_ITEMS:
        raise QueryMistake("limit", f"write a number from 1 to {MOST_ITEMS}")
    return int(text)


def write_cursor(place: Cursor | None, way: str) -> str | None:
    """A place to go on from, `before` it or `after` it; not for people to read."""
    if place is None:
        return None
    text = json.dumps([way, place[0].isoformat(), place[1]])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _cursor(text: str, _now: datetime) -> dict[str, Cursor]:
    try:
        padded = text + "=" * (-len(text) % 4)
        way, at, number = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        found = datetime.fromisoformat(at)
        if way not in ("before", "after") or found.tzinfo is None or type(number) is not int:
            raise ValueError
        if abs(number) >= 2**63:
            raise ValueError
    except (ValueError, TypeError, binascii.Error, RecursionError, OverflowError):
        raise QueryMistake(
            "cursor", "take it from `next` or `previous` of an answer, or leave it out"
        ) from None
    return {way: (found, number)}


_READERS: Mapping[str, Callable[[str, datetime], Any]] = {
    "job": _job,
    "status": _status,
    "since": _instant("since"),
    "until": _instant("until"),
    "q": _texts,
    "limit": _limit,
    "cursor": _cursor,
}


def written(run: Run) -> dict[str, Any]:
    """A run in the words in which runs are posted, its further fields apart."""
    return {
        "id": run.number,
        "run_id": run.run_id,
        "job_name": run.job,
        "status": run.status.value,
        "timestamp": instant(run.finished_at),
        "duration_seconds": run.duration_seconds,
        "exit_code": run.exit_code,
        "log_level": run.level,
        "summary": summary(run),
        "fields": dict(run.fields),
    }


def instant(at: datetime) -> str:
    """`2026-11-20T06:00:00.000Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
