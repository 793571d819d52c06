"""The records of jobs between batches, so that a job's last day is not read again for each of its runs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.history import History
from storage import runs
from storage.database import Connection, Database
from storage.runs import Extent

_MOST_OF_JOB = 20_000
_MOST = 500_000  # instants, some 60 bytes each


@dataclass(slots=True, kw_only=True, eq=False)
class Records:
    """Records as they were committed; kept on SQLite only, where nobody but this process writes.

    A batch takes those it needs out and gives them back once it is committed, so that nothing of one that
    failed is ever remembered. On PostgreSQL other replicas write at the same time, so it is read anew.
    """

    database: Database
    _kept: OrderedDict[str, History] = field(default_factory=OrderedDict)
    _size: int = 0
    _extent: Extent | None = None

    async def refresh(self, connection: Connection) -> int | None:
        """Forget the records that somebody else has changed since; to be called before runs are stored.

        Returns the number of the last run, where nobody else can store another before these.
        """
        if not self.database.is_sqlite:
            return None
        known, found = self._extent, await runs.extent(connection)
        if known is None or found.oldest != known.oldest or found.last < known.last:
            self._forget_all()  # old runs were dropped
        elif found.last > known.last:
            self.forget(await runs.jobs_after(connection, known.last))
        self._extent = found
        return found.last

    async def take(
        self,
        connection: Connection,
        job: str,
        first: datetime,
        last: datetime,
        *,
        window: timedelta,
        newest: int,
    ) -> History:
        """A job's record at any instant in [first, last], to be carried on. Raises DatabaseError."""
        kept = self._take(job)
        if kept is not None and kept.first <= first:
            return kept
        most = _MOST_OF_JOB if self.database.is_sqlite else -1
        return await runs.history(
            connection, job, first, last, window=window, newest=newest, whole_up_to=most
        )

    def forget(self, jobs: Iterable[str]) -> None:
        """Runs of these jobs are stored that their records are not told of."""
        for job in jobs:
            self._take(job)

    def committed(self, found: Mapping[str, History], last_number: int | None) -> None:
        """Keep the records of a batch, now that it is stored; `last_number` is that of its last run, if any."""
        if self._extent is None:
            return
        if last_number is not None:
            oldest = self._extent.oldest or last_number
            self._extent = Extent(last=last_number, oldest=oldest)
        for job, history in found.items():
            if history.whole and history.size <= 3 * _MOST_OF_JOB:
                self._kept[job] = history
                self._size += history.size
        while self._size > _MOST:
            _, dropped = self._kept.popitem(last=False)
            self._size -= dropped.size

    def _take(self, job: str) -> History | None:
        found = self._kept.pop(job, None)
        if found is not None:
            self._size -= found.size
        return found

    def _forget_all(self) -> None:
        self._kept.clear()
        self._size = 0
