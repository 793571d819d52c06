"""The time a check may take, and the result when it takes longer."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from checks.options import Check, TimesOut
from checks.result import CheckResult, State


async def run_within(check: Check, limit: timedelta) -> CheckResult:
    """The check's result, or its own word for having none in time. Raises what `run` raises."""
    seconds = limit.total_seconds()
    try:
        async with asyncio.timeout(seconds) as deadline:
            return await check.run()
    except TimeoutError:
        if not deadline.expired():
            raise
        if isinstance(check, TimesOut):
            return check.timed_out(seconds)
        return CheckResult(state=State.UNKNOWN, summary=f"not finished within {seconds:g} s")
