"""Use case: record what was observed.

One writer commits whatever queued while its last commit ran, and answers each caller after the commit that
holds its observation. What checks find is kept and tried again while the database cannot be written; who
waits for an answer is told at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from bot import failpoint
from bot.announcing import Announcer
from bot.domain.alert import Alert
from bot.domain.clock import Clock
from bot.domain.decision import Memory, evaluate, fingerprints
from bot.domain.inhibition import Inhibition
from bot.domain.jobs import Terms
from bot.domain.observation import Observation, Source, cleaned, variables
from bot.domain.rule import RuleGroup, baselines_of
from bot.domain.run import Run, Start, cleaned_run, cleaned_start, notice_of, observation_of
from bot.domain.standing import Standing
from bot.job_book import JobBook
from bot.silence_book import SilenceBook
from checks.result import State
from storage import alerts, baselines, rollups, runs, sources
from storage.alerts import StaleAlert
from storage.database import Connection, Database, DatabaseError, is_about_content, is_cut_off

log = structlog.get_logger(__name__)

_LARGEST_BATCH = 256
_MOST_KEPT = 10_000
_RETRY = timedelta(seconds=1)
_BASELINE_KEPT = timedelta(minutes=10)
_SLOWEST_RETRY = timedelta(seconds=30)
_RETRY_AT_STOP = timedelta(milliseconds=200)
_TRIES = 5
_ENOUGH_FAILURES = 2


class Rulebook(Protocol):
    """Which rules are asked of a source's observations, and what is expected of jobs."""

    @property
    def inhibitions(self) -> tuple[Inhibition, ...]: ...

    def groups_for(self, source: Source, *, watch: bool = False) -> tuple[RuleGroup, ...]: ...

    def terms_of(self, job: str) -> Terms: ...


