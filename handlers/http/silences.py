"""Silences over HTTP: made, listed, ended. The bearer token is asked for by the server."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.config.trial import try_condition
from bot.domain.audit import Via
from bot.domain.clock import Clock
from bot.domain.condition import ConditionError
from bot.domain.schedule import local_instant
from bot.domain.silence import Origin, Silence, Timetable, Window
from bot.silencing import LONGEST, NotDone, Silencing
from checks.options import parse_duration
from handlers.http.answers import answer, mistakes, refusal

_WHO = "api"
_UNFIT = "this silence does not fit"


def _condition(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is a condition over the alert, such as severity == 'low'; true is every alert")
    try:
        return try_condition(value).source
    except ConditionError as error:
        raise ValueError(str(error)) from None


def _length(value: Any) -> timedelta:
    if not isinstance(value, str):
        raise ValueError("is a length of time such as 2h")
    length = parse_duration(value)
    if not timedelta(0) < length <= LONGEST:
        raise ValueError("is more than nothing and 366 days at most")
    return length


def _instant(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("is a time such as 2026-11-20T18:00:00Z") from None


class SilencePayload(BaseModel):
    """What is posted: one of `for` and `until`. A time without an offset is in the team's own zone."""

    model_config = ConfigDict(extra="forbid")

    match: Annotated[str, BeforeValidator(_condition)]
    for_: Annotated[timedelta | None, BeforeValidator(_length)] = Field(None, alias="for")
    until: Annotated[datetime | None, BeforeValidator(_instant)] = None
    reason: str | None = Field(None, max_length=1000)


class SilenceApi:
    """GET, POST /api/v1/silences and DELETE /api/v1/silences/{id}."""

    def __init__(self, silencing: Silencing, clock: Clock, zone: ZoneInfo) -> None:
        self._silencing = silencing
        self._clock = clock
        self._zone = zone

    def add_to(self, app: web.Application) -> None:
        """Answer under the server's routes."""
        app.router.add_get("/api/v1/silences", self._list)
        app.router.add_post("/api/v1/silences", self._create)
        app.router.add_delete("/api/v1/silences/{id:\\d{1,15}}", self._end)

    async def _list(self, _request: web.Request) -> web.Response:
        """What holds, then the next window of each silence of the file."""
        found = await self._silencing.listing()
        items = [_shown(each, "active") for each in found.active]
        items += [_coming(timetable, window) for timetable, window in found.upcoming]
        return answer(200, {"items": items, "total": len(items)})

    async def _create(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError):
            return refusal(400, "the body is not JSON")
        if not isinstance(body, dict):
            example = '{"match": "severity == \'low\'", "for": "2h", "reason": "tuning"}'
            return refusal(400, f"a silence is an object such as {example}")
        now = self._clock()
        try:
            wanted = SilencePayload.model_validate(body)
        except ValidationError as error:
            return refusal(422, _UNFIT, details=_details(error))
        until, wrong = self._until(wanted, now)
        if until is None:
            return refusal(422, _UNFIT, details=[wrong])
        silence, coverage = await self._silencing.create(
            match=wanted.match, until=until, who=_WHO, reason=wanted.reason or None, origin=Origin.API
        )
        covers = {
            "open_alerts": [alert.id for alert in coverage.open],
            "sources": [str(source) for source in coverage.sources],
            "everything": coverage.is_everything,
        }
        return answer(201, {**_shown(silence, "active"), "covers": covers})

    def _until(self, wanted: SilencePayload, now: datetime) -> tuple[datetime | None, dict[str, str]]:
        """When it ends, or what is wrong with that."""
        if (wanted.for_ is None) == (wanted.until is None):
            return None, {"path": "for", "message": "write one of for and until"}
        if wanted.for_ is not None:
            return now + wanted.for_, {}
        assert wanted.until is not None
        until = wanted.until if wanted.until.tzinfo else local_instant(wanted.until, self._zone)
        if not now < until <= now + LONGEST:
            return None, {"path": "until", "message": "is in the future, 366 days from now at most"}
        return until, {}

    async def _end(self, request: web.Request) -> web.Response:
        """Ending one that is over changes nothing, and answers the same."""
        outcome = await self._silencing.end(int(request.match_info["id"]), _WHO, Via.API)
        silence = outcome.silence if isinstance(outcome, NotDone) else outcome
        if silence is None:
            return refusal(404, f"there is no silence {request.match_info['id']}")
        return answer(200, _shown(silence, "ended"))


def _shown(silence: Silence, state: str) -> dict[str, Any]:
    return {
        "id": silence.id,
        "state": state,
        "origin": silence.origin.value,
        "name": silence.name,
        "match": silence.match,
        "fingerprint": silence.fingerprint,
        "starts_at": silence.starts_at.isoformat(),
        "ends_at": silence.over_at.isoformat(),
        "created_by": silence.created_by,
        "reason": silence.reason,
        "ended_by": silence.ended_by,
    }


def _coming(timetable: Timetable, window: Window) -> dict[str, Any]:
    return {
        "id": None,
        "state": "upcoming",
        "origin": Origin.FILE.value,
        "name": timetable.name,
        "match": timetable.match,
        "fingerprint": None,
        "starts_at": window.starts_at.isoformat(),
        "ends_at": window.ends_at.isoformat(),
        "created_by": None,
        "reason": timetable.reason,
        "ended_by": None,
    }


def _details(error: ValidationError) -> list[dict[str, str]]:
    known = "is not known; a silence has match, for, until and reason"
    return [
        {**each, "message": known} if each["message"].startswith("Extra inputs") else each
        for each in mistakes(error)
    ]
