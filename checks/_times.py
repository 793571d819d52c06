"""Instants as documents write them: ISO 8601, or seconds or milliseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")
_EPOCH = (1_000_000_000, 4_000_000_000)  # 2001 to 2096: what lies outside is a quantity, not an instant


def as_instant(value: object) -> datetime | None:
    """The instant a value stands for, or None when it is none. A time without a zone is UTC."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        for scale in (1, 1000):
            if _EPOCH[0] <= value / scale < _EPOCH[1]:
                return datetime.fromtimestamp(value / scale, UTC)
        return None
    if not isinstance(value, str) or not _ISO.fullmatch(value.strip()):
        return None
    try:
        instant = datetime.fromisoformat(value.strip())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
