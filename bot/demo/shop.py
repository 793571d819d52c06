"""A small web shop to break and mend, and the nightly job that reports to the bot."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import httpx
from aiohttp import web

from bot.domain.clock import Clock

_SLOW_SECONDS = 1.2


class Shop:
    """Answers on loopback; `broken` and `slow` are for people to play with."""

    def __init__(self) -> None:
        self.broken = False
        self.slow = False
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._front)
        app.router.add_get("/checkout", self._checkout)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def toggle_broken(self) -> None:
        self.broken = not self.broken

    async def toggle_slow(self) -> None:
        self.slow = not self.slow

    async def _front(self, _request: web.Request) -> web.Response:
        if self.broken:
            text = "Traceback (most recent call last):\n  connection to database lost: server closed the connection\n"
            return web.Response(status=503, text=text)
        return web.Response(text="Welcome to the demo shop")

    async def _checkout(self, request: web.Request) -> web.Response:
        if self.slow:
            await asyncio.sleep(_SLOW_SECONDS)
        return await self._front(request)


def nightly_run(now: datetime, *, failed: bool) -> dict[str, Any]:
    """What the nightly job reports, in the format of requirement FY3."""
    invalid = 1_312 if failed else 23
    run: dict[str, Any] = {
        "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "job_name": "nightly_report",
        "status": "ERROR" if failed else "SUCCESS",
        "duration_seconds": 41.7 if failed else 58.2,
        "rows_processed": 10_240,
        "rows_valid": 10_240 - invalid,
        "rows_invalid": invalid,
        "pct_invalid": round(100 * invalid / 10_240, 2),
        "error_codes": ["CSV_INVALID"] if failed else [],
        "exit_code": 3 if failed else 0,
        "log_level": "ERROR" if failed else "INFO",
    }
    if failed:
        run["output_tail"] = (
            "06:00:11 reading orders-2026.csv\n"
            "06:00:52 line 4127: quantity 'three' is not a number\n"
            "06:00:52 line 4128: 9 columns, expected 11\n"
            "06:00:52 1312 of 10240 rows invalid, giving up\n"
        )
    return run


async def report_run(address: str, token: str, clock: Clock, *, failed: bool) -> None:
    """Post a run to the bot, as a job would. Raises httpx.HTTPError when the bot does not take it."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"{address}/api/v1/runs",
            json=nightly_run(clock(), failed=failed),
            headers={"Authorization": f"Bearer {token}"},
        )
        answer.raise_for_status()
