"""Use case: what a job's report changes beside its run, and what its record adds to what rules see."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from bot.blocks.jobs import render_unknown_job
from bot.domain import jobs
from bot.domain.jobs import OpenRun, Terms
from bot.domain.observation import Observation
from bot.domain.run import Run, RunStatus, Start, summary
from bot.occasions import PRIORITY, post_payload
from storage import known_jobs, open_runs, outbox, runs
from storage.database import Connection, Database
from storage.outbox import Lane

log = structlog.get_logger(__name__)

_MOST_INTRODUCED = 20
_A_DAY = timedelta(days=1)
_RECENT_RUNS = 10
_MOST_FAILURES = 50  # in a row; nobody needs to know how many more


class Expectations(Protocol):
    """What is expected of jobs; the empty timetable is that of a job nobody configured."""

    def terms_of(self, job: str) -> Terms: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBook:
    """Keeps what is known of jobs true as they report. Works in the caller's transaction.

    `channel`: where a job that the configuration does not know is told of, once.
    """

    database: Database
    expectations: Expectations
    channel: str
    _introduced: set[str] = field(default_factory=set)

    def measured(self, run: Run) -> Run:
        """The run with what follows from it alone, to be kept with it."""
        found = jobs.own_figures(self.expectations.terms_of(run.job), run)
        return replace(run, fields={**run.fields, **found}) if found else run

    async def begin(self, connection: Connection, start: Start, now: datetime) -> bool:
        """Note that a run has begun; False when that was known, or when it has ended already."""
        if start.rid is not None and await runs.is_known(connection, start.rid):
            return False
        terms = self.expectations.terms_of(start.job)
        if not await open_runs.start(self.database, connection, start, now - terms.given_up_after):
            return False
        await self._introduce(connection, start.job, "it has started", now)
        await known_jobs.started(self.database, connection, start.job, start.at, now)
        return True

    async def end(self, connection: Connection, run: Run, now: datetime) -> OpenRun | None:
        """A run was stored: end the open run that it is about, and return that."""
        await self._introduce(connection, run.job, summary(run), now)
        terms = self.expectations.terms_of(run.job)
        return await open_runs.end(connection, run, now - terms.given_up_after)

    async def look_back(
        self, connection: Connection, run: Run, begun: OpenRun | None, observation: Observation
    ) -> Observation:
        """The observation of the newest run, with all that the job's record tells. `begun`: how it was announced."""
        terms = self.expectations.terms_of(run.job)
        failed = run.status is not RunStatus.SUCCESS
        record = await runs.record(
            connection,
            run.job,
            run.finished_at,
            window=terms.window,
            newest=max(_MOST_FAILURES if failed else _RECENT_RUNS, terms.streak),
        )
        if not run.was_refused:
            recent = replace(record, newest=record.newest[:_RECENT_RUNS])
            await known_jobs.ended(
                connection,
                run.job,
                announced=begun is not None,
                heard_after=jobs.heard_after(terms, recent),
            )
        found = jobs.record_figures(terms, record)
        found["overlapping"] = begun is not None and begun.overlapped
        return replace(observation, fields={**observation.fields, **found})

    async def _introduce(self, connection: Connection, job: str, said: str, now: datetime) -> None:
        """Tell of a job that the configuration does not know, the first time it makes itself heard."""
        if job in self._introduced or self.expectations.terms_of(job).timetable:
            return
        if not await known_jobs.introduce(self.database, connection, job, now):
            self._introduced.add(job)  # committed before, so it stays true
            return
        log.info("unknown_job", job=job)
        if await known_jobs.count_introduced(connection, now - _A_DAY) > _MOST_INTRODUCED:
            return  # names that carry a date or a number, or a configuration without jobs
        await outbox.add_post(
            self.database,
            connection,
            key=f"unknown-job:{job}:{now.isoformat()}",
            lane=Lane(destination="slack", channel=self.channel),
            payload=post_payload(render_unknown_job(job, said), self.channel),
            priority=PRIORITY,
            now=now,
        )
