"""What people write after `/tocsin silence`, read kindly: what, for how long, why."""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.config.trial import try_condition
from bot.domain.alert import Alert
from bot.domain.condition import ConditionError
from bot.domain.observation import SourceKind
from bot.domain.schedule import local_instant
from bot.silencing import LONGEST
from checks.options import parse_duration
from handlers.slack.asking import NotUnderstood, listed

_QUOTED = re.compile(r"^(?:\"([^\"]+)\"|`([^`]+)`)\s*(.*)$", re.DOTALL)
_CURLY = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"})
_KINDS = ("check", "job", "resource", "rule", "category")
_EVERYTHING = ("all", "everything", "*")
_CEL = re.compile(r"[=<>!&|()\[\]]")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_LONGEST_REASON = 1000

Known = Mapping[str, Sequence[str]]
"""Names that alerts can have, by kind: check, job, resource, rule, category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for. `ends_at` None: not said yet, so a window asks."""

    match: str
    ends_at: datetime | None = None
    reason: str | None = None


def known_names(found: Iterable[Alert]) -> Known:
    """The names that some alerts have."""
    names: dict[str, set[str]] = {kind: set() for kind in _KINDS}
    for alert in found:
        firing = alert.firing
        if firing.source.kind in (SourceKind.CHECK, SourceKind.JOB):
            names[firing.source.kind.value].add(firing.source.name)
        names["resource"].add(firing.resource)
        names["rule"].add(firing.rule)
        names["category"].add(firing.category)
    return {kind: sorted(each) for kind, each in names.items()}


def parse_silence(text: str, known: Known, now: datetime, zone: ZoneInfo) -> Wanted:
    """`backend 2h deploying`, `"severity == 'low'" 30m tuning`, `web-* until 18:00`. Raises NotUnderstood."""
    text = html.unescape(text).translate(_CURLY).strip()
    if quoted := _QUOTED.match(text):
        what, words = quoted[1] or quoted[2], quoted[3].split()
        place = 0
    else:
        words = text.split()
        place = next((n for n, word in enumerate(words) if n and _begins_time(word)), len(words))
        what = " ".join(words[:place])
    if not what:
        raise NotUnderstood("Say what to silence, such as `backend 2h deploying`")
    ends_at, rest = _ends_at(words[place:], now, zone)
    asked = " ".join(words[place:])
    return Wanted(
        match=parse_match(what, known, asked),
        ends_at=ends_at,
        reason=" ".join(rest)[:_LONGEST_REASON] or None,
    )


def parse_match(what: str, known: Known, rest: str = "") -> str:
    """A condition, or the name of something, as a condition that was tried. Raises NotUnderstood."""
    what = html.unescape(what).translate(_CURLY).strip()
    if what.lower() in _EVERYTHING:
        return "true"
    if not _CEL.search(what) and what != "true":
        return _named(what.strip("`\"'"), known, rest)
    try:
        return try_condition(what).source
    except ConditionError as error:
        raise NotUnderstood(str(error)) from None


def parse_end(length: str, now: datetime, zone: ZoneInfo) -> datetime:
    """When a silence ends that is to last `2h` or until `18:00`. Raises NotUnderstood."""
    words = length.split()
    if words and not _begins_time(words[0]):
        words = ["until", *words]
    ends_at, rest = _ends_at(words, now, zone)
    if ends_at is None or rest:
        raise NotUnderstood(f"{length[:40]!r} is no time; write one such as 2h or 18:00")
    return ends_at


def _begins_time(word: str) -> bool:
    if word.lower() in ("until", "till", "for"):
        return True
    try:
        parse_duration(word)
    except ValueError:
        return False
    return True


