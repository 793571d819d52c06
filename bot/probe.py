"""One configured check: run it by its deadline, whatever it does, and say what rules see of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from bot.config.probing import CheckSettings
from bot.domain.clock import Clock
from bot.domain.observation import Observation, Source, SourceKind
from checks.options import Check, format_duration
from checks.result import CheckResult, State

log = structlog.get_logger(__name__)

_MOST_FIELDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A check by its name, its settings and the means to run it."""

    name: str
    settings: CheckSettings
    check: Check
    zone: ZoneInfo
    clock: Clock

    async def observe(self) -> list[Observation]:
        """Run it and report, one observation a resource. Never raises but for cancellation."""
        result = self.pending(self.clock()) or await self._run()
        return list(self._observations(result, self.clock()))

    def pending(self, now: datetime) -> CheckResult | None:
        """Outside its hours, or before it is due, a check is not asked."""
        local = now.astimezone(self.zone).time()
        window, due = self.settings.between, self.settings.due
        if window is not None and not window.holds(local):
            return CheckResult(state=State.PENDING, summary=f"not asked outside {window}")
        if due is not None and "due" not in type(self.settings.options).model_fields and local < due:
            return CheckResult(state=State.PENDING, summary=f"not due before {due:%H:%M}")
        return None

    async def _run(self) -> CheckResult:
        timeout = self.settings.timeout
        try:
            async with asyncio.timeout(timeout.total_seconds()) as deadline:
                return await self.check.run()
        except TimeoutError:
            if not deadline.expired():
                log.exception("check_crashed", check=self.name)
                return CheckResult(state=State.UNKNOWN, summary="the check itself failed: TimeoutError")
            return self._timed_out(timeout)
        except Exception as error:
            log.exception("check_crashed", check=self.name)
            return CheckResult(
                state=State.UNKNOWN, summary=f"the check itself failed: {type(error).__name__}: {error}"
            )

    def _timed_out(self, timeout: timedelta) -> CheckResult:
        told = getattr(self.check, "timed_out", None)
        if told is not None:
            result: CheckResult = told(timeout.total_seconds())
            return result
        return CheckResult(
            state=State.UNKNOWN,
            summary=f"no result within {format_duration(timeout)}",
            remedy="raise `timeout`, or find out why it takes so long",
        )

    def _observations(self, result: CheckResult, now: datetime) -> Iterator[Observation]:
        yield self._observation(result, self.settings.resource or result.resource or self.name, now)
        for part in result.parts:
            yield self._observation(part, part.resource or self.name, now)

    def _observation(self, result: CheckResult, resource: str, now: datetime) -> Observation:
        return Observation(
            source=Source(kind=SourceKind.CHECK, name=self.name),
            resource=resource,
            state=result.state,
            at=now,
            summary=result.summary,
            fields=dict(list(result.fields.items())[:_MOST_FIELDS]),
            diagnostics=result.diagnostics,
            remedy=result.remedy,
        )
