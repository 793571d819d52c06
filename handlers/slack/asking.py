"""What people write after a command, read kindly: words in any order, and a clear answer to nonsense."""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.run import RunStatus
from bot.domain.run_filter import LONGEST_TEXT, MOST_RUNS, MOST_TEXTS, RunFilter
from bot.domain.schedule import local_day, local_instant, local_month
from checks.options import parse_duration

_STATUSES = {
    "success": RunStatus.SUCCESS, "succeeded": RunStatus.SUCCESS, "ok": RunStatus.SUCCESS,
    "error": RunStatus.ERROR, "errors": RunStatus.ERROR, "failed": RunStatus.ERROR, "failure": RunStatus.ERROR,
    "fail": RunStatus.ERROR, "timeout": RunStatus.TIMEOUT, "timeouts": RunStatus.TIMEOUT,
    "log": RunStatus.LOG,
}  # fmt: skip
_TOKEN = re.compile(r"[\"“”„]([^\"“”„]*)[\"“”„]|(\S+)")
_MOST_CHOICES = 5
_SURE, _LIKELY = 0.84, 0.6

Span = tuple[datetime | None, datetime | None]


class NotUnderstood(Exception):
    """A question that cannot be read; the message says which word, and what would be understood.

    `choices` are whole questions that may have been meant.
    """

    def __init__(self, message: str, choices: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.choices = tuple(choices[:_MOST_CHOICES])


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsQuestion:
    """What /logs was asked. `unknown` are the words that were no job, status or time, and so are searched for."""

    wanted: RunFilter
    unknown: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    """What was understood so far."""

    job: str | None = None
    status: RunStatus | None = None
    span: Span = (None, None)
    limit: int = 10
    texts: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def parse_logs(text: str, jobs: Sequence[str], now: datetime, zone: ZoneInfo) -> LogsQuestion:
    """`[job] [status] [time] [number] ["text"]` in any order; other words are searched for. Raises NotUnderstood."""
    text = html.unescape(text).replace("`", "")
    found = _Reading()
    for quoted, word in _TOKEN.findall(text):
        if quoted.strip():
            found.texts.append(quoted.strip())
        elif word:
            _read(word, found, text, jobs, now, zone)
    texts = [*found.texts, *found.unknown]
    if len(texts) > MOST_TEXTS or any(len(each) > LONGEST_TEXT for each in texts):
        raise NotUnderstood(
            f"I search for up to {MOST_TEXTS} words or quoted texts of {LONGEST_TEXT} characters each"
        )
    since, until = found.span
    wanted = RunFilter(
        job=found.job,
        status=found.status,
        since=since,
        until=until,
        texts=tuple(texts),
        limit=found.limit,
    )
    return LogsQuestion(wanted=wanted, unknown=tuple(found.unknown))


def parse_length(text: str, usual: timedelta, most: timedelta) -> timedelta:
    """How far to look back: `7d`, `24h`, the usual when nothing is said, at most what is kept. Raises NotUnderstood."""
    word = html.unescape(text).strip().strip("`").removeprefix("--days").strip()
    if not word:
        return min(usual, most)
    try:
        length = parse_duration(f"{word}d" if word.isdecimal() else word)
    except ValueError:
        raise NotUnderstood(f"{word[:40]!r} is no length of time; write one such as 7d or 24h") from None
    if length < timedelta(hours=1):
        raise NotUnderstood(f"{word[:40]!r} is too short; write an hour or more, such as 24h")
    return min(length, most)


def _read(word: str, found: _Reading, text: str, jobs: Sequence[str], now: datetime, zone: ZoneInfo) -> None:
    if word.lower() in _STATUSES:
        found.status = _STATUSES[word.lower()]
    elif re.fullmatch(r"\d+", word):
        found.limit = _limit(word)
    elif (span := _span(word.lower(), now, zone)) is not None:
        found.span = span
    elif found.job is None and (job := _job(word, text, jobs)) is not None:
        found.job = job
    elif word in jobs:
        raise NotUnderstood(f"I do not understand {word!r}: the job is {found.job!r} already")
    else:
        found.unknown.append(word)


def _limit(word: str) -> int:
    if len(word) > 6 or not 1 <= int(word) <= MOST_RUNS:
        raise NotUnderstood(f"I can show 1 to {MOST_RUNS} runs at once, not {word[:20]}")
    return int(word)


def _span(word: str, now: datetime, zone: ZoneInfo) -> Span | None:
    """`24h` and `10:30` reach until now; a day is that day; `a..b` is both and between; None for no time at all."""
    first, dots, last = word.partition("..")
    if not dots:
        return _moment(word, now, zone)
    start = _moment(first, now, zone) if first else (None, None)
    end = _moment(last, now, zone) if last else (None, None)
    if start is None or end is None:
        return None
    since, until = start[0], end[1] or end[0]
    if since is not None and until is not None and since >= until:
        raise NotUnderstood(f"{word!r} ends before it begins")
    return since, until


def _moment(word: str, now: datetime, zone: ZoneInfo) -> Span | None:
    """`24h`, `today`, `yesterday`, `2026-11-20`, `2026-11-20T06:00`, `10:30`; None when it is none of these."""
    if word in ("today", "yesterday"):
        return local_day(now, zone, 0 if word == "today" else -1)
    if re.match(r"\d{4}-\d\d-\d\d", word):
        return _date(word, zone)
    if re.fullmatch(r"\d{1,2}:\d\d", word):
        try:
            wall = datetime.combine(now.astimezone(zone).date(), time.fromisoformat(word.zfill(5)))
        except ValueError:
            raise NotUnderstood(f"{word!r} is no time of day") from None
        return local_instant(wall, zone), None
    try:
        length = parse_duration(word)
    except ValueError:
        return None
    if not timedelta(0) < length <= timedelta(days=4000):
        raise NotUnderstood(f"{word!r} is too long ago")
    return now - length, None


def _date(word: str, zone: ZoneInfo) -> Span:
    """A day, or the instant that is written with its time."""
    try:
        found = datetime.fromisoformat(word.upper())
        instant = found if found.tzinfo else local_instant(found, zone)
        return local_day(instant, zone) if len(word) == len("2026-11-20") else (instant, None)
    except (ValueError, OverflowError):
        raise NotUnderstood(f"{word!r} is no date I know; write one such as 2026-11-20") from None


def parse_month(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The start of the month that is meant: `2026-10`, `this`, or the last one for nothing. Raises NotUnderstood."""
    word = text.strip().lower().removesuffix(" month")
    if word in ("", "last", "this"):
        return local_month(now, zone, 0 if word == "this" else -1)[0]
    match = re.fullmatch(r"(20\d\d)-(0?[1-9]|1[0-2])", word)
    if match is None:
        raise NotUnderstood(f"{text.strip()[:60]!r} is no month I know; write one such as 2026-10")
    start = local_instant(datetime(int(match[1]), int(match[2]), 1), zone)  # noqa: DTZ001
    if start > now:
        raise NotUnderstood(f"{text.strip()[:60]!r} has not begun yet")
    return start


def _job(word: str, text: str, jobs: Sequence[str]) -> str | None:
    """The job of that name, or the only one that begins so; None for a word that is no job's."""
    if word in jobs:
        return word
    beginning = [name for name in jobs if name.lower().startswith(word.lower())]
    if len(beginning) == 1:
        return beginning[0]
    near = beginning or difflib.get_close_matches(word, jobs, n=3, cutoff=0.75)
    if not near:
        return None
    choices = ["logs " + text.replace(word, name, 1) for name in near]
    if beginning:
        raise NotUnderstood(f"{word[:80]!r} could be {listed(beginning)}", choices)
    quoted = f'To search for that text, write "{word[:80]}" in quotes.'
    raise NotUnderstood(f"There is no job {word[:80]!r}. Did you mean {listed(near)}? {quoted}", choices)


def find_name(text: str, names: Sequence[str]) -> str | list[str]:
    """The check or job that is meant, or those it may be, the likeliest first; none when nothing is like it.

    A name itself, in any case; the only one that begins with the text or holds it; else one that is spelled
    much like it.
    """
    wanted = html.unescape(text).strip().strip("`\"“”'").lower()
    by_lower = {name.lower(): name for name in reversed(names)}
    if wanted in by_lower:
        return by_lower[wanted]
    for fits in (str.startswith, str.__contains__):
        found = [name for lower, name in by_lower.items() if fits(lower, wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            return sorted(found)
    near = difflib.get_close_matches(wanted, by_lower, n=_MOST_CHOICES, cutoff=_LIKELY)
    sure = [name for name in near if difflib.SequenceMatcher(None, wanted, name).ratio() >= _SURE]
    if len(sure) == 1:
        return by_lower[sure[0]]
    return [by_lower[name] for name in near]


def listed(names: Sequence[str]) -> str:
    """`a`, `b` or `c`; many are cut short."""
    shown = ", ".join(f"`{name}`" for name in names[:10])
    return f"{shown} and others" if len(names) > 10 else " or ".join(shown.rsplit(", ", 1))
