"""Other tools' alerts: Prometheus pushes, Alertmanager and Grafana notify."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from aiohttp import web
from pydantic import ValidationError

from bot.domain.clock import Clock
from bot.domain.raised import RaisedAlert
from bot.raising import Raising
from handlers.http.answers import answer, mistakes, refusal
from handlers.http.bodies import read_json
from handlers.http.credentials import HOOKS, PUSH
from handlers.http.labelled import AlertmanagerNotification, Notification, Notified, Pushed

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 1000
Read = Callable[[Any], RaisedAlert]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """`POST /api/v2/alerts`, `/hooks/alertmanager` and `/hooks/grafana`.

    Of several alerts those that fit are taken, whatever is wrong with the others.
    """

    raising: Raising
    clock: Clock

    def add_to(self, router: web.UrlDispatcher) -> None:
        router.add_post(PUSH, self.push)
        router.add_post(f"{HOOKS}alertmanager", self.alertmanager)
        router.add_post(f"{HOOKS}grafana", self.grafana)

    async def push(self, request: web.Request) -> web.Response:
        """Alertmanager's own API, as far as Prometheus and amtool post to it."""
        body = await read_json(request)
        if not isinstance(body, list):
            return refusal(422, "post an array of alerts, as Prometheus does")
        now = self.clock()
        return await self._take(body, lambda item: _pushed(item, now), "")

    async def alertmanager(self, request: web.Request) -> web.Response:
        """Alertmanager's webhook, version 4."""
        return await self._notified(request, AlertmanagerNotification)

    async def grafana(self, request: web.Request) -> web.Response:
        """The webhook of Grafana alerting."""
        return await self._notified(request, Notification)

    async def _notified(self, request: web.Request, kind: type[Notification]) -> web.Response:
        try:
            given = kind.model_validate(await read_json(request))
        except ValidationError as error:
            return refusal(422, "this is no notification that is known here", details=mistakes(error))
        if given.left_out:
            log.warning("notification_truncated", path=request.path, left_out=given.left_out)
        return await self._take(given.alerts, _notified, "alerts.")

    async def _take(self, items: list[Any], read: Read, prefix: str) -> web.Response:
        if len(items) > MOST_AT_ONCE:
            return refusal(413, f"send at most {MOST_AT_ONCE} alerts at once")
        found: list[RaisedAlert] = []
        wrong: list[dict[str, str]] = []
        for number, item in enumerate(items):
            try:
                found.append(read(item))
            except ValidationError as error:
                place = f"{prefix}{number}"
                wrong += [{**each, "path": f"{place}.{each['path']}".rstrip(".")} for each in mistakes(error)]
        await self.raising.take_all(found)
        if wrong:
            reason = f"{len(items) - len(found)} of {len(items)} alerts do not fit; the others are taken"
            return refusal(422, reason, details=wrong[:100])
        return answer(200, {"accepted": len(found)})


def _pushed(item: Any, now: datetime) -> RaisedAlert:
    return Pushed.model_validate(item).at(now)


def _notified(item: Any) -> RaisedAlert:
    given = Notified.model_validate(item)
    return given.raised(over=given.status == "resolved")
