"""How a value is read as a text, and how a message names it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from checks.options import format_duration


def text_of(value: Any) -> str:
    """The text of a single value; empty for nothing, true, false and what holds others."""
    return "" if value is None or isinstance(value, bool | dict | list) else str(value).strip()


def shown_as(value: Any) -> str:
    """A value as a sentence names it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, int | float):
        return str(value)[:40]
    text = str(value)
    return f'"{text[:80]}…"' if len(text) > 80 else f'"{text}"'