def _ends_at(words: Sequence[str], now: datetime, zone: ZoneInfo) -> tuple[datetime | None, Sequence[str]]:
    """When it ends, and the words after that; None when no time is said."""
    if not words:
        return None, words
    first, *rest = words
    if first.lower() in ("until", "till"):
        if not rest:
            raise NotUnderstood("Until when? Write a time such as `until 18:00`")
        return _within(_instant(rest[0], now, zone), now), rest[1:]
    if first.lower() == "for" and rest:
        first, *rest = rest
    try:
        length = parse_duration(first)
        return _within(now + length, now), rest
    except OverflowError:
        raise NotUnderstood("A silence lasts 366 days at most") from None
    except ValueError:
        return None, words


def _within(ends_at: datetime, now: datetime) -> datetime:
    if ends_at <= now:
        raise NotUnderstood("That is over already; write a time to come, such as `2h` or `until 18:00`")
    if ends_at > now + LONGEST:
        raise NotUnderstood("A silence lasts 366 days at most")
    return ends_at


def _instant(word: str, now: datetime, zone: ZoneInfo) -> datetime:
    """`18:00`, today or else tomorrow; `2026-11-20T18:00`."""
    if found := _CLOCK.fullmatch(word):
        wall = datetime.combine(now.astimezone(zone).date(), datetime.min.time())
        wall += timedelta(hours=int(found[1]), minutes=int(found[2]))
        today = local_instant(wall, zone)
        return today if today > now else local_instant(wall + timedelta(days=1), zone)
    try:
        at = datetime.fromisoformat(word)
    except ValueError:
        raise NotUnderstood(
            f"{word[:40]!r} is no time; write one such as `18:00` or `2026-11-20T18:00`"
        ) from None
    return at if at.tzinfo else local_instant(at, zone)


def _named(name: str, known: Known, rest: str) -> str:
    """The condition that is about what has this name."""
    kind, colon, plain = name.partition(":")
    if colon and kind.lower() in _KINDS:
        known, name = {kind.lower(): known.get(kind.lower(), ())}, plain.strip()
    if name.endswith("*"):
        return _beginning(name[:-1], known)
    by_name: dict[str, tuple[str, list[str]]] = {}
    for each in _KINDS:
        for found in known.get(each, ()):
            by_name.setdefault(found.lower(), (found, []))[1].append(each)
    wanted = name.lower()
    fits = [wanted] if wanted in by_name else [key for key in by_name if key.startswith(wanted)]
    if len(fits) == 1:
        return _condition(*by_name[fits[0]])
    near = fits or difflib.get_close_matches(wanted, by_name, n=5, cutoff=0.6)
    choices = [f"silence {_choice(*by_name[key])} {rest}".strip() for key in near]
    names = [by_name[key][0] for key in near]
    if fits:
        raise NotUnderstood(
            f"{name[:80]!r} could be {listed(names)}. For all that begin so, write `{name[:80]}*`", choices
        )
    if near:
        raise NotUnderstood(f"Nothing is named {name[:80]!r}. Did you mean {listed(names)}?", choices)
    raise NotUnderstood(
        f"Nothing is named {name[:80]!r}. Name a check, job, resource, rule or category, "
        "or write a condition such as `\"severity == 'low'\"`"
    )


def _beginning(start: str, known: Known) -> str:
    """Everything of a kind, or of any, whose name begins so."""
    kinds = [
        kind for kind in _KINDS if any(each.lower().startswith(start.lower()) for each in known.get(kind, ()))
    ]
    if not start or not kinds:
        raise NotUnderstood(f"Nothing has a name that begins with {start[:80]!r}")
    return " || ".join(f"{kind}.startsWith({_literal(start)})" for kind in kinds)


def _condition(name: str, kinds: Sequence[str]) -> str:
    if "check" in kinds and "job" in kinds:
        return f"name == {_literal(name)}"
    return f"{kinds[0]} == {_literal(name)}"


def _choice(name: str, kinds: Sequence[str]) -> str:
    """A name as it can be asked for, whatever other names begin with it."""
    return f'"{kinds[0]}:{name}"' if " " in name else f"{kinds[0]}:{name}"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
