"""Use case: look at the configured jobs between their runs, so that what does not happen is told as well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.clock import Clock
from bot.domain.job_questions import observed
from bot.domain.jobs import Dues, Look, OpenRun, Sight, Terms, look
from bot.domain.observation import Source, SourceKind
from bot.monitoring import Monitoring
from storage import known_jobs, open_runs, sources
from storage.database import Connection, Database

REPEATED = timedelta(minutes=1)
"""A trouble that goes on unchanged is looked at again for the record so often."""


class Expected(Protocol):
    """What is expected of jobs at present."""

    @property
    def terms(self) -> Mapping[str, Terms]: ...

    @property
    def other_terms(self) -> Terms: ...


@dataclass(slots=True, kw_only=True)
class Watch:
    """Observes the jobs that something is wrong with, and those that it was wrong with, through `monitoring`.

    `expected` knows the terms of the configured jobs, and those that runs announced by others are held to.
    """

    database: Database
    monitoring: Monitoring
    expected: Expected
    clock: Clock
    _looking_since: datetime | None = None
    _expected: bool = False
    _dues: dict[str, Dues] = field(default_factory=dict)
    _told: dict[str, tuple[object, datetime]] = field(default_factory=dict)

    async def tick(self) -> None:
        """Look at every job once. Raises DatabaseError; then the next tick looks again."""
        now = self.clock()
        if self.monitoring.trouble is not None:
            self._looking_since = None  # what is reported now is refused, so nobody can tell who is late
            return
        if self._looking_since is None:
            await self._begin(now)
        async with self.database.snapshot() as connection:
            known = await known_jobs.sights(connection)
            running = _by_job(await open_runs.list_all(connection))
            for job in {**self.expected.terms, **running, **self._told}:
                sight = known.get(job) or Sight(known_since=now)
                if job in running:
                    sight = replace(sight, running=tuple(running[job]))
                await self._look(connection, job, sight, now)

    async def _begin(self, now: datetime) -> None:
        """Start to look: what happened before may not have been heard."""
        timetables = {job: terms.timetable for job, terms in self.expected.terms.items()}
        async with self.database.transaction() as connection:
            await known_jobs.expect(self.database, connection, timetables, now)
            troubled = await sources.troubled_jobs(connection)
        self._told = dict.fromkeys(troubled, (None, now - REPEATED))
        self._looking_since = now

    async def _look(self, connection: Connection, job: str, sight: Sight, now: datetime) -> None:
        assert self._looking_since is not None
        terms = self.expected.terms.get(job, self.expected.other_terms)
        found = look(terms, self._dues_of(job, terms), sight, now, self._looking_since)
        if not self._is_news(job, terms, found, now):
            return
        streak = await self._streak(connection, job) if found.high else 0
        self.monitoring.observe(observed(job, terms, sight, found, now, streak))

    def _is_news(self, job: str, terms: Terms, found: Look, now: datetime) -> bool:
        """Whether to observe it: a trouble that is new, has changed, lasts a while longer or is over."""
        told = self._told.get(job)
        if not found.in_trouble:
            if told is None or not found.certain:
                return False
            del self._told[job]
            return True
        at_worst = found.utilization is not None and found.utilization >= 100 * terms.critical
        what = (found.late and found.due_at, found.high, at_worst, found.never_finished, found.overlapping)
        if told is not None and told[0] == what and now - told[1] < REPEATED:
            return False
        self._told[job] = (what, now)
        return True

    def _dues_of(self, job: str, terms: Terms) -> Dues | None:
        if terms.schedule is None:
            return None
        found = self._dues.get(job)
        if found is None:
            found = self._dues[job] = Dues(terms.schedule)
        return found

    async def _streak(self, connection: Connection, job: str) -> int:
        """How many runs in a row, up to the newest that ended, used up much of their budget."""
        standing = await sources.get(connection, Source(kind=SourceKind.JOB, name=job), job)
        count = standing.fields.get("high_utilization_streak") if standing is not None else 0
        return count if isinstance(count, int) else 0


def _by_job(running: list[OpenRun]) -> dict[str, list[OpenRun]]:
    found: dict[str, list[OpenRun]] = defaultdict(list)
    for run in running:
        found[run.job].append(run)
    return dict(found)
