"""Upkeep of the database: hours rolled up once they ended, and what is older than the retention dropped.

Both go in small portions, so that what is observed meanwhile is written without waiting long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice

import structlog

from bot.config.telling import Retention
from bot.domain.clock import Clock
from bot.domain.observation import Source, SourceKind
from bot.domain.rollup import HOUR, Share, hour_of
from storage import (
    alerts,
    audit,
    checkins,
    checklists,
    drills,
    groups,
    open_runs,
    outbox,
    rollups,
    runs,
    silences,
    sources,
)
from storage.database import Connection, Database

log = structlog.get_logger(__name__)

SWEEP = timedelta(hours=1)
_SETTLED = timedelta(minutes=5)  # after an hour's end, so that replicas' last commits about it are in
_AHEAD = timedelta(days=1)  # a job's clock may be so far ahead of ours
_PORTION = 40
_LONGEST = 0.5  # seconds of one tick; the ticks come every few seconds
_DELETED_AT_ONCE = 1_000
_POSTS_KEPT = timedelta(days=7)
_OPEN_KEPT = timedelta(days=30)

Forget = Callable[[Connection, datetime, int], Awaitable[int]]


class Upkeep:
    """Rolls up and sweeps. Every method raises DatabaseError and can be called again at any time."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        retention: Retention,
        shares: Mapping[Source, Collection[Share]] | None = None,
    ) -> None:
        """`shares`: values of fields whose frequency is to be known beyond the retention of single results."""
        self._shares = shares or {}
        self._database = database
        self._clock = clock
        self._keep = retention
        self._left: dict[SourceKind, tuple[datetime, list[str]]] = {}

    async def roll_up(self) -> bool:
        """Roll up what ended, for a moment; returns whether more waits."""
        end = time.monotonic() + _LONGEST
        more = True
        while more and time.monotonic() < end:
            worked = [await self._roll(kind) or await self._roll_late(kind) for kind in SourceKind]
            more = any(worked)
        return more

    async def sweep(self) -> None:
        """Drop what is older than the retention; nothing before it is rolled up."""
        now, keep = self._clock(), self._keep
        await self._forget(sources.forget_results, await self._cut(SourceKind.CHECK, keep.observations))
        await self._forget(runs.forget_outputs, now - keep.outputs)
        await self._forget(runs.forget, await self._cut(SourceKind.JOB, keep.runs))
        await self._forget(rollups.forget, now - keep.rollups)
        async with self._database.transaction() as connection:
            await open_runs.forget(connection, now - _OPEN_KEPT)
            await alerts.forget(connection, now - keep.alerts)
            await audit.forget(connection, now - keep.alerts)
            await groups.forget(connection)
            await silences.forget(connection, now - keep.alerts)
            await outbox.purge(connection, now - _POSTS_KEPT)
            await outbox.purge_cards(connection, now - keep.alerts)
            for table in (checkins, checklists, drills):
                await table.forget(connection, now - keep.alerts)
            await open_runs.forget(connection, now - _OPEN_KEPT)

    async def _roll(self, kind: SourceKind) -> bool:
        """A portion of the next hour's sources; False when no hour is due."""
        if (due := await self._due(kind)) is None:
            return False
        hour, left = due
        portion = list(islice(left, _PORTION))
        async with self._database.snapshot() as connection:
            found = {
                (source, hour): await rollups.gather(connection, source, hour, self._shares.get(source, ()))
                for source in (Source(kind=kind, name=name) for name in portion)
            }
        async with self._database.transaction() as connection:
            await rollups.put(self._database, connection, found)
            if len(portion) == len(left):
                await rollups.note_rolled(self._database, connection, kind, hour + HOUR)
        if len(portion) == len(left):
            del self._left[kind]
        else:
            del left[: len(portion)]
        return True

    async def _due(self, kind: SourceKind) -> tuple[datetime, list[str]] | None:
        """The hour to roll up and the sources still to be read of it. A restart begins the hour again."""
        if kind not in self._left:
            async with self._database.snapshot() as connection:
                hour = await rollups.next_hour(connection, kind)
                if hour is None or hour + HOUR + _SETTLED > self._clock():
                    return None
                self._left[kind] = hour, await sources.names(connection, kind, since=hour - _AHEAD)
        return self._left[kind]

    async def _roll_late(self, kind: SourceKind) -> bool:
        """A portion of the hours about which something came late; False when there are none."""
        async with self._database.snapshot() as connection:
            until = await rollups.rolled_until(connection, kind)
            marks = await rollups.marks(connection, kind, until, _PORTION) if until is not None else []
            oldest = self._oldest(kind)
            found = {
                (mark.source, mark.hour): await rollups.gather(
                    connection, mark.source, mark.hour, self._shares.get(mark.source, ())
                )
                for mark in marks
                if mark.hour >= oldest  # of an older one some of the rest is dropped already
            }
        if not marks:
            return False
        async with self._database.transaction() as connection:
            await rollups.put(self._database, connection, found)
            for mark in marks:
                await rollups.unmark(connection, mark)
        return True

    def _oldest(self, kind: SourceKind) -> datetime:
        """The first hour of which everything is kept."""
        keep = self._keep.observations if kind is SourceKind.CHECK else self._keep.runs
        return hour_of(self._clock() - keep)

    async def _cut(self, kind: SourceKind, keep: timedelta) -> datetime:
        """Before when results or runs may go: the retention, in whole hours, and what is rolled up."""
        async with self._database.snapshot() as connection:
            until = await rollups.rolled_until(connection, kind)
        return min(hour_of(self._clock() - keep), until or datetime.min.replace(tzinfo=UTC))

    async def _forget(self, forget: Forget, before: datetime) -> None:
        """Delete in portions; between them others write."""
        gone = _DELETED_AT_ONCE
        while gone == _DELETED_AT_ONCE:
            async with self._database.transaction() as connection:
                gone = await forget(connection, before, _DELETED_AT_ONCE)
            await asyncio.sleep(0)
