"""A webhook: each piece of news as signed JSON. The schema is documented in docs/webhooks-out.md."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

import bot
from bot.blocks.plain import Letter, as_text
from bot.channels.outlet import Request, post
from bot.domain.alert import Alert
from bot.domain.clock import Clock
from bot.domain.news import EVERYTHING

VERSION = 1
_USER_AGENT = f"tocsin/{bot.__version__}"


class Webhook:
    """Posts to one address. Without a `secret` nothing is signed."""

    understands = EVERYTHING

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        *,
        clock: Clock,
        system: str,
        headers: Mapping[str, str] | None = None,
        secret: str | None = None,
    ) -> None:
        self._client, self._url, self._clock, self._system = client, url, clock, system
        self._headers, self._secret = dict(headers or {}), secret

    async def tell(self, letter: Letter, key: str) -> None:
        now = self._clock()
        body = json.dumps(
            document(letter, key, now, self._system), ensure_ascii=False, separators=(",", ":")
        ).encode("utf-8", "replace")
        stamp = str(int(now.timestamp()))
        headers = {
            "User-Agent": _USER_AGENT,
            **self._headers,
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "Tocsin-Timestamp": stamp,
        }
        if self._secret:
            headers["Tocsin-Signature"] = signature(self._secret, stamp, body)
        await post(self._client, Request(url=self._url, body=body, headers=headers), self._clock)


def signature(secret: str, stamp: str, body: bytes) -> str:
    """`v1=` and the HMAC-SHA256 of `<timestamp>.<body>` in hexadecimal."""
    return "v1=" + hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def document(letter: Letter, key: str, now: datetime, system: str) -> dict[str, Any]:
    """What is posted."""
    return {
        "version": VERSION,
        "key": key,
        "event": letter.kind.value,
        "sent_at": now.isoformat(),
        "system": system,
        "subject": letter.subject,
        "text": as_text(letter),
        "note": letter.note,
        "alert": None if letter.alert is None else alert_document(letter.alert),
    }


def alert_document(alert: Alert) -> dict[str, Any]:
    """An alert as other programs read it."""
    firing = alert.firing
    return {
        "id": alert.id,
        "fingerprint": alert.fingerprint,
        "status": alert.status.value,
        "severity": alert.severity.word,
        "priority": alert.severity.priority,
        "title": firing.title,
        "message": firing.message,
        "reason": firing.reason,
        "category": firing.category,
        "rule": firing.rule,
        "source": {"kind": firing.source.kind.value, "name": firing.source.name},
        "resource": firing.resource,
        "tags": list(firing.tags),
        "fields": dict(firing.fields),
        "recommendations": list(firing.recommendations),
        "runbook": firing.runbook,
        "count": alert.count,
        "reopened": alert.reopened,
        "opened_at": alert.opened_at.isoformat(),
        "last_seen": alert.last_seen.isoformat(),
        "acknowledged_at": _instant(alert.acknowledged_at),
        "acknowledged_by": alert.acknowledged_by,
        "closed_at": _instant(alert.closed_at),
        "closed_by": alert.closed_by,
        "note": alert.note,
    }


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
