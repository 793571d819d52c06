"""Messages with `{field:format}` in them. Names only: nothing is called, no attribute is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_][\w]*(?:\.\w+)*)(?::([^{}]*))?\}")
# No `c`: it makes NUL and lone surrogates, which no database keeps.
_SAFE_SPEC = re.compile(r"[<>^=]?[+\- ]?[0,]?\d{0,2},?(?:\.\d{1,2})?[bdeEfFgGnosxX%]?")


def render(template: str, values: Mapping[str, Any], quote: Callable[[str], str] = str) -> str:
    """The template with its fields filled in; each value passes through `quote`.

    A field that is missing shows as `{name?}` and one that its format does not fit shows plainly, so that a
    mistake in a message never loses the alert.
    """

    def fill(match: re.Match[str]) -> str:
        name, spec = match[1], match[2]
        if name is None:
            return match[0][0]
        value = look_up(values, name)
        if value is None:
            return quote("{" + name + "?}")
        return quote(format_value(value, spec or ""))

    return _PLACEHOLDER.sub(fill, template)


def look_up(values: Mapping[str, Any], name: str) -> Any:
    """`a.b` finds the key as it is written, else `b` within `a`; None when there is none."""
    if name in values:
        return values[name]
    head, _, rest = name.partition(".")
    inner = values.get(head)
    return look_up(inner, rest) if rest and isinstance(inner, Mapping) else None


def format_value(value: Any, spec: str) -> str:
    """One value by a format specification; without one, numbers lose digits nobody reads."""
    if spec and _SAFE_SPEC.fullmatch(spec):
        try:
            return format(value, spec)
        except (ValueError, TypeError, OverflowError):
            pass
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return str(value)
        return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(format_value(item, "") for item in value)
    return str(value)


def placeholders(template: str) -> frozenset[str]:
    """The names a template asks for."""
    return frozenset(match[1] for match in _PLACEHOLDER.finditer(template) if match[1])
