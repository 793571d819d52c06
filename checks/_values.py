"""What a database column holds, as the values a result may carry."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from checks._times import as_instant
from checks.result import Value

_LONGEST_TEXT = 1000
_MOST_ITEMS = 100
_DEEPEST = 5
_HOUR = 3600.0


def row_fields(
    columns: Iterable[str], row: Iterable[Any] | None, now: datetime, zone: tzinfo
) -> dict[str, Value]:
    """One row as fields, with `<column>_age_hours` beside every column that is a time.

    Without a row every column is None. A column without a plain name gets one: `count(*)` becomes `count`.
    Times without a zone are taken as UTC, days as their midnight in `zone`.
    """
    names = [field_name(column) for column in columns][:_MOST_ITEMS]
    values = list(row)[:_MOST_ITEMS] if row is not None else [None] * len(names)
    fields: dict[str, Value] = {}
    for name, value in zip(names, values, strict=True):
        fields[name] = plain_value(value)
        if (instant := _instant(value, zone)) is not None:
            fields[f"{name}_age_hours"] = round((now - instant).total_seconds() / _HOUR, 4)
    return fields


def field_name(column: str) -> str:
    """A name that conditions can use: `count(*)` becomes `count`, `MAX(loaded_at)` `MAX_loaded_at`."""
    name = re.sub(r"\W+", "_", column).strip("_")
    return f"_{name}" if not name or name[0].isdigit() else name


def plain_value(value: Any, depth: int = 0) -> Value:
    """A driver's value as text, number, truth, list or mapping; what is no number (NaN, infinite) is None."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return _number(value)
        case str():
            return _shortened(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes() | bytearray() | memoryview():
            return _shortened(_text(bytes(value)))
        case Mapping() if depth < _DEEPEST:
            items = list(value.items())[:_MOST_ITEMS]
            return {str(key): plain_value(item, depth + 1) for key, item in items}
        case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
            return [plain_value(item, depth + 1) for item in list(value)[:_MOST_ITEMS]]
    return _shortened(str(value))


def _number(value: Decimal) -> int | float | None:
    if not value.is_finite():
        return None
    if value.adjusted() > 300:  # beyond what a double holds
        return None
    return int(value) if value == value.to_integral_value() and value.adjusted() < 18 else float(value)


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "0x" + value[: _LONGEST_TEXT // 2].hex()
    return text if text.isprintable() else "0x" + value[: _LONGEST_TEXT // 2].hex()


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _instant(value: Any, zone: tzinfo) -> datetime | None:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), zone).astimezone(UTC)
    return as_instant(value) if isinstance(value, str) else None