@dataclass(slots=True, eq=False)
class _Item:
    """Something to record. Without an `answer` nobody waits, and it is kept until it is written."""

    observation: Observation
    run: Run | None = None
    start: Start | None = None
    rules: tuple[RuleGroup, ...] | None = None
    past: bool = False
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
        self._silences = silences or SilenceBook(database=database)
        self._rulebook = rulebook
        self._announcer = announcer
        self._clock = clock
        self._jobs = JobBook(database=database, expectations=rulebook, channel=announcer.channel)
        self._wake = wake
        self._asked: deque[_Item] = deque()
        self._observed: deque[_Item] = deque()
        self._baselines: dict[tuple[Source, str], tuple[datetime, float | None]] = {}
        self._something = asyncio.Event()
        self._urged = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._writer: asyncio.Task[None] | None = None
        self._stopping = False
        self.trouble: str | None = None
        """Why nothing can be written at present, or None."""

    def observe(self, observation: Observation) -> None:
        """Record what a check found, soon. Kept in memory while the database cannot be written."""
        if len(self._observed) >= _MOST_KEPT:
            lost = self._observed.popleft()
            log.error("observation_dropped", source=str(lost.observation.source), kept=_MOST_KEPT)
        self._observed.append(_Item(cleaned(observation)))
        self._announce()

    async def record(self, observation: Observation, rules: tuple[RuleGroup, ...] | None = None) -> None:
        """Record an observation; returns after the commit. Raises DatabaseError, OSError.

        One that brings its own `rules` makes alerts and leaves nothing else behind.
        """
        await self._ask(_Item(cleaned(observation), rules=rules))

    async def record_run(self, run: Run, *, past: bool = False) -> bool:
        """Record a run; returns after the commit. False when its `run_id` is known.

        `past`: it ended long before anybody listened, so it is kept and shown, and no rule is asked.
        Raises DatabaseError and OSError, at once, while the database cannot be written.
        """
        run = self._jobs.measured(cleaned_run(run))
        return await self._ask(_Item(cleaned(observation_of(run, self._clock())), run=run, past=past))

    async def record_start(self, job: str, rid: str | None, at: datetime) -> bool:
        """Record that a run has begun; returns after the commit. False when that is known. Raises DatabaseError.

        `rid` is the id that the run's end will carry, as its `run_id` or its field `rid`.
        """
        start = cleaned_start(Start(job=job, rid=rid, at=min(at, self._clock())))
        return await self._ask(_Item(notice_of(start), start=start))

    def start(self) -> asyncio.Task[None]:
        """Begin to write; the task ends only by `stop` or by a defect."""
        self._writer = asyncio.create_task(self._write_forever(), name="monitoring-writer")
        return self._writer

    async def settle(self) -> None:
        """Wait until everything observed so far is written."""
        await self._idle.wait()

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

    async def _ask(self, item: _Item) -> bool:
        item.answer = asyncio.get_running_loop().create_future()
        self._asked.append(item)
        self._urged.set()
        self._announce()
        return await item.answer

    def _announce(self) -> None:
        self._idle.clear()
        self._something.set()

    async def _write_forever(self) -> None:
        delay = _RETRY
        while True:
            await self._something.wait()
            batch = _taken(self._asked) or _taken(self._observed)
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
            log.exception("observation_not_recorded", source=str(batch[0].observation.source))
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
            log.error("observation_refused", source=str(item.observation.source), reason=str(error))
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
            stored = [await self._record(connection, item) for item in batch]
            failpoint.reach("before_commit")
        failpoint.reach("after_commit")
        if self.trouble is not None:
            log.info("database_writable_again")
            self.trouble = None
        for item, new in zip(batch, stored, strict=True):
            if item.answer is not None and not item.answer.done():
                item.answer.set_result(new)
        self._wake()

    async def _record(self, connection: Connection, item: _Item) -> bool:
        """Store one observation with all it changes; False for a run that was stored before."""
        observation, now, begun = item.observation, self._clock(), None
        if item.start is not None:
            return await self._jobs.begin(connection, item.start, now)
        if item.rules is not None:
            memory = await self._recall(connection, observation, item.rules, None)
            for change in evaluate(item.rules, observation, memory).changes:
                await self._announcer.store(connection, change, observation.at)
            return True
        if item.run is not None:
            if await runs.add(self._database, connection, item.run, now) is None:
                return False
            begun = await self._jobs.end(connection, item.run, now)
        if not observation.watch:
            await rollups.mark_late(self._database, connection, observation.source, observation.at, now)
        before = await sources.get(
            connection, observation.source, observation.resource, watch=observation.watch
        )
        if before is not None and before.at > observation.at:
            await self._keep(connection, item, observation.state)
            return True  # late news: kept, but the last word stands
        if item.past:
            await sources.put(
                self._database, connection, observation, before.streaks if before else {}, before
            )
            return True
        if item.run is not None:
            observation = await self._jobs.look_back(connection, item.run, begun, observation)
        groups = self._rulebook.groups_for(observation.source, watch=observation.watch)
        memory = await self._recall(connection, observation, groups, before)
        decision = evaluate(groups, observation, memory)
        await self._keep(connection, item, decision.state)
        stood = replace(observation, state=decision.state)
        await sources.put(self._database, connection, stood, decision.streaks, before)
        for change in decision.changes:
            await self._announcer.store(connection, change, observation.at)
        return True

    async def _keep(self, connection: Connection, item: _Item, state: State) -> None:
        if item.run is None and not item.observation.watch:
            await sources.add_result(connection, replace(item.observation, state=state))

    async def _recall(
        self,
        connection: Connection,
        observation: Observation,
        groups: tuple[RuleGroup, ...],
        before: Standing | None,
    ) -> Memory:
        known: Mapping[str, Any] = before.fields if before is not None else {}
        streaks = before.streaks if before is not None else {}
        baseline = await self._baseline(connection, observation, groups)
        names = variables(observation, known, baseline)
        keys = fingerprints(groups, observation, names)
        open_alerts = await alerts.open_ones(connection, keys)
        needed = {name for group in groups for rule in group.rules for name in rule.depends_on}
        failing = await sources.failing(connection, needed) if needed else frozenset()
        memory = Memory(streaks=streaks, previous=known, baseline=baseline, open=open_alerts, failing=failing)
        quiet = not open_alerts and not evaluate(groups, observation, memory).changes
        if quiet:
            return memory  # nothing to raise, so nothing of the past matters
        return replace(
            memory,
            closed=await alerts.latest_closed(connection, keys),
            silences=await self._silences.active(connection, self._clock()),
            inhibitions=self._rulebook.inhibitions,
            open_alerts=await self._explanations(connection),
        )

    async def _explanations(self, connection: Connection) -> tuple[Alert, ...]:
        return tuple(await alerts.list_open(connection)) if self._rulebook.inhibitions else ()

    async def _baseline(
        self, connection: Connection, observation: Observation, groups: tuple[RuleGroup, ...]
    ) -> dict[str, float]:
        """What the fields that rules compare usually are; asked of the database every few minutes."""
        usual: dict[str, float] = {}
        for name in baselines_of(groups):
            key = (observation.source, name)
            known = self._baselines.get(key)
            if known is None or observation.at - known[0] > _BASELINE_KEPT:
                mean = await baselines.mean(
                    self._database, connection, observation.source, name, observation.at
                )
                known = self._baselines[key] = (observation.at, mean)
            if known[1] is not None:
                usual[name] = known[1]
        return usual


def _taken(queue: deque[_Item]) -> list[_Item]:
    return [queue.popleft() for _ in range(min(len(queue), _LARGEST_BATCH))]
