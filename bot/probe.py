"""One configured check: run it by its deadline, whatever it does, and say what rules see of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.config.probing import CheckSettings
from bot.config.settings import Settings
from bot.domain.clock import Clock
from bot.domain.observation import Observation, Source, SourceKind
from checks.client import probe_client
from checks.deadline import Supervised
from checks.options import Check, CheckContext
from checks.result import CheckResult, State
from checks.threads import Threads

_THREADS = 32
# What one check may bring, so that a short interval with many parts does not fill the queue of all others.
_PARTS_A_SECOND, _FEWEST_PARTS, _MOST_PARTS = 20, 50, 1000
_MOST_PATIENCE = 5.0  # seconds that blocking work waits for a thread, or half the check's time limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A check by its name, its settings and the means to run it."""

    name: str
    settings: CheckSettings
    check: Check
    zone: ZoneInfo
    clock: Clock
    _supervised: Supervised = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "_supervised", Supervised(self.check, self.name, most_parts=self._most_parts)
        )

    async def observe(self) -> list[Observation]:
        """Run it and report, one observation a resource. Never raises but for cancellation."""
        result = self.pending(self.settings, self.clock()) or await self._supervised.run(
            self.settings.timeout
        )
        return list(self._observations(result, self.clock()))

    def pending(self, settings: CheckSettings, now: datetime) -> CheckResult | None:
        """Outside its hours, or before it is due, a check is not asked, and the member of a group not heard."""
        local = now.astimezone(self.zone).time()
        window, due = settings.between, settings.due
        if window is not None and not window.holds(local):
            return CheckResult(state=State.PENDING, summary=f"not asked outside {window}")
        if due is not None and "due" not in type(settings.options).model_fields and local < due:
            return CheckResult(state=State.PENDING, summary=f"not due before {due:%H:%M}")
        return None

    @property
    def _most_parts(self) -> int:
        seconds = self.settings.every.total_seconds() if self.settings.every else 60.0
        return int(min(_MOST_PARTS, max(_FEWEST_PARTS, seconds * _PARTS_A_SECOND)))

    def _observations(self, result: CheckResult, now: datetime) -> Iterator[Observation]:
        resource = self.settings.resource or result.resource or self.name
        yield self._observation(self.name, result, resource, now)
        members = self.settings.checks
        for part in result.parts:
            about = part.resource or self.name
            if about in members:  # of a group: a check of its own, with its own rules
                heard = self.pending(members[about], now) or part
                yield self._observation(about, heard, members[about].resource or about, now)
            else:
                yield self._observation(self.name, part, about, now)

    def _observation(self, name: str, result: CheckResult, resource: str, now: datetime) -> Observation:
        return Observation(
            source=Source(kind=SourceKind.CHECK, name=name),
            resource=resource,
            state=result.state,
            at=now,
            summary=result.summary,
            fields=result.fields,
            diagnostics=result.diagnostics,
            remedy=result.remedy,
        )


@asynccontextmanager
async def probes_of(settings: Settings, clock: Clock) -> AsyncIterator[list[Probe]]:
    """Every configured check, ready to run, with the means they share; closed at the end."""
    threads = Threads(_THREADS)
    async with probe_client() as client:
        means = CheckContext(http=client, threads=threads.lane(""), timezone=settings.timezone, clock=clock)
        try:
            yield [
                _probe(name, check, threads, means, settings.timezone)
                for name, check in settings.checks.items()
            ]
        finally:
            threads.close()


def _probe(
    name: str, settings: CheckSettings, threads: Threads, means: CheckContext, zone: ZoneInfo
) -> Probe:
    patience = min(_MOST_PATIENCE, settings.timeout.total_seconds() / 2)
    context = replace(means, threads=threads.lane(name, patience))
    return Probe(
        name=name,
        settings=settings,
        check=settings.options.build(context),
        zone=zone,
        clock=means.clock,
    )
