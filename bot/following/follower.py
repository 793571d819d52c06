"""One followed log: what is read of it is recorded, then how far, so that a kill in between repeats nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot import failpoint
from bot.blocks.message import Message
from bot.blocks.run_logs import render_readable_again, render_refused, render_unreadable
from bot.domain.clock import Clock
from bot.domain.run import Run, Start
from bot.following.batch import LONG, Batch, CannotRead, Found, Reader
from bot.monitoring import Monitoring
from bot.occasions import PRIORITY, post_payload
from storage import cursors, outbox
from storage.cursors import Cursor
from storage.database import Connection, Database, DatabaseError, is_about_content
from storage.outbox import Lane

log = structlog.get_logger(__name__)

RECENT = timedelta(hours=1)
"""A run that ended longer than this before its log was first read is history: no rule is asked about it."""

_FEWEST, _MOST = 16, 256  # runs in one commit
_SHORT, _LONG = 0.25, 0.6  # seconds it may take, since what checks find meanwhile waits for its end
_MOST_BATCHES = 20
_MOST_NAMED = 20
_FORGOTTEN = timedelta(days=30)
_LOG = ""


@dataclass(slots=True, kw_only=True)
class Follower:
    """Reads one log on. `key` names it in the database, `channel` is where its troubles are told."""

    key: str
    every: timedelta
    reader: Reader
    database: Database
    monitoring: Monitoring
    clock: Clock
    channel: str
    refused: int = 0
    """How many entries reported no run, ever."""
    trouble: str | None = None
    """Why it cannot be read at present, or None."""
    _known: dict[str, Mapping[str, Any]] | None = None
    _seen: dict[str, datetime] = field(default_factory=dict)
    _since: datetime | None = None
    _caught_up: bool = False
    _told: str | None = None
    _failing_since: datetime | None = None
    _failed: bool = False
    _pruned: bool = False
    _at_once: int = 64

    @property
    def place(self) -> str:
        return self.reader.place

    async def tick(self) -> bool:
        """Read on, for a while; returns whether more waits. Raises DatabaseError and OSError: try again later."""
        if self._known is None:
            await self._begin()
        assert self._known is not None
        for _ in range(_MOST_BATCHES):
            try:
                batch = await self.reader.read(self._known, self.clock())
            except CannotRead as error:
                await self._note_failure(error)
                return False
            if batch is not None:
                await self._take(batch)
            if batch is None or not batch.more:
                await self._note_success()
                return False
        return True

    @property
    def pause(self) -> timedelta:
        """How long to wait when nothing more waits; what failed is tried again soon."""
        return min(self.every, timedelta(minutes=1)) if self._failed else self.every

    # How far it is read

    async def _begin(self) -> None:
        now = self.clock()
        async with self.database.transaction() as connection:
            found = await cursors.of_log(connection, self.key)
            if _LOG not in found:
                found[_LOG] = Cursor(item=_LOG, since=now, seen_at=now, position={"place": self.place[:300]})
                await cursors.put(self.database, connection, self.key, found[_LOG])
        own = found.pop(_LOG)
        self._since = own.since
        self._caught_up = bool(own.position.get("caught_up"))
        self.refused = int(own.position.get("refused", 0))
        self._told = own.position.get("told")
        self._seen = {item: cursor.seen_at for item, cursor in found.items()}
        self._known = {item: cursor.position for item, cursor in found.items()}

    async def _take(self, batch: Batch) -> None:
        """Record a batch, then that it is read."""
        assert self._known is not None
        refused = [(each, each.problem) for each in batch.found if each.report is None]
        good = [each for each in batch.found if each.report is not None]
        first = 0
        while first < len(good):
            portion = good[first : first + self._at_once]
            start = time.monotonic()
            refused += await self._record(portion)
            self._pace(time.monotonic() - start)
            first += len(portion)
        failpoint.reach("log_recorded")
        async with self.database.transaction() as connection:
            await cursors.put(self.database, connection, self.key, self._cursor(batch.item, batch.position))
            if refused:
                await self._note_refused(connection, refused)
        failpoint.reach("log_position_kept")
        self._known[batch.item] = batch.position
        self._seen[batch.item] = self.clock()

    def _pace(self, seconds: float) -> None:
        """Give fewer runs at once where the database is slow, more where it is quick."""
        if seconds > _LONG:
            self._at_once = max(_FEWEST, self._at_once // 2)
        elif seconds < _SHORT:
            self._at_once = min(_MOST, self._at_once * 2)

    async def _record(self, found: Sequence[Found]) -> list[tuple[Found, str]]:
        """Record the runs; those that are refused themselves, with the reason. Raises DatabaseError, OSError."""
        outcomes = await asyncio.gather(*map(self._record_one, found), return_exceptions=True)
        refused = []
        for each, outcome in zip(found, outcomes, strict=True):
            if not isinstance(outcome, BaseException):
                continue
            unwritable = isinstance(outcome, DatabaseError | OSError) and not is_about_content(outcome)
            if unwritable or not isinstance(outcome, Exception):
                raise outcome
            refused.append((each, f"it cannot be kept: {getattr(outcome, 'orig', None) or outcome}"))
        return refused

    async def _record_one(self, found: Found) -> bool:
        report = found.report
        if isinstance(report, Run):
            return await self.monitoring.record_run(report, past=self._is_past(found, report.finished_at))
        assert isinstance(report, Start)
        if self._is_past(found, report.at):
            return False  # its end may never have been written; nobody waits for it any more
        return await self.monitoring.record_start(report.job, report.rid, report.at)

    def _is_past(self, found: Found, at: datetime) -> bool:
        assert self._since is not None
        if not found.dated and not self._caught_up:
            return True  # it was there already when the log was first read
        return at < self._since - RECENT

    def _cursor(self, item: str, position: Mapping[str, Any]) -> Cursor:
        now = self.clock()
        return Cursor(item=item, since=now, seen_at=now, position=position)

    async def _keep_state(self, connection: Connection) -> None:
        state = {
            "place": self.place[:300],
            "caught_up": self._caught_up,
            "refused": self.refused,
            "told": self._told,
        }
        await cursors.put(self.database, connection, self.key, self._cursor(_LOG, state))

    # What goes wrong

    async def _note_refused(self, connection: Connection, refused: Sequence[tuple[Found, str]]) -> None:
        for found, problem in refused[:_MOST_NAMED]:
            log.warning("run_log_entry_refused", place=found.place, reason=problem, text=found.text)
        if len(refused) > _MOST_NAMED:
            log.warning(
                "run_log_entries_refused",
                count=len(refused),
                first=refused[0][0].place,
                last=refused[-1][0].place,
            )
        self.refused += len(refused)
        first, problem = refused[0]
        today = self.clock().date().isoformat()
        await self._say(connection, f"refused:{today}", render_refused(len(refused), first.place, problem))
        await self._keep_state(connection)

    async def _note_failure(self, error: CannotRead) -> None:
        now = self.clock()
        self._failed = True
        self._failing_since = self._failing_since or now
        lasted, reason = now - self._failing_since, f"{self.place}: {error}"
        if lasted >= error.patience:
            if self.trouble != reason:
                log.warning("run_log_unreadable", log=self.place, reason=str(error))
            self.trouble = reason
        if lasted < max(error.patience, LONG) or self._told is not None:
            return
        self._told = now.isoformat()
        async with self.database.transaction() as connection:
            await self._say(connection, f"unreadable:{self._told}", render_unreadable(self.place, str(error)))
            await self._keep_state(connection)

    async def _note_success(self) -> None:
        if self.trouble is not None:
            log.info("run_log_readable_again", log=self.place)
        self.trouble = self._failing_since = None
        self._failed = False
        if self._caught_up and self._told is None and self._pruned:
            return
        async with self.database.transaction() as connection:
            if self._told is not None:
                await self._say(connection, f"readable:{self._told}", render_readable_again(self.place))
            self._told, self._caught_up = None, True
            await self._keep_state(connection)
            await self._prune(connection)

    async def _prune(self, connection: Connection) -> None:
        """Forget files that are gone for long, once a start."""
        assert self._known is not None
        self._pruned = True
        old = self.clock() - _FORGOTTEN
        present = self.reader.present()
        gone = [item for item, seen in self._seen.items() if seen < old and item not in present]
        await cursors.forget(connection, self.key, gone)
        for item in gone:
            del self._known[item], self._seen[item]

    async def _say(self, connection: Connection, what: str, message: Message) -> None:
        await outbox.add_post(
            self.database,
            connection,
            key=f"run-log:{self.key}:{what}",
            lane=Lane(destination="slack", channel=self.channel),
            payload=post_payload(message, self.channel),
            priority=PRIORITY,
            now=self.clock(),
        )
