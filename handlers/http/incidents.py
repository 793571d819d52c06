"""Incidents over HTTP: listed, read, and their reports as Markdown. The bearer token is asked for by the server."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bot.domain.alert import Alert
from bot.domain.incident import Incident, Whole
from bot.incidents import Incidents
from handlers.http.answers import answer, refusal
from storage import incidents as queries

_MOST_LISTED = 500
_STATES = {"open": True, "closed": False}


class IncidentApi:
    """GET /api/v1/incidents, /api/v1/incidents/{id} and /api/v1/incidents/{id}/report."""

    def __init__(self, incidents: Incidents) -> None:
        self._incidents = incidents

    def add_to(self, app: web.Application) -> None:
        """Answer under the server's routes."""
        app.router.add_get("/api/v1/incidents", self._list)
        app.router.add_get(r"/api/v1/incidents/{id:\d{1,15}}", self._get)
        app.router.add_get(r"/api/v1/incidents/{id:\d{1,15}}/report", self._report)

    async def _list(self, request: web.Request) -> web.Response:
        """The newest first, filtered by ?state=, ?limit= at a time, from ?cursor= on."""
        wrong = []
        state = request.query.get("state")
        if state is not None and state not in _STATES:
            wrong.append({"path": "state", "message": "is open or closed"})
        limit = _number(request, "limit", 100, _MOST_LISTED, wrong)
        before = _number(request, "cursor", None, 10**15, wrong)
        if wrong:
            return refusal(422, "this question does not fit", details=wrong)
        async with self._incidents.database.snapshot() as connection:
            found, total = await queries.page(
                connection, is_open=_STATES.get(state or ""), before=before, limit=limit or 100
            )
        following = str(found[-1].id) if len(found) == limit and found[-1].id > 1 else None
        return answer(200, {"items": [_shown(each) for each in found], "total": total, "cursor": following})

    async def _get(self, request: web.Request) -> web.Response:
        whole = await self._incidents.whole(int(request.match_info["id"]))
        return _none(request) if whole is None else answer(200, _whole(whole))

    async def _report(self, request: web.Request) -> web.Response:
        """The report; of an open incident as far as it is known."""
        text = await self._incidents.report(int(request.match_info["id"]))
        if text is None:
            return _none(request)
        return web.Response(text=text, content_type="text/markdown", charset="utf-8")


def _none(request: web.Request) -> web.Response:
    return refusal(404, f"there is no incident {request.match_info['id']}")


def _number(
    request: web.Request, name: str, default: int | None, most: int, wrong: list[dict[str, str]]
) -> int | None:
    given = request.query.get(name)
    if given is None:
        return default
    if given.isdecimal() and len(given) <= 15 and 1 <= int(given) <= most:
        return int(given)
    wrong.append({"path": name, "message": f"is a whole number from 1 to {most}"})
    return default


def _shown(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "state": "open" if incident.is_open else "closed",
        "title": incident.title,
        "priority": incident.severity.priority,
        "severity": incident.severity.word,
        "opened_at": incident.opened_at.isoformat(),
        "opened_by": incident.opened_by,
        "channel": {"id": incident.channel_id, "name": incident.channel_name},
        "closed_at": incident.closed_at and incident.closed_at.isoformat(),
        "closed_by": incident.closed_by,
        "root_cause": incident.root_cause,
        "resolution": incident.resolution,
    }


def _whole(whole: Whole) -> dict[str, Any]:
    people = [
        {"user": each.user, "reason": each.reason.value, "invited": each.user not in whole.uninvited}
        for each in whole.people
    ]
    return {
        **_shown(whole.incident),
        "alerts": [_alert(alert) for alert in whole.alerts],
        "people": people,
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "title": alert.firing.title,
        "status": alert.status.value,
        "priority": alert.severity.priority,
        "resource": alert.firing.resource,
        "opened_at": alert.opened_at.isoformat(),
        "closed_at": alert.closed_at and alert.closed_at.isoformat(),
    }
