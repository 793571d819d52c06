"""Which alert somebody means: by number, title words, rule, resource, check or job. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from bot.domain.alert import Alert

_NUMBER = re.compile(r"(?:alert\s*)?#\s*(\d{1,15})|(?:alert\s+)?(\d{1,15})", re.IGNORECASE)
_WORD = re.compile(r"[^\s\"'`“”„]+")


def number_meant(text: str) -> int | None:
    """The number in `#12`, `12` or `alert 12`; None where the text is no number."""
    found = _NUMBER.fullmatch(_plain(text))
    return int(found[1] or found[2]) if found else None


def alerts_meant(text: str, alerts: Sequence[Alert]) -> list[Alert]:
    """The alerts that fit the words, best first: open ones before others, the newest before older ones.

    Where a name (title, rule, resource, check, job) is the text itself, only those count; else where one begins so;
    else every word must be in the alert's names.
    """
    wanted = _plain(text).lower()
    if not wanted:
        return []
    ordered = sorted(alerts, key=lambda alert: (not alert.status.is_open, -alert.id))
    named = [(alert, _names(alert)) for alert in ordered]
    if found := [alert for alert, names in named if wanted in names]:
        return found
    if found := [alert for alert, names in named if any(name.startswith(wanted) for name in names)]:
        return found
    words = _WORD.findall(wanted)
    return [alert for alert, names in named if all(any(word in name for name in names) for word in words)]


def _names(alert: Alert) -> tuple[str, ...]:
    firing = alert.firing
    found = (firing.title, firing.rule, firing.resource, firing.source.name)
    return tuple(name.lower() for name in found)


def _plain(text: str) -> str:
    return html.unescape(text).strip().strip("`\"“”'").strip()
