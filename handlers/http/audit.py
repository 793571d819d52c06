"""The audit history by HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bot.domain.audit import Deed
from handlers.http.answers import answer, refusal
from storage import audit
from storage.audit import AuditFilter
from storage.database import Database

_MOST_LISTED = 500
_KNOWN = ("alert", "who", "since", "limit", "cursor")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditApi:
    """GET /api/v1/audit."""

    database: Database

    def add_to(self, router: web.UrlDispatcher) -> None:
        router.add_get("/api/v1/audit", self.list)

    async def list(self, request: web.Request) -> web.Response:
        """`?alert=&who=&since=&limit=&cursor=`, the newest first."""
        try:
            wanted = _filter(request.query)
        except ValueError as error:
            return refusal(422, str(error))
        async with self.database.snapshot() as connection:
            found, total = await audit.page(connection, wanted)
        more = str(found[-1].id) if len(found) == wanted.limit else None
        return answer(200, {"items": [_shown(each) for each in found], "total": total, "cursor": more})


def _filter(query: Mapping[str, str]) -> AuditFilter:
    """Raises ValueError naming the parameter and what it may be."""
    for name in query:
        if name not in _KNOWN:
            raise ValueError(f"{name[:40]!r} is no parameter here; there are {', '.join(_KNOWN)}")
    since = query.get("since")
    return AuditFilter(
        alert_id=_number(query, "alert", 2**62) if "alert" in query else None,
        who=frozenset({query["who"]}) if query.get("who") else frozenset(),
        since=_instant(since) if since else None,
        before=_number(query, "cursor", 2**62) if "cursor" in query else None,
        limit=_number(query, "limit", _MOST_LISTED) if "limit" in query else 50,
    )


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise ValueError(f"since={text[:40]}: write an instant such as 2026-11-20T06:00:00Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _number(query: Mapping[str, str], name: str, most: int) -> int:
    text = query[name]
    if not (text.isdecimal() and text.isascii() and len(text) < 20 and 1 <= int(text) <= most):
        raise ValueError(f"{name}={text[:40]}: write a whole number from 1 to {most}")
    return int(text)


def _shown(deed: Deed) -> dict[str, Any]:
    return {
        "id": deed.id,
        "who": deed.who,
        "at": deed.at.isoformat(),
        "act": deed.act,
        "via": deed.via.value,
        "on": deed.subject,
        "alert": deed.alert_id,
        "before": deed.before,
        "after": deed.after,
        "note": deed.note,
    }
