"""Keeping secrets out of what people read: every summary and diagnostic passes through here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

_HIDDEN = "***"
_SHORTEST_LITERAL = 6  # shorter values are words such as "test", and hiding them would blot out the text

_NAME = (
    r"pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|company[_-]?key"
    r"|authorization|signature|credential|session[_-]?id|cookie"
)
_SENSITIVE = re.compile(rf"(?i){_NAME}|(?:^|[_-])(?:key|auth|sig)$")
_VALUE = r""""(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s"'&,;<>{}()\[\]]+"""

# Repetitions are bounded, so that a hostile body cannot make any of these take longer than a read of it.
_PATTERNS = (
    (re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END|\Z)[A-Z -]*", re.S), _HIDDEN),
    (re.compile(r"(?im)^((?:proxy-)?authorization|(?:set-)?cookie):.*$"), rf"\1: {_HIDDEN}"),
    (re.compile(r"([a-zA-Z][\w+.-]{0,20}://)[^\s/?#\"'<>@]{0,500}@"), rf"\1{_HIDDEN}@"),
    (re.compile(r"(hooks\.slack\.com/\w{1,20}/)[\w/-]+"), rf"\1{_HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {_HIDDEN}"),
    (
        re.compile(
            r"\b(?:xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{10,}"
            r"|sk[-_][\w-]{16,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|eyJ[\w-]{8,}\.[\w.-]{8,})"
        ),
        _HIDDEN,
    ),
    (
        re.compile(
            rf"""(?i)(["']?(?<!\w)[\w.-]{{0,40}}?(?:{_NAME})[\w-]{{0,40}}["']?\s{{0,4}}[:=]\s{{0,4}})"""
            rf"""(?!(?:true|false|null|none)\b)(?:{_VALUE})"""
        ),
        rf"\1{_HIDDEN}",
    ),
    (re.compile(r"(?i)([?&](?:key|sig|auth|code|pass|pw)=)[^&\s\"'#<>]+"), rf"\1{_HIDDEN}"),
)  # fmt: skip


def is_sensitive(name: str) -> bool:
    """Whether a header, a parameter or a setting of this name holds a secret."""
    return _SENSITIVE.search(name) is not None


def masked(text: str, known: Iterable[str] = ()) -> str:
    """The text with whatever looks like a secret hidden, and every `known` one wherever it stands."""
    for secret in known:
        text = text.replace(secret, _HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def secrets_of(url: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets in a URL and its headers, longest first: what `masked` must find in a target's echo."""
    parts = urlsplit(url)
    values = [unquote(parts.password or "")]
    for name, _, value in (pair.partition("=") for pair in parts.query.split("&")):
        if is_sensitive(name):
            values += [value, unquote(value)]
    for name, value in headers.items():
        if is_sensitive(name):
            values += [value, value.partition(" ")[2]]
    return tuple(sorted({v for v in values if len(v) >= _SHORTEST_LITERAL}, key=len, reverse=True))
