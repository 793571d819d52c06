"""Sentry: each problem as an event of its envelope endpoint. Sentry learns no end of it: it has none of its own.

develop.sentry.dev/sdk/data-model/envelopes
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import urlsplit

import httpx

import bot
from bot.blocks.plain import Letter, as_text
from bot.channels.outlet import Request, post
from bot.domain.clock import Clock
from bot.domain.news import NewsKind
from bot.domain.severity import Severity

_LEVELS = {
    Severity.CRITICAL: "fatal",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "info",
}
_CLIENT = f"tocsin/{bot.__version__}"
_TAG, _TEXT = 200, 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dsn:
    """A Sentry DSN taken apart."""

    endpoint: str
    public_key: str

    @classmethod
    def read(cls, text: str) -> Dsn:
        """From `https://<key>@<host>/<project>`. Raises ValueError."""
        parts = urlsplit(text.strip())
        path, _, project = parts.path.rstrip("/").rpartition("/")
        if parts.scheme not in ("http", "https") or not parts.username or not parts.hostname:
            raise ValueError("a DSN is https://<key>@<host>/<project>")
        if not project.isdigit():
            raise ValueError("a DSN ends in the number of its project")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = f":{parts.port}" if parts.port else ""
        return cls(
            endpoint=f"{parts.scheme}://{host}{port}{path}/api/{project}/envelope/", public_key=parts.username
        )


class Sentry:
    """One project."""

    understands = frozenset({NewsKind.FIRING, NewsKind.REOPENED, NewsKind.WORSE, NewsKind.ESCALATED})

    def __init__(self, client: httpx.AsyncClient, dsn: Dsn, *, clock: Clock, system: str) -> None:
        self._client, self._dsn, self._clock, self._system = client, dsn, clock, system

    async def tell(self, letter: Letter, key: str) -> None:
        body = envelope(letter, key, self._clock().astimezone(UTC).isoformat(), self._system)
        headers = {
            "Content-Type": "application/x-sentry-envelope",
            "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client={_CLIENT}, sentry_key={self._dsn.public_key}",
        }
        await post(self._client, Request(url=self._dsn.endpoint, body=body, headers=headers), self._clock)


def envelope(letter: Letter, key: str, sent_at: str, system: str) -> bytes:
    """The event with its headers, one JSON a line. Its id follows from the key, so that Sentry keeps one of two."""
    event = event_of(letter, key, system)
    payload = json.dumps(event).encode()
    head = json.dumps({"event_id": event["event_id"], "sent_at": sent_at}).encode()
    item = json.dumps({"type": "event", "content_type": "application/json", "length": len(payload)}).encode()
    return b"\n".join([head, item, payload, b""])


def event_of(letter: Letter, key: str, system: str) -> dict[str, Any]:
    """The event: level by severity, grouped by the alert's fingerprint."""
    alert = letter.alert
    assert alert is not None, "Sentry is told of alerts only"
    firing = alert.firing
    tags = {
        "priority": alert.severity.priority,
        "category": firing.category,
        "rule": firing.rule,
        "resource": firing.resource,
        firing.source.kind.value: firing.source.name,
        "tocsin.alert": str(alert.id),
        "tocsin.event": letter.kind.value,
    }
    return {
        "event_id": hashlib.sha256(f"{system}\0{alert.opened_at.isoformat()}\0{key}".encode()).hexdigest()[
            :32
        ],
        "timestamp": alert.last_seen.astimezone(UTC).isoformat(),
        "platform": "other",
        "level": _LEVELS[alert.severity],
        "logger": "tocsin",
        "server_name": firing.resource,
        "message": {"formatted": f"{letter.subject}\n\n{as_text(letter)}"[:_TEXT]},
        "fingerprint": ["tocsin", alert.fingerprint],
        "tags": {name: value.replace("\n", " ")[:_TAG] for name, value in tags.items() if value},
        "extra": {"fields": dict(firing.fields), "count": alert.count, "runbook": firing.runbook},
    }
