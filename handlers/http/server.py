"""The web server: runs and alerts in, health out. Listens on loopback unless told otherwise."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiohttp import web
from pydantic import SecretStr

import bot
from bot.domain.clock import Clock
from bot.domain.run import Run, Start
from bot.monitoring import Monitoring
from handlers.http.alerts import AlertsApi
from handlers.http.answers import answer, refusal
from handlers.http.runs import MOST_RUNS, BodyUnreadable, parse_body, parse_run
from storage.database import DatabaseError

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AddressUnusable(Exception):
    """Nothing can listen at `http.bind`; the message says why."""


class HttpServer:
    """Serves until stopped. `health` tells the state of each part: `ok`, or what is wrong with it."""

    def __init__(
        self,
        *,
        monitoring: Monitoring,
        alerts: AlertsApi,
        clock: Clock,
        token: SecretStr | None,
        body_limit: int,
        health: Callable[[], Awaitable[Mapping[str, str]]],
    ) -> None:
        self._monitoring = monitoring
        self._clock = clock
        self._token = token.get_secret_value() if token else ""
        self._health = health
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.app = web.Application(
            client_max_size=body_limit, middlewares=[self._answer_in_json, self._authorize]
        )
        self.app.router.add_post("/api/v1/runs", self._post_runs)
        alerts.add_to(self.app.router)
        self.app.router.add_get("/health", self._get_health)

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises AddressUnusable."""
        self._runner = web.AppRunner(self.app, access_log=None, handle_signals=False, shutdown_timeout=5)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise AddressUnusable(f"cannot listen on {host}:{port}: {reason}") from error
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Finish the requests under way and listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _answer_in_json(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every refusal in the same words; a database that refuses is for the client to try again."""
        try:
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            return refusal(413, "the body is larger than http.body_limit")
        except web.HTTPException as error:
            return refusal(error.status, error.reason, error.headers)
        except (DatabaseError, OSError) as error:
            log.error("request_failed", path=request.path, reason=str(getattr(error, "orig", None) or error))
            return refusal(503, "the database cannot be written at present; try again", {"Retry-After": "5"})
        except Exception:
            log.exception("request_crashed", path=request.path)
            return refusal(500, "something went wrong inside Tocsin; its log says what")

    @web.middleware
    async def _authorize(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/api/"):
            return await handler(request)
        if not self._token:
            return refusal(401, "the API is closed until http.token is set in tocsin.yml")
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return refusal(401, "send the header Authorization: Bearer <http.token>")
        return await handler(request)

    async def _post_runs(self, request: web.Request) -> web.Response:
        """Each run is accepted or refused by itself; the answer comes after the commit."""
        try:
            items, several = parse_body(await request.read())
        except BodyUnreadable as error:
            return refusal(400, str(error))
        if len(items) > MOST_RUNS:
            return refusal(413, f"send at most {MOST_RUNS} runs at once")
        now = self._clock()
        parsed = [parse_run(item, now) for item in items]
        if not several and isinstance(parsed[0], list):
            return refusal(422, "this run does not fit", details=parsed[0])
        outcomes = await asyncio.gather(*(self._record(run) for run in parsed))
        accepted = sum(outcome["outcome"] == "accepted" for outcome in outcomes)
        if not several:
            return answer(202, outcomes[0])
        status = 202 if accepted or not any(o["outcome"] == "refused" for o in outcomes) else 422
        return answer(status, {"items": outcomes, "total": len(outcomes), "accepted": accepted})

    async def _record(self, run: Run | Start | list[dict[str, str]]) -> dict[str, Any]:
        if isinstance(run, list):
            return {"outcome": "refused", "details": run}
        if isinstance(run, Start):
            new = await self._monitoring.record_start(run.job, run.rid, run.at)
            return {"outcome": "accepted" if new else "repeated", "job": run.job, "run_id": run.rid}
        new = await self._monitoring.record_run(run)
        return {"outcome": "accepted" if new else "repeated", "job": run.job, "run_id": run.run_id}

    async def _get_health(self, _request: web.Request) -> web.Response:
        """200 when healthy or degraded, 503 when the database cannot be used."""
        parts = await self._health()
        broken = {name for name, state in parts.items() if state != "ok"}
        state = "unhealthy" if "database" in broken else "degraded" if broken else "healthy"
        body = {"status": state, "version": bot.__version__, "parts": dict(parts)}
        return answer(503 if state == "unhealthy" else 200, body)
