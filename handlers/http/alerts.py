"""Alerts by HTTP: raised, listed, acknowledged, resolved and silenced."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from bot.alerting import Alerting, UnknownAlert
from bot.domain.alert import Alert, Change, Event, Refusal, Status
from bot.domain.audit import Via
from bot.domain.raised import RaisedAlert
from bot.domain.severity import Severity, parse_severity
from bot.raising import Raising
from checks.options import parse_duration
from handlers.http.answers import answer, mistakes, refusal
from handlers.http.bodies import Unreadable, read_body
from storage import alerts
from storage.alerts import AlertFilter
from storage.database import Database

MOST_ALERTS = 100
_MOST_LISTED = 500
_OPEN = frozenset({Status.ACTIVE, Status.ACKNOWLEDGED})

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=8000)]


def _severity(value: Any) -> Any:
    return None if value is None else parse_severity(value)


def _lines(value: Any) -> Any:
    return value.splitlines() if isinstance(value, str) else value


Lines = Annotated[tuple[str, ...], BeforeValidator(_lines), Field(max_length=200)]


class AlertPayload(BaseModel):
    """An alert as it is posted. Any further field is kept with `metadata`."""

    model_config = ConfigDict(extra="allow")

    alert_type: Words
    title: Text = ""
    message: Text = ""
    severity: Annotated[Severity | None, BeforeValidator(_severity)] = None
    category: Words = "application"
    resource: Words | None = None
    metadata: dict[str, Any] = {}
    recommendations: Lines = ()
    related_logs: Lines = ()
    affected_users: int | None = Field(None, ge=0, le=10**12)
    error_count: int | None = Field(None, ge=0, le=10**12)
    stack_trace: str | None = None
    runbook: Annotated[str, StringConstraints(max_length=2000)] | None = None
    status: Literal["firing", "resolved"] = "firing"

    def raised(self) -> RaisedAlert:
        given = {name: value for name, value in self if name in RaisedAlert.__dataclass_fields__}
        further = {"metadata": {**self.metadata, **(self.model_extra or {})}}
        return RaisedAlert(
            **{**given, **further, "resource": self.resource or self.alert_type},
            over=self.status == "resolved",
        )


class ActionPayload(BaseModel):
    """What goes with an act on an alert: who acts, and a note; for a silence how long, and why."""

    model_config = ConfigDict(extra="forbid")

    by: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)] = "the API"
    note: Annotated[str, StringConstraints(max_length=1000)] | None = None
    reason: Annotated[str, StringConstraints(max_length=1000)] | None = None
    for_: Annotated[timedelta, BeforeValidator(parse_duration)] = Field(timedelta(hours=1), alias="for")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsApi:
    """The routes under /api/v1/alerts."""

    database: Database
    raising: Raising
    alerting: Alerting

    def add_to(self, router: web.UrlDispatcher) -> None:
        router.add_post("/api/v1/alerts", self.post)
        router.add_get("/api/v1/alerts", self.list)
        router.add_get(r"/api/v1/alerts/{number:\d{1,15}}", self.get)
        acts = "acknowledge|unacknowledge|resolve|silence|unsilence"
        router.add_post(rf"/api/v1/alerts/{{number:\d{{1,15}}}}/{{act:{acts}}}", self.act)

    async def post(self, request: web.Request) -> web.Response:
        """One alert or an array; each is taken or refused by itself, and answered after the commit."""
        body = await _json(request)
        items = body if isinstance(body, list) else [body]
        if len(items) > MOST_ALERTS:
            return refusal(413, f"send at most {MOST_ALERTS} alerts at once")
        outcomes = [await self._take(item) for item in items]
        refused = [each for each in outcomes if each["outcome"] == "refused"]
        if isinstance(body, list):
            status = 422 if refused and len(refused) == len(outcomes) else 202
            return answer(status, {"items": outcomes, "total": len(outcomes)})
        if refused:
            return refusal(422, "this alert does not fit", details=refused[0]["details"])
        return answer(202, outcomes[0])

    async def _take(self, item: Any) -> dict[str, Any]:
        if not isinstance(item, Mapping):
            wrong = 'an alert is an object such as {"alert_type": "slow_query", "title": …}'
            return {"outcome": "refused", "details": [{"path": "", "message": wrong}]}
        try:
            raised = AlertPayload.model_validate(item).raised()
        except ValidationError as error:
            return {"outcome": "refused", "details": mistakes(error)}
        alert = await self.raising.take(raised)
        shown = {} if alert is None else {"id": alert.id, "status": alert.status.value, "count": alert.count}
        return {"outcome": "accepted", **shown}

    async def list(self, request: web.Request) -> web.Response:
        """`?state=open|active|acknowledged|resolved|expired&severity=&source=&since=&limit=&cursor=`."""
        try:
            wanted = _filter(request.query)
        except ValueError as error:
            return refusal(422, str(error))
        async with self.database.snapshot() as connection:
            found, total = await alerts.page(connection, wanted)
        more = str(found[-1].id) if len(found) == wanted.limit else None
        return answer(200, {"items": [shown(each) for each in found], "total": total, "cursor": more})

    async def get(self, request: web.Request) -> web.Response:
        """One alert with its history."""
        number = int(request.match_info["number"])
        async with self.database.snapshot() as connection:
            alert = await alerts.get(connection, number)
            if alert is None:
                return refusal(404, f"there is no alert {number}")
            history = await alerts.history(connection, number)
        return answer(200, {**shown(alert), "history": [_event(event) for event in history]})

    async def act(self, request: web.Request) -> web.Response:
        """What the buttons do; 409 with the reason when it changes nothing."""
        number, act = int(request.match_info["number"]), request.match_info["act"]
        body = await _json(request) if request.can_read_body else {}
        try:
            given = ActionPayload.model_validate(body)
        except ValidationError as error:
            return refusal(422, "this does not fit", details=mistakes(error))
        try:
            outcome = await self._acts(given)[act](number)
        except UnknownAlert as error:
            return refusal(404, str(error))
        if isinstance(outcome, Refusal):
            return answer(
                409, {"error": f"alert {number} is {outcome.reason}", "alert": shown(outcome.alert)}
            )
        return answer(200, shown(outcome.alert))

    def _acts(self, given: ActionPayload) -> dict[str, Callable[[int], Awaitable[Change | Refusal]]]:
        by, note, api = given.by, given.note, Via.API
        return {
            "acknowledge": lambda number: self.alerting.acknowledge(number, by, note, api),
            "unacknowledge": lambda number: self.alerting.unacknowledge(number, by, api),
            "resolve": lambda number: self.alerting.resolve(number, by, note, api),
            "silence": lambda number: self.alerting.silence(
                number, by, given.for_, given.reason or note, api
            ),
            "unsilence": lambda number: self.alerting.unsilence(number, by, api),
        }


async def _json(request: web.Request) -> Any:
    """The body. Raises HTTPBadRequest naming the place where it is not JSON."""
    try:
        return json.loads((await read_body(request)).decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        reason = f"the body is not JSON: {error.msg} at character {error.pos}"
    except UnicodeDecodeError as error:
        reason = f"the body is not UTF-8 (byte {error.start})"
    except Unreadable as error:
        reason = str(error)
    except (ValueError, RecursionError):
        reason = "the body holds a number too long or is nested too deeply"
    raise web.HTTPBadRequest(reason=reason)


def _filter(query: Mapping[str, str]) -> AlertFilter:
    """Raises ValueError naming the parameter and what it may be."""
    known = ("state", "severity", "source", "since", "limit", "cursor")
    for name in query:
        if name not in known:
            raise ValueError(f"{name[:40]!r} is no parameter here; there are {', '.join(known)}")
    since = query.get("since")
    return AlertFilter(
        statuses=_statuses(query.get("state")),
        severity=parse_severity(query["severity"]) if "severity" in query else None,
        source=query.get("source"),
        since=_instant(since) if since else None,
        before=_number(query, "cursor", 2**62) if "cursor" in query else None,
        limit=_number(query, "limit", _MOST_LISTED) if "limit" in query else 50,
    )


def _statuses(word: str | None) -> frozenset[Status]:
    if word is None or word == "all":
        return frozenset()
    if word == "open":
        return _OPEN
    try:
        return frozenset({Status(word)})
    except ValueError:
        words = ", ".join(["open", "all", *Status])
        raise ValueError(f"state={word[:40]}: write one of {words}") from None


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise ValueError(f"since={text[:40]}: write an instant such as 2026-11-20T06:00:00Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _number(query: Mapping[str, str], name: str, most: int) -> int:
    text = query[name]
    if not (text.isdecimal() and text.isascii() and len(text) < 19 and 1 <= int(text) <= most):
        raise ValueError(f"{name}={text[:40]}: write a whole number from 1 to {most}")
    return int(text)


def shown(alert: Alert) -> dict[str, Any]:
    """An alert as JSON; instants in UTC."""
    firing = alert.firing
    return {
        "id": alert.id,
        "status": alert.status.value,
        "severity": alert.severity.word,
        "priority": alert.severity.priority,
        "title": firing.title,
        "reason": firing.reason,
        "rule": firing.rule,
        "source": {"kind": firing.source.kind.value, "name": firing.source.name},
        "resource": firing.resource,
        "category": firing.category,
        "count": alert.count,
        "opened_at": alert.opened_at.isoformat(),
        "last_seen": alert.last_seen.isoformat(),
        "reopened": alert.reopened,
        "acknowledged_at": _stamp(alert.acknowledged_at),
        "acknowledged_by": alert.acknowledged_by,
        "closed_at": _stamp(alert.closed_at),
        "closed_by": alert.closed_by,
        "note": alert.note,
        "silenced_until": _stamp(alert.silenced_until),
        "fields": dict(firing.fields),
        "recommendations": list(firing.recommendations),
        "runbook": firing.runbook,
    }


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _event(event: Event) -> dict[str, Any]:
    return {"kind": event.kind.value, "at": event.at.isoformat(), "text": event.text, "actor": event.actor}
