"""`/api/v1/runs`: take runs that are posted, and list those that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from aiohttp import web

from bot.domain.clock import Clock
from bot.domain.run import Run, Start
from bot.monitoring import Monitoring
from handlers.http.answers import TRY_AGAIN, UNWRITABLE, answer, refusal
from handlers.http.bodies import Unreadable, read_body
from handlers.http.run_query import QueryMistake, instant, parse_query, write_cursor, written
from handlers.http.runs import MOST_RUNS, Body, BodyUnreadable, parse_body, parse_run
from storage import runs
from storage.database import Database, DatabaseError, is_about_content

log = structlog.get_logger(__name__)

PATH = "/api/v1/runs"
MOST_COUNTED = 10_000
"""As far as `total` is counted, so that it costs the same at a million runs."""

_REFUSED, _FAILED = "refused", "failed"
Outcome = dict[str, Any]


class RunRoutes:
    """Answers after the commit. Bodies are bounded by the server, also after they were inflated."""

    def __init__(self, *, database: Database, monitoring: Monitoring, clock: Clock) -> None:
        self._database = database
        self._monitoring = monitoring
        self._clock = clock

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Take and list runs."""
        router.add_post(PATH, self._post)
        router.add_get(PATH, self._list)

    async def _post(self, request: web.Request) -> web.Response:
        """Each run is accepted or refused by itself."""
        try:
            body = parse_body(await read_body(request), request.content_type)
        except (Unreadable, BodyUnreadable) as error:
            return refusal(400, str(error))
        if len(body.items) > MOST_RUNS:
            return refusal(413, f"send at most {MOST_RUNS} runs at once")
        now = self._clock()
        outcomes = await asyncio.gather(*(self._record(parse_run(item, now)) for item in body.items))
        return _several(body, outcomes) if body.several else _single(outcomes[0])

    async def _record(self, run: Run | Start | list[dict[str, str]]) -> Outcome:
        if isinstance(run, list):
            return {"outcome": _REFUSED, "details": run}
        run_id = run.rid if isinstance(run, Start) else run.run_id
        named = {"job": run.job, "run_id": run_id}
        try:
            if isinstance(run, Start):
                new = await self._monitoring.record_start(run.job, run.rid, run.at)
            else:
                new = await self._monitoring.record_run(run)
        except (DatabaseError, OSError) as error:
            reason = str(getattr(error, "orig", None) or error)
            if is_about_content(error):
                details = [{"path": "", "message": f"the database cannot keep this run: {reason}"}]
                return {"outcome": _REFUSED, **named, "details": details}
            log.error("run_not_recorded", job=run.job, reason=reason)
            return {"outcome": _FAILED, **named, "details": [{"path": "", "message": UNWRITABLE}]}
        return {"outcome": "accepted" if new else "repeated", **named}

    async def _list(self, request: web.Request) -> web.Response:
        """A page, newest first. `next` leads to older runs, `previous` to newer ones."""
        repeated = {name for name in request.query if len(request.query.getall(name)) > 1}
        try:
            if repeated:
                raise QueryMistake(min(repeated), "is given twice; give it once")
            wanted = parse_query(request.query, self._clock())
        except QueryMistake as mistake:
            details = [{"path": mistake.name, "message": str(mistake)}]
            return answer(400, {"error": f"{mistake.name} {mistake}", "details": details})
        async with self._database.snapshot() as connection:
            page = await runs.page(connection, wanted)
            total = await runs.count(connection, wanted, MOST_COUNTED)
        body = {
            "items": [written(run) for run in page.runs],
            "total": total.number,
            "total_is": "exact" if total.exact else "at least",
            "next": write_cursor(page.older, "before"),
            "previous": write_cursor(page.newer, "after"),
        }
        if page.searched_to is not None:
            body["searched_to"] = instant(page.searched_to[0])
        return answer(200, body)


def _single(outcome: Outcome) -> web.Response:
    if outcome["outcome"] == _FAILED:
        return refusal(503, UNWRITABLE, TRY_AGAIN)
    if outcome["outcome"] == _REFUSED:
        return answer(422, {"error": "this run does not fit", "details": outcome["details"]})
    return answer(202, outcome)


def _several(body: Body, outcomes: Sequence[Outcome]) -> web.Response:
    """What became of each; 503 when some should be sent again, 422 when every one was refused."""
    items = [{**body.place(position), **outcome} for position, outcome in enumerate(outcomes)]
    words = [outcome["outcome"] for outcome in outcomes]
    found = {"items": items, "total": len(items), "accepted": words.count("accepted")}
    if _FAILED in words:
        return answer(503, {"error": UNWRITABLE, **found}, TRY_AGAIN)
    return answer(422 if words and all(word == _REFUSED for word in words) else 202, found)
