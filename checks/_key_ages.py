"""How old the keys of a Redis are, by what they hold or by when they were last used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from checks._times import as_instant

NAMES_OF_TIMES = (
    "acquired_at", "locked_at", "started_at", "created_at", "timestamp", "acquired", "created", "started",
    "time", "ts", "at",
)  # fmt: skip
_AHEAD = timedelta(days=1)  # a clock may differ; anything further is no past instant
_SLACK = timedelta(seconds=2)  # Redis counts idle time in whole seconds


def instant_in(value: bytes, now: datetime) -> datetime | None:
    """The instant a lock's value tells: epoch seconds or milliseconds, ISO 8601, or JSON that has one."""
    text = value.decode("utf-8", "replace").strip().strip('"')
    instant = as_instant(text) or as_instant(_number(text))
    if instant is None and text.startswith("{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return None
        instant = instant_among(document) if isinstance(document, dict) else None
    return instant if instant and instant <= now + _AHEAD else None


def instant_among(document: Mapping[str, Any]) -> datetime | None:
    """The first of the usual names that holds an instant."""
    for name in NAMES_OF_TIMES:
        value = document.get(name)
        instant = as_instant(value) or (as_instant(_number(value)) if isinstance(value, str) else None)
        if instant:
            return instant
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Known:
    since: datetime
    looked: datetime


class Ages:
    """What is known of keys from earlier runs.

    Reading a value counts as a use and sets its idle time back to zero, so a key is read once, and again only
    after somebody else used it. The rest is in the idle time, which can be asked for without a use.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, _Known] = {}

    def needs_reading(self, key: bytes, idle: timedelta, now: datetime) -> bool:
        """Whether the value may have changed since it was read."""
        known = self._known.get(key)
        return known is None or now - idle > known.looked + _SLACK

    def learn(self, key: bytes, told: datetime | None, idle: timedelta, now: datetime) -> None:
        """Note what a value told, or without that when it was last used."""
        self._known[key] = _Known(told or now - idle, now)

    def since(self, key: bytes) -> datetime:
        """The instant a key dates from."""
        return self._known[key].since

    def forget_others(self, keys: set[bytes]) -> None:
        """Keep only keys that still exist."""
        self._known = {key: known for key, known in self._known.items() if key in keys}
