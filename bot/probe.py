"""One configured check: run it by its deadline, whatever it does, and say what rules see of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from bot.config.probing import CheckSettings
from bot.config.settings import Settings
from bot.domain.clock import Clock
from bot.domain.observation import Observation, Source, SourceKind
from checks.client import probe_client
from checks.deadline import run_within
from checks.options import Check, CheckContext
from checks.result import CheckResult, State

log = structlog.get_logger(__name__)

_MOST_FIELDS = 200
_THREADS = 16


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
        try:
            return await run_within(self.check, self.settings.timeout)
        except Exception as error:
            log.exception("check_crashed", check=self.name)
            return CheckResult(
                state=State.UNKNOWN, summary=f"the check itself failed: {type(error).__name__}: {error}"
            )

    def _observations(self, result: CheckResult, now: datetime) -> Iterator[Observation]:
        resource = self.settings.resource or result.resource or self.name
        yield self._observation(self.name, result, resource, now)
        members = self.settings.checks
        for part in result.parts:
            about = part.resource or self.name
            if about in members:  # of a group: a check of its own, with its own rules
                yield self._observation(about, part, members[about].resource or about, now)
            else:
                yield self._observation(self.name, part, about, now)

    def _observation(self, name: str, result: CheckResult, resource: str, now: datetime) -> Observation:
        return Observation(
            source=Source(kind=SourceKind.CHECK, name=name),
            resource=resource,
            state=result.state,
            at=now,
            summary=result.summary,
            fields=dict(list(result.fields.items())[:_MOST_FIELDS]),
            diagnostics=result.diagnostics,
            remedy=result.remedy,
        )


@asynccontextmanager
async def probes_of(settings: Settings, clock: Clock) -> AsyncIterator[list[Probe]]:
    """Every configured check, ready to run, with the means they share; closed at the end."""
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="check")
    async with probe_client() as client:
        context = CheckContext(http=client, threads=threads, timezone=settings.timezone, clock=clock)
        probes = [
            Probe(
                name=name,
                settings=check,
                check=check.options.build(context),
                zone=settings.timezone,
                clock=clock,
            )
            for name, check in settings.checks.items()
        ]
        try:
            yield probes
        finally:
            for probe in probes:
                close = getattr(probe.check, "close", None)
                if close is not None:
                    await close()
            threads.shutdown(wait=False, cancel_futures=True)
