"""The names that conditions over an alert may use: of routes, silences and remedies."""

from __future__ import annotations

from typing import Any

from bot.domain.alert import Alert
from bot.domain.observation import complete


def names_of(alert: Alert) -> dict[str, Any]:
    """The fields of what fired, and over them the alert's own words."""
    firing = alert.firing
    return {
        **complete(firing.fields),
        firing.source.kind.value: firing.source.name,
        "resource": firing.resource,
        "rule": firing.rule,
        "severity": firing.severity.word,
        "priority": firing.severity.priority,
        "category": firing.category,
        "title": firing.title,
        "message": firing.message,
        "reason": firing.reason,
        "status": alert.status.value,
        "count": alert.count,
    }
