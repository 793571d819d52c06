"""What people write after a command, read kindly: words in any order, and a clear answer to nonsense."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.blocks.runs import RunFilter
from bot.domain.run import RunStatus
from bot.domain.schedule import local_day, local_instant
from checks.options import parse_duration

_STATUSES = {
    "success": RunStatus.SUCCESS, "succeeded": RunStatus.SUCCESS, "ok": RunStatus.SUCCESS,
    "error": RunStatus.ERROR, "errors": RunStatus.ERROR, "failed": RunStatus.ERROR, "failure": RunStatus.ERROR,
    "fail": RunStatus.ERROR, "timeout": RunStatus.TIMEOUT, "timeouts": RunStatus.TIMEOUT,
}  # fmt: skip
_MOST = 50


class NotUnderstood(Exception):
    """A question that cannot be read; the message says which word, and what would be understood."""


def parse_logs(text: str, jobs: Sequence[str], now: datetime, zone: ZoneInfo) -> RunFilter:
    """`[job] [status] [since] [limit]` in any order. Raises NotUnderstood."""
    job, status, since, limit = None, None, None, 10
    for word in text.replace("`", "").split():
        lower = word.lower()
        if lower in _STATUSES:
            status = _STATUSES[lower]
        elif re.fullmatch(r"\d+", word):
            limit = _limit(word)
        elif (instant := _since(lower, now, zone)) is not None:
            since = instant
        elif job is None:
            job = _job(word, jobs)
        else:
            raise NotUnderstood(f"I do not understand {word!r}: the job is {job!r} already")
    return RunFilter(job=job, status=status, since=since, limit=limit)


def _limit(word: str) -> int:
    if len(word) > 6 or not 1 <= int(word) <= _MOST:
        raise NotUnderstood(f"I can show 1 to {_MOST} runs at once, not {word[:20]}")
    return int(word)


def _since(word: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """`24h`, `today`, `yesterday`, `2026-11-20`, `2026-11-20T06:00`; None when it is none of these."""
    if word in ("today", "yesterday"):
        return local_day(now, zone, 0 if word == "today" else -1)[0]
    if re.match(r"\d{4}-\d\d-\d\d", word):
        try:
            found = datetime.fromisoformat(word)
        except ValueError:
            raise NotUnderstood(f"{word!r} is no date I know; write one such as 2026-11-20") from None
        return found if found.tzinfo else local_instant(found, zone)
    if re.fullmatch(r"\d{1,2}:\d\d", word):
        try:
            wall = datetime.combine(now.astimezone(zone).date(), time.fromisoformat(word.zfill(5)))
        except ValueError:
            raise NotUnderstood(f"{word!r} is no time of day") from None
        return local_instant(wall, zone)
    try:
        length = parse_duration(word)
    except ValueError:
        return None
    if not timedelta(0) < length <= timedelta(days=4000):
        raise NotUnderstood(f"{word!r} is too long ago")
    return now - length


def _job(word: str, jobs: Sequence[str]) -> str:
    """The job of that name, or the only one that begins so."""
    if word in jobs:
        return word
    beginning = [name for name in jobs if name.lower().startswith(word.lower())]
    if len(beginning) == 1:
        return beginning[0]
    if beginning:
        raise NotUnderstood(f"{word[:80]!r} could be {_choices(beginning)}")
    near = difflib.get_close_matches(word, jobs, n=3, cutoff=0.5)
    if near:
        raise NotUnderstood(f"There is no job {word[:80]!r}. Did you mean {_choices(near)}?")
    known = f"The jobs are {_choices(sorted(jobs)[:10])}." if jobs else "No job has reported yet."
    raise NotUnderstood(f"There is no job {word[:80]!r}. {known}")


def _choices(names: Sequence[str]) -> str:
    return " or ".join(", ".join(f"`{name}`" for name in names).rsplit(", ", 1))


def closest_word(word: str, words: Sequence[str]) -> str | None:
    """The word that was meant, if one is near enough."""
    return next(iter(difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)), None)
