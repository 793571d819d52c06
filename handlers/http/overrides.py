"""Settings changed over HTTP: listed, set, taken back. The bearer token is asked for by the server."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.domain.override import Override
from bot.overriding import OverrideRefused, Overriding
from handlers.http.answers import answer, mistakes, refusal

_WHO = "api"
_EXAMPLE = '{"path": "host.cpu_percent", "value": 90, "reason": "the new release is hungry", "by": "deploy"}'


class OverridePayload(BaseModel):
    """What is sent. A value of null takes away what the file says."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str = Field(min_length=1, max_length=300)
    value: Any
    reason: str | None = Field(None, max_length=1000)
    by: str = Field(_WHO, min_length=1, max_length=60)


class OverrideApi:
    """GET and PUT /api/v1/overrides, DELETE /api/v1/overrides/{id}."""

    def __init__(self, overriding: Overriding) -> None:
        self._overriding = overriding

    def add_to(self, app: web.Application) -> None:
        """Answer under the server's routes."""
        app.router.add_get("/api/v1/overrides", self._list)
        app.router.add_put("/api/v1/overrides", self._set)
        app.router.add_delete("/api/v1/overrides/{id:\\d{1,15}}", self._revert)

    async def _list(self, request: web.Request) -> web.Response:
        """What holds; with ?history=1 what was as well, the newest first; with ?format=yaml to paste."""
        if request.query.get("format") == "yaml":
            return web.Response(
                text=self._overriding.yaml(), content_type="application/yaml", charset="utf-8"
            )
        past = request.query.get("history") in ("1", "true")
        found = await self._overriding.history(500) if past else self._overriding.present.overrides
        items = [self._shown(each) for each in found]
        return answer(200, {"items": items, "total": len(items)})

    async def _set(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError):
            return refusal(400, "the body is not JSON")
        if not isinstance(body, dict):
            return refusal(400, f"a change is an object such as {_EXAMPLE}")
        try:
            wanted = OverridePayload.model_validate(body)
        except ValidationError as error:
            return refusal(422, "this change does not fit", details=mistakes(error))
        try:
            outcome = await self._overriding.set(wanted.path, wanted.value, wanted.by, wanted.reason)
        except OverrideRefused as error:
            return refusal(422, str(error))
        return answer(200, {**self._shown(outcome.override), "warnings": list(outcome.warnings)})

    async def _revert(self, request: web.Request) -> web.Response:
        number = request.match_info["id"]
        over = await self._overriding.revert(int(number), request.query.get("by", _WHO)[:60] or _WHO)
        if over is None:
            return refusal(404, f"no change {number} holds")
        return answer(200, self._shown(over))

    def _shown(self, override: Override) -> dict[str, Any]:
        in_file, value = self._overriding.file_says(override)
        ended = override.reverted_at
        return {
            "id": override.id,
            "path": override.path,
            "value": override.value,
            "file_value": value if in_file else None,
            "in_file": in_file,
            "by": override.by,
            "at": override.at.isoformat(),
            "reason": override.reason,
            "without_effect": None if ended else self._overriding.present.refused.get(override.path),
            "reverted_at": ended.isoformat() if ended else None,
            "reverted_by": override.reverted_by,
        }
