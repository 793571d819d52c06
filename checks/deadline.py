"""Running a check so that whatever it does harms no other: by its deadline, in a task of its own, within bounds."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic

import structlog

from checks._bounds import MOST_PARTS, bounded, text_of
from checks._secrets import masked
from checks.options import Check, TimesOut, format_duration
from checks.result import CannotRun, CheckResult, State

log = structlog.get_logger(__name__)

_GRACE = 5.0  # seconds to end in after being told to; a program that is run gets TERM, then KILL, within them


class Supervised:
    """A check whose every run has a result, in time and of bearable size.

    A run that does not end though it was told to is left behind, and none begins beside it.
    """

    def __init__(
        self, check: Check, name: str = "", *, grace: float = _GRACE, most_parts: int = MOST_PARTS
    ) -> None:
        self._check, self._name, self._grace, self._most_parts = check, name, grace, most_parts
        self._stray: asyncio.Task[object] | None = None
        self._began = 0.0
        self._crashed = ""

    async def run(self, limit: timedelta) -> CheckResult:
        """The check's result, or why there is none. Raises only CancelledError, when the caller is cancelled."""
        if self._stray is not None and not self._stray.done():
            return self._still_running()
        seconds, self._began = limit.total_seconds(), monotonic()
        task = asyncio.create_task(self._result(), name=f"check:{self._name}")
        try:
            await asyncio.wait([task], timeout=seconds)
            if not task.done():
                await self._end(task)
                return self._bounded(self._timed_out(seconds))
        except asyncio.CancelledError:
            await self._end(task)
            raise
        return self._bounded(self._result_of(task))

    async def _result(self) -> object:
        """What `run` gives or raises. SystemExit and the like would end the loop if they left the task."""
        try:
            return await self._check.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  (whatever it is, it is about this check only)
            return error

    async def _end(self, task: asyncio.Task[object]) -> None:
        self._stray = task
        task.cancel()
        await asyncio.wait([task], timeout=self._grace)
        if not task.done():
            log.error("check_does_not_end", check=self._name)

    def _result_of(self, task: asyncio.Task[object]) -> object:
        if task.cancelled():
            return _unknown("the check itself failed: it cancelled itself")
        found = task.result()
        if isinstance(found, CannotRun):
            return _unknown(masked(text_of(found)), found.remedy)
        return self._crash(found) if isinstance(found, BaseException) else found

    def _timed_out(self, seconds: float) -> object:
        if isinstance(self._check, TimesOut):
            try:
                return self._check.timed_out(seconds)
            except Exception as error:  # noqa: BLE001  (the check's own code)
                return self._crash(error)
        return _unknown(f"not finished within {seconds:g} s")

    def _bounded(self, result: object) -> CheckResult:
        try:
            return bounded(result, self._most_parts)
        except Exception as error:  # noqa: BLE001  (a result's own code)
            return self._crash(error)

    def _crash(self, error: BaseException) -> CheckResult:
        said = " ".join(masked(text_of(error)[:500]).split())
        told = f"{type(error).__name__}: {said}"[:300] if said else type(error).__name__
        if told != self._crashed:  # each kind of crash once, however often the check runs
            log.error("check_crashed", check=self._name, exc_info=error)
            self._crashed = told
        return _unknown(f"the check itself failed: {told}")

    def _still_running(self) -> CheckResult:
        since = format_duration(timedelta(seconds=max(1, round(monotonic() - self._began))))
        return _unknown(
            f"its run of {since} ago has not ended, though it was told to", "restart Tocsin to be rid of it"
        )


async def run_within(check: Check, limit: timedelta) -> CheckResult:
    """The result of one supervised run."""
    return await Supervised(check).run(limit)


def _unknown(summary: str, remedy: str | None = None) -> CheckResult:
    return CheckResult(state=State.UNKNOWN, summary=summary, remedy=remedy)
