"""What a condition over an alert may ask: one set of names for routes, silences and remedies."""

from __future__ import annotations

from typing import Any

from bot.domain.alert import Alert
from bot.domain.observation import SourceKind, complete


def names_of(alert: Alert) -> dict[str, Any]:
    """An alert's own names, and beside them the fields its source last reported.

    An alert of a job has an empty `check` and the other way round, so that `check != 'host'` is true of it.
    `status` is the run's where a run reported one, else the alert's.
    """
    firing = alert.firing
    source = firing.source
    return {
        "status": alert.status.value,
        **complete(firing.fields),
        "severity": firing.severity.word,
        "priority": firing.severity.priority,
        "category": firing.category,
        "rule": firing.rule,
        "name": source.name,
        "source": source.name,
        "check": source.name if source.kind is SourceKind.CHECK else "",
        "job": source.name if source.kind is SourceKind.JOB else "",
        "resource": firing.resource,
        "title": firing.title,
        "message": firing.message,
        "tags": list(firing.tags),
        "count": alert.count,
        "reopened": alert.reopened,
        "fields": dict(firing.fields),
    }
