"""The web server: runs and alerts in, health out. Listens on loopback unless told otherwise."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import structlog
from aiohttp import web
from pydantic import SecretStr

import bot
from handlers.http.answers import TRY_AGAIN, UNWRITABLE, answer, refusal
from handlers.http.credentials import HOOKS, PUSH, SIGNED, carries
from handlers.http.pings import PREFIX
from storage.database import DatabaseError, is_about_content

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Routes(Protocol):
    """Some addresses and what is answered there."""

    def add_to(self, router: web.UrlDispatcher) -> None: ...


class AddressUnusable(Exception):
    """Nothing can listen at `http.bind`; the message says why."""


class HttpServer:
    """Serves until stopped. `health` tells the state of each part: `ok`, or what is wrong with it."""

    def __init__(
        self,
        *,
        routes: Sequence[Routes],
        token: SecretStr | None,
        body_limit: int,
        health: Callable[[], Awaitable[Mapping[str, str]]],
    ) -> None:
        self._token = token.get_secret_value() if token else ""
        self._health = health
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.app = web.Application(
            client_max_size=body_limit, middlewares=[self._answer_in_json, self._authorize]
        )
        for each in routes:
            each.add_to(self.app.router)
        self.app.router.add_get("/health", self._get_health)

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises AddressUnusable."""
        self._runner = web.AppRunner(
            self.app,
            access_log=None,  # the addresses of pings are secrets
            handle_signals=False,
            shutdown_timeout=5,
            auto_decompress=False,  # handlers.http.bodies knows when to stop, and what to answer
        )
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
            reason = str(getattr(error, "orig", None) or error)
            if is_about_content(error):
                return refusal(422, f"the database cannot keep this: {reason}")
            log.error("request_failed", path=_shown(request), reason=reason)
            return refusal(503, UNWRITABLE, TRY_AGAIN)
        except Exception:
            log.exception("request_crashed", path=_shown(request))
            return refusal(500, "something went wrong inside Tocsin; its log says what")

    @web.middleware
    async def _authorize(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(("/api/", HOOKS)) or request.path in SIGNED:
            return await handler(request)
        if not self._token:
            return refusal(401, "the API is closed until http.token is set in tocsin.yml")
        basic = request.path == PUSH or request.path.startswith(HOOKS)
        if not carries(request.headers.get("Authorization", ""), self._token, basic=basic):
            ways = ", or Basic authorization with it as the password" if basic else ""
            return refusal(401, f"send the header Authorization: Bearer <http.token>{ways}")
        return await handler(request)

    async def _get_health(self, _request: web.Request) -> web.Response:
        """200 when healthy or degraded, 503 when the database cannot be used."""
        parts = await self._health()
        broken = {name for name, state in parts.items() if state != "ok"}
        state = "unhealthy" if "database" in broken else "degraded" if broken else "healthy"
        body = {"status": state, "version": bot.__version__, "parts": dict(parts)}
        return answer(503 if state == "unhealthy" else 200, body)


def _shown(request: web.Request) -> str:
    """The path as logs may have it: the address of a ping is a secret."""
    return f"{PREFIX}…" if request.path.startswith(PREFIX) else request.path
