"""`/tocsin set host.cpu_percent 90 because …` in words: a path, a value, a reason."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

from bot.config.override_paths import format_parts
from bot.config.overriding import Unfit, parse_value
from handlers.slack.asking import NotUnderstood

_QUOTES = str.maketrans("“”„«»‘’", '"""""\'\'')
_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s"])+')
_BECAUSE = re.compile(r"(?:^|\s)(?:because|weil)\b:?\s*", re.IGNORECASE)
_KINDS = ("check", "job", "rule")
_OFF = ("off", "none", "nothing", "null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to be set. A value of None takes away what the file says."""

    path: str
    value: Any
    reason: str | None


def parse_set(text: str) -> Wish:
    """What follows `set`. Raises NotUnderstood."""
    said, reason = _reason(_cleaned(text))
    path, rest = _path(said)
    rest = re.sub(r"^(?:=|to\s)\s*", "", rest)
    if not rest:
        raise NotUnderstood(f"What should `{path[:100]}` be? Write the value after it.")
    return Wish(path=path, value=value_of(path, rest), reason=reason)


def parse_path(text: str) -> str:
    """What follows `unset`. Raises NotUnderstood."""
    path, rest = _path(_reason(_cleaned(text))[0])
    if rest:
        raise NotUnderstood(f"One path, please: after `{path[:100]}` stands {rest[:60]!r}.")
    return path


def value_of(path: str, text: str) -> Any:
    """A value in words; `off` is nothing at all. Raises NotUnderstood."""
    text = _cleaned(text)
    if text.lower() in _OFF:
        return False if path.endswith((".flapping", ".anomaly")) else None
    try:
        return parse_value(text)
    except Unfit as error:
        raise NotUnderstood(str(error)[:1].upper() + str(error)[1:]) from None


def _cleaned(text: str) -> str:
    return html.unescape(text).translate(_QUOTES).strip().strip("`").strip()


def _reason(text: str) -> tuple[str, str | None]:
    """What stands before the first `because` outside quotes, and the reason after it."""
    for found in _BECAUSE.finditer(text):
        if text[: found.start()].count('"') % 2 == 0:
            return text[: found.start()].strip(), text[found.end() :].strip() or None
    return text, None


def _path(text: str) -> tuple[str, str]:
    """The path that a text begins with, and the rest. `rule "Job failed" severity` is a path too."""
    first = _WORD.match(text)
    if first is None:
        raise NotUnderstood("What should be changed?")
    word, rest = first[0], text[first.end() :].strip()
    if word.lower() not in _KINDS:
        return word, rest
    name = _WORD.match(rest)
    if name is None:
        raise NotUnderstood(f"Which {word.lower()}? Write its name.")
    rest = rest[name.end() :].strip()
    parts = [word.lower(), name[0].strip('"')]
    key = _WORD.match(rest)
    is_key = key is not None and re.fullmatch(r"[a-z_]\w*(?:\.[\w.]+)?", key[0]) and key[0] not in _OFF
    if key is not None and is_key:
        return f"{format_parts(parts)}.{key[0]}", rest[key.end() :].strip()
    return format_parts(parts), rest
