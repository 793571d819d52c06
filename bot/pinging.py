"""Use case: what a ping says of a job, in the way of Healthchecks: it has begun, how it ended, what it says."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from bot.domain.clock import Clock
from bot.domain.jobs import OpenRun
from bot.domain.run import Run, RunStatus, cleaned_run
from bot.monitoring import Monitoring
from storage import open_runs, runs
from storage.database import Database, DatabaseError, is_about_content

_LARGEST_READING = 256
_LONGEST_ID = 180  # of the 200 that are kept, so that something can be added
_LONGEST_MESSAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """A ping of a job. `rid`: the run it is about, if the job tells; `output`: what came with it."""

    job: str
    rid: UUID | None = None
    output: str = ""

    @property
    def run_id(self) -> str | None:
        """The id of its run among those of all jobs, since several jobs may use one `rid`."""
        if self.rid is None:
            return None
        found = f"{self.rid}:{self.job}"
        return found if len(found) <= _LONGEST_ID else f"{self.rid}:{_digest(self.job)}"


class Pinging:
    """Records pings; each method returns after the commit. They raise DatabaseError and OSError."""

    def __init__(self, *, database: Database, monitoring: Monitoring, clock: Clock) -> None:
        self._database = database
        self._monitoring = monitoring
        self._clock = clock
        self._starts = _Starts(database)

    async def start(self, ping: Ping) -> None:
        """The job has begun. What came with it is kept as said by the job, since no run has ended yet."""
        new = await self._monitoring.record_start(ping.job, ping.run_id, self._clock())
        if new and ping.output.strip():
            await self.log(ping)

    async def end(self, ping: Ping, status: RunStatus, exit_code: int | None) -> None:
        """A run has ended. It lasts from the newest start with its `rid`, or without one when it has none."""
        now = self._clock()
        begun = None
        if self._monitoring.may_run(ping.job):
            begun = await self._starts.of(ping.job, ping.run_id)
        run = Run(
            run_id=ping.run_id,
            job=ping.job,
            status=status,
            level="INFO" if status is RunStatus.SUCCESS else "ERROR",
            finished_at=now,
            duration_seconds=None if begun is None else max((now - begun).total_seconds(), 0.0),
            exit_code=exit_code,
            output=ping.output,
        )
        if not await self._monitoring.record_run(run) and await self._ended_otherwise(run):
            await self._monitoring.record_run(replace(run, run_id=f"{run.run_id}:{status.value}"))

    async def log(self, ping: Ping) -> None:
        """Keep what a job says; nothing is judged by it."""
        said = next((line.strip() for line in ping.output.splitlines() if line.strip()), "")
        run_id = ping.run_id and f"{ping.run_id}:{_digest(ping.output)[:16]}"
        now = self._clock()
        run = Run(
            run_id=run_id,
            job=ping.job,
            status=RunStatus.LOG,
            finished_at=now,
            fields={"message": said[:_LONGEST_MESSAGE]} if said else {},
            output=ping.output,
        )
        try:
            async with self._database.transaction() as connection:
                await runs.add(self._database, connection, cleaned_run(run), now)
        except DatabaseError as error:
            if run_id is None or not is_about_content(error):
                raise  # else another replica has just kept the same

    async def _ended_otherwise(self, run: Run) -> bool:
        """Whether the run is known to have ended in another way: a second word, no repetition of the first."""
        assert run.run_id is not None
        async with self._database.snapshot() as connection:
            return await runs.status_of(connection, run.run_id) is not run.status


class _Starts:
    """Finds when runs began. One reading serves all who asked while the one before it went on."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: list[tuple[str, str | None, asyncio.Future[datetime | None]]] = []
        self._reading: asyncio.Task[None] | None = None

    async def of(self, job: str, rid: str | None) -> datetime | None:
        """The newest start of a job's open runs with that id."""
        answer: asyncio.Future[datetime | None] = asyncio.get_running_loop().create_future()
        self._asked.append((job, rid, answer))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="starts")
        return await answer

    async def _read(self) -> None:
        while self._asked:
            asked, self._asked = self._asked[:_LARGEST_READING], self._asked[_LARGEST_READING:]
            try:
                async with self._database.snapshot() as connection:
                    found = await open_runs.of_jobs(connection, {job for job, _, _ in asked})
            except Exception as error:  # noqa: BLE001 -- those who asked are told
                for *_, answer in asked:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for job, rid, answer in asked:
                if not answer.done():
                    answer.set_result(_newest(found, job, rid))
        self._reading = None


def _newest(found: Sequence[OpenRun], job: str, rid: str | None) -> datetime | None:
    return max((run.started_at for run in found if run.job == job and run.rid == rid), default=None)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
