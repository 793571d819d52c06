"""Use case: record what was observed.

One writer commits whatever queued while its last commit ran, and answers each caller after the commit that
holds its observation. Nobody waits for what checks find, so it is gathered for a moment, and kept and tried
again while the database cannot be written; who waits for an answer is told of that at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot import failpoint
from bot.announcing import Announcer
from bot.domain.clock import Clock
from bot.domain.observation import Observation, cleaned
from bot.domain.rule import RuleGroup
from bot.domain.run import Run, Start, cleaned_run, cleaned_start, notice_of, observation_of
from bot.hindsight import Hindsight
from bot.job_book import JobBook, Running
from bot.ledger import Standings
from bot.recording import Recorder, Report, Rulebook
from bot.records import Records
from bot.silence_book import SilenceBook
from storage.alerts import StaleAlert
from storage.database import Database, DatabaseError, is_about_content, is_cut_off

log = structlog.get_logger(__name__)

_LARGEST_BATCH = 256
_GATHERED = timedelta(milliseconds=250)
_MOST_KEPT = 10_000
_RETRY = timedelta(seconds=1)
_SLOWEST_RETRY = timedelta(seconds=30)
_RETRY_AT_STOP = timedelta(milliseconds=200)
_TRIES = 5
_ENOUGH_FAILURES = 2


@dataclass(slots=True, eq=False)
class _Item:
    """Something to record. Without an `answer` nobody waits, and it is kept until it is written."""

    report: Report
    answer: asyncio.Future[bool] | None = None


class Monitoring:
    """Records observations and what they change. Call `start` before and `stop` after.

    `wake` is called after every commit that left something to deliver.
    """

    def __init__(
        self,
        *,
        database: Database,
        rulebook: Rulebook,
        announcer: Announcer,
        clock: Clock,
        wake: Callable[[], None],
        silences: SilenceBook | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._jobs = JobBook(
            database=database,
            expectations=rulebook,
            channel=announcer.channel,
            records=Records(database=database),
            running=Running(database=database),
        )
        self._recorder = Recorder(
            database=database,
            rulebook=rulebook,
            standings=Standings(database=database),
            announcer=announcer,
            silences=silences or SilenceBook(database=database),
            jobs=self._jobs,
            hindsight=Hindsight(database, rulebook),
            clock=clock,
        )
        self._wake = wake
        self._asked: deque[_Item] = deque()
        self._observed: deque[_Item] = deque()
        self._something = asyncio.Event()
        self._urged = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._writer: asyncio.Task[None] | None = None
        self._settling = 0
        self._stopping = False
        self.trouble: str | None = None
        """Why nothing can be written at present, or None."""

    def observe(self, observation: Observation) -> None:
        """Record what a check found, soon. Kept in memory while the database cannot be written."""
        if len(self._observed) >= _MOST_KEPT:
            lost = self._observed.popleft()
            log.error("observation_dropped", source=str(lost.report.observation.source), kept=_MOST_KEPT)
        self._observed.append(_Item(Report(observation=cleaned(observation))))
        self._announce()

    async def record(self, observation: Observation, rules: tuple[RuleGroup, ...] | None = None) -> None:
        """Record an observation; returns after the commit. Raises DatabaseError, OSError.

        One that brings its own `rules` makes alerts and leaves nothing else behind.
        """
        await self._queued(Report(observation=cleaned(observation), rules=rules))

    async def record_run(self, run: Run, *, past: bool = False) -> bool:
        """Record a run; returns after the commit. False when its `run_id` is known.

        `past`: it ended long before anybody listened, so it is kept and shown, and no rule is asked.
        Raises DatabaseError and OSError, at once, while the database cannot be written.
        """
        return await self._queued(self._report_of(run, past=past))

    async def record_runs(self, found: Sequence[Run], *, past: bool = False) -> list[bool]:
        """Record runs in their order; returns after the last commit. False for each whose `run_id` is known.

        Raises DatabaseError and OSError, at once, while the database cannot be written: then some of the runs
        may be stored, and all can be given again.
        """
        return list(await asyncio.gather(*[self._queued(self._report_of(run, past=past)) for run in found]))

    async def record_start(self, job: str, rid: str | None, at: datetime) -> bool:
        """Record that a run has begun; returns after the commit. False when that is known. Raises DatabaseError.

        `rid` is the id that the run's end will carry, as its `run_id` or its field `rid`.
        """
        start = cleaned_start(Start(job=job, rid=rid, at=min(at, self._clock())))
        return await self._queued(Report(observation=notice_of(start), start=start))

    def may_run(self, job: str) -> bool:
        """False when it is certain that no run of the job has begun and not ended, by what is committed."""
        return self._jobs.may_run(job)

    def start(self) -> asyncio.Task[None]:
        """Begin to write; the task ends only by `stop` or by a defect."""
        self._writer = asyncio.create_task(self._write_forever(), name="monitoring-writer")
        return self._writer

    async def settle(self) -> None:
        """Wait until everything observed so far is written."""
        self._settling += 1
        self._urged.set()
        try:
            await self._idle.wait()
        finally:
            self._settling -= 1

    async def stop(self) -> None:
        """Write what is queued, then end; gives up after a few seconds when the database refuses."""
        if self._writer is None:
            return
        self._stopping = True
        self._urged.set()
        try:
            async with asyncio.timeout(5):
                await self._idle.wait()
        except TimeoutError:
            log.error("observations_lost_at_stop", count=len(self._observed), reason=self.trouble)
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)

    def _report_of(self, run: Run, *, past: bool) -> Report:
        run = self._jobs.measured(cleaned_run(run))
        return Report(observation=observation_of(run, self._clock()), run=run, past=past)

    def _queued(self, report: Report) -> asyncio.Future[bool]:
        """The answer, once the report is committed."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked.append(_Item(report, answer))
        self._urged.set()
        self._announce()
        return answer

    def _announce(self) -> None:
        self._idle.clear()
        self._something.set()

    async def _write_forever(self) -> None:
        delay = _RETRY
        while True:
            await self._something.wait()
            await self._gather()
            batch = _taken(self._asked) + _taken(self._observed)
            if not batch:
                self._something.clear()
                self._idle.set()
                continue
            kept = await self._write(batch)
            if not kept:
                delay = _RETRY
                continue
            self._observed.extendleft(reversed(kept))
            await self._rest(_RETRY_AT_STOP if self._stopping else delay)
            delay = min(delay * 2, _SLOWEST_RETRY)

    async def _gather(self) -> None:
        """Give what checks find a moment to come together, unless somebody waits for it to be written."""
        self._urged.clear()
        if self._asked or self._settling or self._stopping or len(self._observed) >= _LARGEST_BATCH:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GATHERED.total_seconds()):
                await self._urged.wait()

    async def _rest(self, pause: timedelta) -> None:
        """Wait before what is kept is tried again; who asks meanwhile is answered at once."""
        end = asyncio.get_running_loop().time() + pause.total_seconds()
        while self.trouble is not None:
            if asked := _taken(self._asked):
                await self._write(asked)
                continue
            self._urged.clear()
            try:
                async with asyncio.timeout_at(end):
                    await self._urged.wait()
            except TimeoutError:
                return
            if self._stopping:
                return

    async def _write(self, batch: list[_Item]) -> list[_Item]:
        """Commit a batch, each alone if together they fail; returns those to try again."""
        try:
            await self._commit_again(batch)
        except (DatabaseError, OSError, StaleAlert) as error:
            if len(batch) > 1 and not is_cut_off(error):
                return await self._write_each(batch, error)
            return [item for item in batch if self._is_kept(item, error)]
        except Exception as error:
            if len(batch) > 1:
                return await self._write_each(batch, error)
            log.exception("observation_not_recorded", source=str(batch[0].report.observation.source))
            self._answer_error(batch[0], error)
        return []

    async def _write_each(self, batch: list[_Item], error: Exception) -> list[_Item]:
        """Find out which of a batch is to blame; two that fail in a row show that it is the database."""
        kept: list[_Item] = []
        failed = 0
        for number, item in enumerate(batch, 1):
            kept += await self._write([item])
            failed = failed + 1 if self.trouble is not None else 0
            if failed == _ENOUGH_FAILURES:
                return kept + [each for each in batch[number:] if self._is_kept(each, error)]
        return kept

    def _is_kept(self, item: _Item, error: Exception) -> bool:
        """Whether to try an item again later: not when it is refused itself, nor when its caller is told."""
        refused = is_about_content(error)
        if refused:
            log.error("observation_refused", source=str(item.report.observation.source), reason=str(error))
        elif not isinstance(error, StaleAlert):
            reason = str(getattr(error, "orig", None) or error)
            if self.trouble is None:
                log.error("database_unwritable", reason=reason)
            self.trouble = reason
        self._answer_error(item, error)
        return item.answer is None and not refused

    @staticmethod
    def _answer_error(item: _Item, error: Exception) -> None:
        if item.answer is not None and not item.answer.done():
            item.answer.set_exception(error)

    async def _commit_again(self, batch: list[_Item]) -> None:
        """Commit; again, with what is known by then, when somebody else changed the same alert meanwhile."""
        for _ in range(_TRIES - 1):
            try:
                return await self._commit(batch)
            except StaleAlert:
                continue
            except DatabaseError as error:
                if not is_about_content(error):
                    raise
        return await self._commit(batch)

    async def _commit(self, batch: list[_Item]) -> None:
        async with self._database.transaction() as connection:
            recorded = await self._recorder.record(connection, [item.report for item in batch])
            failpoint.reach("before_commit")
        self._recorder.committed(recorded)
        failpoint.reach("after_commit")
        if self.trouble is not None:
            log.info("database_writable_again")
            self.trouble = None
        for item, new in zip(batch, recorded.new, strict=True):
            if item.answer is not None and not item.answer.done():
                item.answer.set_result(new)
        self._wake()


def _taken(queue: deque[_Item]) -> list[_Item]:
    return [queue.popleft() for _ in range(min(len(queue), _LARGEST_BATCH))]
