"""Pings of jobs, as Healthchecks takes them: the addresses, words and answers are those of its pinging API.

/ping/<uuid>[/start|/fail|/log|/<exit status>]      /ping/<key>/<slug>[/…]      ?rid=<uuid> ?create=1
"""

from __future__ import annotations

import re
from urllib.parse import unquote
from uuid import UUID

import structlog
from aiohttp import web

from bot.domain.run import MOST_OUTPUT, RunStatus
from bot.pinging import Ping, Pinging
from handlers.http.addresses import Addresses, AmbiguousSlug
from handlers.http.answers import TRY_AGAIN, UNWRITABLE
from storage.database import DatabaseError

log = structlog.get_logger(__name__)

PREFIX = "/ping/"
BODY_LIMIT = MOST_OUTPUT

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_ACTION = re.compile(r"start|fail|log|[0-9]+")
_WORD = re.compile(r"[-A-Za-z0-9_]{1,200}")
_MOST_STATUS = 255
_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "max-age=0, no-cache, no-store, must-revalidate, private",
    "Ping-Body-Limit": str(BODY_LIMIT),
}
_NEVER_KEPT = {"Cache-Control": _HEADERS["Cache-Control"]}


class _Refused(Exception):
    """A ping that is not taken, with Healthchecks' words for it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


_NOT_FOUND = (404, "not found")
_BAD_URL = (400, "invalid url format")
_BAD_RID = (400, "invalid uuid format")
_AMBIGUOUS = (409, "ambiguous slug")


class PingRoutes:
    """Answers pings after they are committed."""

    def __init__(self, *, addresses: Addresses, pinging: Pinging) -> None:
        self._addresses = addresses
        self._pinging = pinging

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Take HEAD, GET and POST under /ping/."""
        for method in ("HEAD", "GET", "POST"):
            router.add_route(method, PREFIX + "{address:.*}", self._ping)

    async def _ping(self, request: web.Request) -> web.Response:
        try:
            job, action, created = await self._find(request)
            rid = _rid(request)
            output = await _output(request)
            await self._record(Ping(job=job, rid=rid, output=output), action)
        except _Refused as refused:
            return web.Response(status=refused.status, text=refused.text, headers=_NEVER_KEPT)
        except (DatabaseError, OSError) as error:
            log.error("ping_not_recorded", reason=str(getattr(error, "orig", None) or error))
            return web.Response(status=503, text=UNWRITABLE, headers={**_NEVER_KEPT, **TRY_AGAIN})
        if created:
            return web.Response(status=201, text="Created", headers=_HEADERS)
        return web.Response(text="OK", headers=_HEADERS)

    async def _find(self, request: web.Request) -> tuple[str, str, bool]:
        """The job, what is said of it, and whether it was unknown until now. Raises _Refused."""
        parts = [unquote(part) for part in request.rel_url.raw_path.removeprefix(PREFIX).split("/")]
        if _UUID.fullmatch(parts[0]) and (len(parts) == 1 or (len(parts) == 2 and _is_action(parts[1]))):
            job = self._addresses.of_id(UUID(parts[0]))
            action, created = parts[1] if len(parts) == 2 else "", False
        elif len(parts) == 2 or (len(parts) == 3 and _ACTION.fullmatch(parts[2])):
            job, created = await self._named(parts[0], parts[1], request.query.get("create") == "1")
            action = parts[2] if len(parts) == 3 else ""
        else:
            raise _Refused(*_NOT_FOUND)
        if job is None:
            raise _Refused(*_NOT_FOUND)
        if action.isdigit() and (len(action) > 9 or int(action) > _MOST_STATUS):
            raise _Refused(*_BAD_URL)
        return job, action, created

    async def _named(self, key: str, slug: str, create: bool) -> tuple[str | None, bool]:
        if not _WORD.fullmatch(slug):
            return None, False
        if slug != slug.lower():
            raise _Refused(*_BAD_URL)
        if not self._addresses.is_key(key):
            return None, False
        try:
            job = await self._addresses.of_slug(slug)
        except AmbiguousSlug:
            raise _Refused(*_AMBIGUOUS) from None
        return (slug, True) if job is None and create else (job, False)

    async def _record(self, ping: Ping, action: str) -> None:
        if action == "start":
            await self._pinging.start(ping)
        elif action == "log":
            await self._pinging.log(ping)
        else:
            exit_code = int(action) if action.isdigit() else None
            failed = action == "fail" or bool(exit_code)
            await self._pinging.end(ping, RunStatus.ERROR if failed else RunStatus.SUCCESS, exit_code)


def _is_action(text: str) -> bool:
    return not text or bool(_ACTION.fullmatch(text))


def _rid(request: web.Request) -> UUID | None:
    text = request.query.get("rid")
    if text is None:
        return None
    if not _UUID.fullmatch(text):
        raise _Refused(*_BAD_RID)
    return UUID(text)


async def _output(request: web.Request) -> str:
    """The end of the body, which says how it went; what comes before is read and dropped."""
    if not request.can_read_body:
        return ""
    kept, cut = bytearray(), False
    async for chunk in request.content.iter_chunked(BODY_LIMIT):
        kept += chunk
        cut = cut or len(kept) > BODY_LIMIT
        del kept[:-BODY_LIMIT]
    if cut:
        del kept[
            : next((place for place in range(4) if kept[place] & 0xC0 != 0x80), 0)
        ]  # of half a character
    return kept.decode("utf-8", "replace")
