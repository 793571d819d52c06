"""Use case: what a job's report changes beside its run, and what its record adds to what rules see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from bot.blocks.jobs import render_unknown_job
from bot.domain import jobs
from bot.domain.history import History
from bot.domain.jobs import OpenRun, Terms, past_run
from bot.domain.observation import Observation, clean
from bot.domain.run import Run, RunStatus, Start, summary
from bot.occasions import PRIORITY, post_payload
from bot.records import Records
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


Heard = tuple[bool, timedelta]
"""Whether a job's newest run announced its start, and how long after it the end is heard of."""


@dataclass(slots=True, kw_only=True, eq=False)
class Running:
    """Which jobs may have open runs: all that do by what is committed, and maybe some more.

    Known on SQLite only, where nobody but this process writes; elsewhere every job may.
    """

    database: Database
    _jobs: set[str] | None = None

    def may_be(self, job: str) -> bool:
        return self._jobs is None or job in self._jobs

    async def among(self, connection: Connection, jobs: set[str]) -> set[str]:
        """Those of some jobs that may have open runs. Raises DatabaseError."""
        if self._jobs is None and self.database.is_sqlite:
            self._jobs = {run.job for run in await open_runs.list_all(connection)}
        return jobs if self._jobs is None else jobs & self._jobs

    def begun(self, job: str) -> None:
        """A run is about to be stored as open."""
        if self._jobs is not None:
            self._jobs.add(job)

    def over(self, jobs: Iterable[str]) -> None:
        """It is committed that these have no open runs."""
        if self._jobs is not None:
            self._jobs.difference_update(jobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBook:
    """Keeps what is known of jobs true as they report.

    `channel`: where a job that the configuration does not know is told of, once.
    """

    database: Database
    expectations: Expectations
    channel: str
    records: Records
    introduced: set[str] = field(default_factory=set)
    """Jobs that need no introduction, by what was committed."""
    running: Running
    heard: dict[str, Heard] = field(default_factory=dict)
    """What was committed of how jobs make themselves heard; on SQLite only, where nobody else writes."""

    def may_run(self, job: str) -> bool:
        """False when it is certain that no run of the job is open, by what is committed."""
        return self.running.may_be(job)

    def measured(self, run: Run) -> Run:
        """The run with what follows from it alone, to be kept with it."""
        found = jobs.own_figures(self.expectations.terms_of(run.job), run)
        figures = {name: clean(value) for name, value in found.items()}
        return replace(run, fields={**run.fields, **figures}) if figures else run

    async def open(
        self,
        connection: Connection,
        reported: Sequence[Run],
        starts: Sequence[Start],
        is_timely: Callable[[Run], bool],
        now: datetime,
    ) -> JobPages:
        """Store those runs of a batch that are new, and read what is needed to go through the batch in order.

        `is_timely`: whether a run may be the last word on its job. Raises DatabaseError.
        """
        ids = [run.run_id for run in reported] + [start.rid for start in starts]
        known = await runs.known(connection, {each for each in ids if each is not None})
        new = _new(reported, known)
        after = await self.records.refresh(connection) if new else None
        pages = JobPages(
            book=self,
            connection=connection,
            now=now,
            known=known,
            histories=await self._histories(connection, [run for run in new if is_timely(run)]),
        )
        self.records.forget({run.job for run in new} - pages.histories.keys())
        pages.numbers.extend(await runs.add_all(self.database, connection, new, now, after))
        names = {run.job for run in reported} | {start.job for start in starts}
        pages.asked.update(await self.running.among(connection, names))
        for each in await open_runs.of_jobs(connection, pages.asked):
            pages.running[each.job].append(each)
        return pages

    async def _histories(self, connection: Connection, timely: Sequence[Run]) -> dict[str, History]:
        of_jobs: dict[str, list[Run]] = defaultdict(list)
        for run in timely:
            of_jobs[run.job].append(run)
        return {job: await self._history(connection, job, found) for job, found in of_jobs.items()}

    async def _history(self, connection: Connection, job: str, found: Sequence[Run]) -> History:
        terms = self.expectations.terms_of(job)
        return await self.records.take(
            connection,
            job,
            min(run.finished_at for run in found),
            max(run.finished_at for run in found),
            window=terms.window,
            newest=_most_looked_at(terms),
        )

    def committed(self, pages: JobPages) -> None:
        """Remember for the next batch what is stored now."""
        for job, until in pages.judged_until.items():
            newest = _most_looked_at(self.expectations.terms_of(job))
            pages.histories[job].advance(min(until, pages.now), newest)
        self.records.committed(pages.histories, pages.numbers[-1] if pages.numbers else None)
        self.running.over(job for job in pages.asked if not pages.running[job])
        self.heard.update(pages.heard)


def _new(reported: Sequence[Run], known: Collection[str]) -> list[Run]:
    """Those whose id is not known, the first of each."""
    seen: set[str] = set(known)
    new = []
    for run in reported:
        if run.run_id is None or run.run_id not in seen:
            new.append(run)
        if run.run_id is not None:
            seen.add(run.run_id)
    return new


def _most_looked_at(terms: Terms) -> int:
    return max(_MOST_FAILURES, terms.streak)


def _looked_at(terms: Terms, run: Run) -> int:
    """How many of the newest runs tell what there is to tell of this one."""
    return max(_RECENT_RUNS if run.status is RunStatus.SUCCESS else _MOST_FAILURES, terms.streak)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPages:
    """What is known of the jobs of one batch while it is gone through, report by report; then `write`."""

    book: JobBook
    connection: Connection
    now: datetime
    known: set[str]
    histories: Mapping[str, History]
    running: dict[str, list[OpenRun]] = field(default_factory=lambda: defaultdict(list))
    numbers: list[int] = field(default_factory=list)
    judged_until: dict[str, datetime] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    heard: dict[str, Heard] = field(default_factory=dict)
    _over: set[int] = field(default_factory=set)
    _heard: dict[str, Heard] = field(default_factory=dict)
    _introduced: set[str] = field(default_factory=set)

    async def begin(self, start: Start) -> bool:
        """Note that a run has begun; False when that was known, or when it has ended already.

        Runs of the job that were given up are forgotten; the rest now overlap with this one.
        """
        others = self.running[start.job]
        same = (each for each in others if each.rid == start.rid)
        if start.rid in self.known or any(start.rid or each.started_at == start.at for each in same):
            return False
        self._give_up(start.job)
        await self._write_ends(start.job)
        overlaps = bool(self.running[start.job])
        self.book.heard.pop(start.job, None)
        self.heard.pop(start.job, None)
        self.book.running.begun(start.job)
        self.asked.add(start.job)
        begun = await open_runs.add(self.book.database, self.connection, start, overlapped=overlaps)
        if begun is None:
            return False
        if overlaps:
            await open_runs.note_overlap(self.connection, start.job)
        later = [replace(each, overlapped=overlaps) for each in (*self.running[start.job], begun)]
        self.running[start.job] = sorted(later, key=lambda each: (each.started_at, each.id))
        await self._introduce(start.job, "it has started")
        await known_jobs.started(self.book.database, self.connection, start.job, start.at, self.now)
        return True

    async def end(self, run: Run) -> bool:
        """Note that a run has ended; False when it was stored before this batch or this report."""
        if run.run_id is not None:
            if run.run_id in self.known:
                return False
            self.known.add(run.run_id)
        await self._introduce(run.job, summary(run))
        if run.job in self.histories:
            self.histories[run.job].add(past_run(run, self.now))
        return True

    def close(self, run: Run) -> OpenRun | None:
        """End the open run that a report is about, and return it; those given up of the same job end as well."""
        running = self.running[run.job]
        ended = jobs.ended_by(running, run)
        if ended is not None:
            running.remove(ended)
            self._over.add(ended.id)
        self._give_up(run.job)
        return ended

    def look_back(self, run: Run, begun: OpenRun | None, observation: Observation) -> Observation:
        """The observation of the newest run, with all that the job's record tells. `begun`: how it was announced."""
        terms = self.book.expectations.terms_of(run.job)
        self.judged_until[run.job] = run.finished_at
        record = self.histories[run.job].record(run.finished_at, _looked_at(terms, run))
        if not run.was_refused:
            recent = replace(record, newest=record.newest[:_RECENT_RUNS])
            self._heard[run.job] = begun is not None, jobs.heard_after(terms, recent)
        found = jobs.record_figures(terms, record)
        found["overlapping"] = begun is not None and begun.overlapped
        return replace(observation, fields={**observation.fields, **found})

    async def write(self) -> None:
        """Store what has changed since it was opened."""
        await open_runs.delete(self.connection, self._over)
        await self._write_heard(self._heard)

    async def _write_ends(self, job: str) -> None:
        """Store what ended before a start, so that the start comes after it."""
        await open_runs.delete(self.connection, self._over)
        self._over.clear()
        if job in self._heard:
            await self._write_heard({job: self._heard.pop(job)})

    async def _write_heard(self, found: Mapping[str, Heard]) -> None:
        """Store what is not known to be stored already."""
        new = {job: each for job, each in found.items() if self.book.heard.get(job) != each}
        await known_jobs.ended(self.connection, new)
        if self.book.database.is_sqlite and new:
            stored = await known_jobs.among(self.connection, new)
            self.heard.update((job, each) for job, each in new.items() if job in stored)

    def _give_up(self, job: str) -> None:
        """Forget the open runs of a job that nothing was heard of for too long."""
        given_up_before = self.now - self.book.expectations.terms_of(job).given_up_after
        lost = {each.id for each in self.running[job] if each.started_at < given_up_before}
        if lost:
            self._over.update(lost)
            self.running[job] = [each for each in self.running[job] if each.id not in lost]

    async def _introduce(self, job: str, said: str) -> None:
        """Tell of a job that the configuration does not know, the first time it makes itself heard."""
        book = self.book
        if job in book.introduced or job in self._introduced or book.expectations.terms_of(job).timetable:
            return
        if not await known_jobs.introduce(book.database, self.connection, job, self.now):
            book.introduced.add(job)  # committed before, so it stays true
            return
        self._introduced.add(job)
        log.info("unknown_job", job=job)
        if await known_jobs.count_introduced(self.connection, self.now - _A_DAY) > _MOST_INTRODUCED:
            return  # names that carry a date or a number, or a configuration without jobs
        await outbox.add_post(
            book.database,
            self.connection,
            key=f"unknown-job:{job}:{self.now.isoformat()}",
            lane=Lane(destination="slack", channel=book.channel),
            payload=post_payload(render_unknown_job(job, said), book.channel),
            priority=PRIORITY,
            now=self.now,
        )
