"""PagerDuty by its Events API v2: trigger, acknowledge and resolve under one key for each problem.

developer.pagerduty.com/docs/events-api-v2-overview
"""

from __future__ import annotations

import json
from typing import Any

import httpx

from bot.blocks.plain import Letter, as_text
from bot.channels.outlet import Request, post
from bot.domain.alert import Alert
from bot.domain.clock import Clock
from bot.domain.news import EVERYTHING, NewsKind
from bot.domain.severity import Severity

_ACTIONS = {NewsKind.ACKNOWLEDGED: "acknowledge", NewsKind.RESOLVED: "resolve"}
_SEVERITIES = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "info",
}
_SUMMARY, _TEXT = 1024, 8000


class PagerDuty:
    """One integration of one service."""

    understands = EVERYTHING - {NewsKind.MESSAGE}

    def __init__(
        self, client: httpx.AsyncClient, url: str, routing_key: str, *, clock: Clock, system: str
    ) -> None:
        self._client, self._url, self._key = client, url, routing_key
        self._clock, self._system = clock, system

    async def tell(self, letter: Letter, key: str) -> None:
        body = json.dumps(event_of(letter, self._key, self._system)).encode()
        headers = {"Content-Type": "application/json"}
        await post(self._client, Request(url=self._url, body=body, headers=headers), self._clock)


def dedup_key(alert: Alert) -> str:
    """What all news of a problem carries, so that PagerDuty keeps one incident of it."""
    return f"tocsin:{alert.fingerprint}"


def event_of(letter: Letter, routing_key: str, system: str) -> dict[str, Any]:
    """The event for an alert's news. What begins again, got worse or was escalated triggers again."""
    alert = letter.alert
    assert alert is not None, "PagerDuty is told of alerts only"
    action = _ACTIONS.get(letter.kind, "trigger")
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": dedup_key(alert),
        "client": "Tocsin",
    }
    if action != "trigger":
        return event
    firing = alert.firing
    event["payload"] = {
        "summary": letter.subject[:_SUMMARY],
        "source": (firing.resource or system)[:255],
        "severity": _SEVERITIES[alert.severity],
        "timestamp": alert.opened_at.isoformat(),
        "component": firing.source.name,
        "group": system,
        "class": firing.category,
        "custom_details": {
            "text": as_text(letter)[:_TEXT],
            "alert": alert.id,
            "rule": firing.rule,
            "priority": alert.severity.priority,
            **({"note": letter.note} if letter.note else {}),
        },
    }
    if firing.runbook and firing.runbook.startswith(("http://", "https://")):
        event["links"] = [{"href": firing.runbook, "text": "Runbook"}]
    return event
