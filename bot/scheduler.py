"""What runs by the clock: checks, each at its own phase, and the ticks of everything that is a row with a due time."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_SUBMITTED
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.schedulers.base import STATE_PAUSED
from apscheduler.triggers.base import BaseTrigger

from bot.config.probing import CheckSettings
from bot.domain.clock import Clock
from bot.domain.observation import Observation
from bot.domain.schedule import Cron, Daily, Schedule
from bot.monitoring import Monitoring
from bot.probe import Probe
from storage.database import DatabaseError

log = structlog.get_logger(__name__)

TICK = timedelta(seconds=5)
_CLOSEST_STARTS = timedelta(milliseconds=250)
_MOST_AT_ONCE = 500


class Phased(BaseTrigger):  # type: ignore[misc]
    """Every interval from a first instant on; at once when that has passed before the scheduler started."""

    def __init__(self, first: datetime, interval: timedelta) -> None:
        self._first = first
        self._interval = interval

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The first instant of the grid after both: never `previous` again, which APScheduler asks for ever."""
        if previous is None:
            return max(self._first, now)
        passed = max(previous, now) - self._first
        return self._first + max(0, passed // self._interval + 1) * self._interval


class _At(BaseTrigger):  # type: ignore[misc]
    """By schedules in the team's zone, right across clock changes; the earliest counts."""

    def __init__(self, schedules: Sequence[Schedule]) -> None:
        self._schedules = schedules

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return min(schedule.next_after(max(previous or now, now)) for schedule in self._schedules)


class Scheduler:
    """Starts each check when its time comes, never twice at once, and at most so many together.

    `report` is told what a check found whose every result is to be posted.
    """

    def __init__(
        self,
        *,
        monitoring: Monitoring,
        clock: Clock,
        report: Callable[[str, Sequence[Observation]], Awaitable[None]],
    ) -> None:
        self._monitoring = monitoring
        self._report = report
        self._probes: Sequence[Probe] = ()
        self._planned: dict[str, datetime] = {}
        self._clock = clock
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)
        self._running: set[asyncio.Task[Any]] = set()
        self._busy: dict[str, asyncio.Lock] = {}
        self.missed = 0
        """Starts that were skipped because the last run still went on."""
        self.lag = timedelta(0)
        """How long after its planned start the last check started."""
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            # However late a check is, it runs: the next time may be tomorrow.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(self._note_planned, EVENT_JOB_SUBMITTED)
        self._scheduler.add_listener(self._note_missed, EVENT_JOB_MAX_INSTANCES)

    def add_probes(self, probes: Sequence[Probe]) -> None:
        """The checks to run from `start` on."""
        self._probes = probes
        self._busy = {probe.name: asyncio.Lock() for probe in probes}

    def add_tick(self, name: str, tick: Callable[[], Awaitable[object]], interval: timedelta = TICK) -> None:
        """Call something every so often; a database that refuses is for the next tick."""

        async def guarded() -> None:
            try:
                with self._noted():
                    await tick()
            except (DatabaseError, OSError) as error:
                log.error("tick_failed", tick=name, reason=str(getattr(error, "orig", None) or error))
            except Exception:
                log.exception("tick_crashed", tick=name)

        trigger = Phased(self._clock(), interval)
        self._scheduler.add_job(guarded, trigger=trigger, id=f"tick:{name}", name=name)

    async def run_now(self, check: str) -> bool:
        """Run a check, or the group it is a member of, and record what it finds; returns after the commit.

        False when there is no such check. Raises DatabaseError, OSError.
        """
        probe = next((p for p in self._probes if check == p.name or check in p.settings.checks), None)
        if probe is None:
            return False
        async with self._busy[probe.name]:
            for observation in await probe.observe():
                await self._monitoring.record(observation)
        return True

    def start(self) -> None:
        """Begin: every check by interval has its first run within that interval, each at its own phase."""
        for probe, trigger in zip(self._probes, triggers(self._probes, self._clock()), strict=True):
            self._scheduler.add_job(
                self._probe, trigger=trigger, args=[probe], id=f"check:{probe.name}", name=probe.name
            )
        self._scheduler.start()

    async def stop(self) -> None:
        """Start nothing more; give what runs a moment, then end it."""
        if not self._scheduler.running:
            return
        self._scheduler.pause()  # shutdown() would cancel what runs, at once and with a traceback each
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._scheduler.shutdown(wait=False)

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Keep the running task where `stop` finds it; being ended by `stop` is no error."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if self._scheduler.state != STATE_PAUSED:
                raise
        finally:
            self._running.discard(task)

    async def _probe(self, probe: Probe) -> None:
        with self._noted():
            async with self._slots, self._busy[probe.name]:
                self.lag = self._clock() - self._planned[f"check:{probe.name}"]
                observations = await probe.observe()
            for observation in observations:
                self._monitoring.observe(observation)
            if probe.settings.report:
                await self._report(probe.name, observations)

    def _note_planned(self, event: Any) -> None:
        self._planned[event.job_id] = event.scheduled_run_times[-1]

    def _note_missed(self, event: Any) -> None:
        self.missed += 1
        log.warning("check_start_skipped", job=event.job_id)


def triggers(probes: Sequence[Probe], start: datetime) -> list[BaseTrigger]:
    """When each check runs. Those of one interval are spread over it: close together when few, evenly when many.

    The same checks in the same order always come to the same phases.
    """
    counts = Counter(interval for probe in probes if (interval := _interval(probe)) is not None)
    numbers: Counter[timedelta] = Counter()
    found: list[BaseTrigger] = []
    for probe in probes:
        interval = _interval(probe)
        if interval is None:
            found.append(_at_times(probe))
            continue
        step = min(_CLOSEST_STARTS, interval / counts[interval])
        found.append(Phased(start + step * numbers[interval], interval))
        numbers[interval] += 1
    return found


def _at_times(probe: Probe) -> BaseTrigger:
    settings = probe.settings
    if settings.cron is not None:
        return _At([Cron(settings.cron, probe.zone)])
    return _At([Daily(at=at, zone=probe.zone) for at in settings.at or ()])


def _interval(probe: Probe) -> timedelta | None:
    settings = probe.settings
    return None if settings.cron is not None or settings.at else interval_of(settings)


def interval_of(settings: CheckSettings) -> timedelta:
    """How often a check without cron or times runs."""
    return settings.every or timedelta(minutes=1)
