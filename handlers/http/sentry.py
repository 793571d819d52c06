"""Alerts of Sentry, by the webhook of an internal integration whose signature is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field, SecretStr, ValidationError

from bot.domain.observation import clean_text
from bot.domain.raised import RaisedAlert
from bot.raising import Raising
from checks.result import Value
from handlers.http.answers import answer, mistakes, refusal
from handlers.http.bodies import read_json
from handlers.http.credentials import SENTRY, is_signed
from handlers.http.labelled import severity_of, url_of

ISSUE, METRIC = "Sentry issue", "Sentry metric alert"
_OVER = frozenset({"resolved", "archived", "ignored"})
_MOST_FRAMES = 20


class Event(BaseModel):
    """The event that met an issue alert's conditions."""

    issue_id: str | int
    title: str = Field(min_length=1)
    culprit: str | None = None
    level: str | None = None
    platform: str | None = None
    web_url: str | None = None
    event_id: str | None = None
    tags: list[tuple[str, str | None]] | None = None
    exception: dict[str, Any] | None = None


class EventData(BaseModel):
    event: Event
    triggered_rule: str | None = None


class Issue(BaseModel):
    """An issue whose state somebody changed in Sentry."""

    id: str | int
    title: str = ""


class IssueData(BaseModel):
    issue: Issue


class Metric(BaseModel):
    """The incident that a metric alert opened."""

    id: str | int
    title: str = ""


class MetricData(BaseModel):
    metric_alert: Metric
    description_title: str | None = None
    description_text: str | None = None
    web_url: str | None = None


class EventAlert(BaseModel):
    data: EventData

    def raised(self) -> RaisedAlert:
        event, rule = self.data.event, self.data.triggered_rule
        return RaisedAlert(
            alert_type=ISSUE,
            resource=f"issue {event.issue_id}",
            title=_short(event.title),
            message=": ".join(part for part in (event.culprit, event.title) if part),
            severity=severity_of(event.level),
            metadata=dict(_details(event, rule)),
            recommendations=_links(event.web_url),
            stack_trace=trace_of(event.exception),
        )


class IssueChange(BaseModel):
    action: str
    data: IssueData

    def raised(self) -> RaisedAlert | None:
        """The end of the issue's alert, or None when it goes on."""
        if self.action not in _OVER:
            return None
        message = f"{self.action} in Sentry"
        return RaisedAlert(
            alert_type=ISSUE, resource=f"issue {self.data.issue.id}", message=message, over=True
        )


class MetricAlert(BaseModel):
    action: str
    data: MetricData

    def raised(self) -> RaisedAlert:
        said, metric = self.data, self.data.metric_alert
        title = said.description_title or metric.title or METRIC
        return RaisedAlert(
            alert_type=METRIC,
            resource=f"incident {metric.id}",
            title=_short(metric.title or title),
            message=said.description_text or title,
            severity=severity_of(self.action),
            recommendations=_links(said.web_url),
            over=self.action in _OVER,
        )


_KINDS: Mapping[str, type[EventAlert | IssueChange | MetricAlert]] = {
    "event_alert": EventAlert,
    "issue": IssueChange,
    "metric_alert": MetricAlert,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SentryHook:
    """`POST /hooks/sentry`; closed without the secret of Sentry's integration."""

    raising: Raising
    secret: SecretStr | None

    def add_to(self, router: web.UrlDispatcher) -> None:
        router.add_post(SENTRY, self.post)

    async def post(self, request: web.Request) -> web.Response:
        """An issue alert, a metric alert, or an issue whose state changed; anything else is passed over."""
        if not self.secret:  # an empty one would let everybody sign
            return refusal(403, "this hook is closed until http.sentry_secret is set in tocsin.yml")
        signature = request.headers.get("Sentry-Hook-Signature", "")
        if not is_signed(await request.read(), signature, self.secret.get_secret_value()):
            return refusal(
                401, "the header Sentry-Hook-Signature does not fit http.sentry_secret and the body"
            )
        body = await read_json(request)
        kind = _KINDS.get(request.headers.get("Sentry-Hook-Resource", ""))
        if kind is None:
            return answer(200, {"accepted": 0})
        try:
            raised = kind.model_validate(body).raised()
        except ValidationError as error:
            return refusal(422, "this is no alert of Sentry's that is known here", details=mistakes(error))
        await self.raising.take_all([] if raised is None else [raised])
        return answer(200, {"accepted": 0 if raised is None else 1})


def trace_of(exception: Mapping[str, Any] | None) -> str | None:
    """The last of the exceptions and the innermost of its frames, innermost last; None when there are none."""
    last = (_items((exception or {}).get("values")) or [{}])[-1]
    stack = last.get("stacktrace")
    frames = _items(stack.get("frames")) if isinstance(stack, Mapping) else []
    lines = [
        f"{frame.get('filename')}:{frame.get('lineno')} in {frame.get('function')}"
        for frame in frames[-_MOST_FRAMES:]
    ]
    if last.get("type"):
        lines.append(f"{last['type']}: {last.get('value') or ''}".removesuffix(": "))
    return clean_text("\n".join(lines)) or None


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _details(event: Event, rule: str | None) -> Iterator[tuple[str, Value]]:
    given = {"rule": rule, "culprit": event.culprit, "platform": event.platform, "event": event.event_id}
    yield from ((name, value) for name, value in given.items() if value)
    yield from ((name, value) for name, value in event.tags or () if value)


def _links(url: str | None) -> tuple[str, ...]:
    return (f"Open it in Sentry: {found}",) if (found := url_of(url)) else ()


def _short(text: str) -> str:
    return clean_text(text).strip()[:200]
