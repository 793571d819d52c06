"""All logs that are followed, each at its own pace."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import structlog

from bot.config.probing import RunLog
from bot.config.settings import Settings
from bot.domain.clock import Clock
from bot.following.files import FileReader
from bot.following.follower import Follower
from bot.following.rows import RowReader
from bot.monitoring import Monitoring
from storage.database import Database, DatabaseError

log = structlog.get_logger(__name__)

_MOST_THREADS = 8
_BREATH = 0.01


class Following:
    """Follows the logs of the settings. Call `start` before and `stop` after; without logs it does nothing.

    `wake` is called after a log was read, since there may be something to deliver.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        monitoring: Monitoring,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._wake = wake
        self._task: asyncio.Task[None] | None = None
        count = max(1, min(len(settings.run_logs), _MOST_THREADS))
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="run-log")
        readers = [
            RowReader(each, self._threads) if each.sql else FileReader(each, self._threads)
            for each in settings.run_logs
        ]
        keys = keys_of(settings.run_logs, [reader.place for reader in readers])
        self.followers = [
            Follower(
                key=key,
                every=each.every,
                reader=reader,
                database=database,
                monitoring=monitoring,
                clock=clock,
                channel=settings.slack.channel,
            )
            for each, reader, key in zip(settings.run_logs, readers, keys, strict=True)
        ]

    @property
    def trouble(self) -> str | None:
        """Which logs cannot be read at present, or None."""
        found = [follower.trouble for follower in self.followers if follower.trouble is not None]
        return "; ".join(found) or None

    def start(self) -> asyncio.Task[None]:
        """Begin to read; the task ends only by `stop`."""
        self._task = asyncio.create_task(self._run(), name="run-logs")
        return self._task

    async def stop(self) -> None:
        """Read no more. What was read and not recorded is read again after the next start."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for follower in self.followers:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await follower.reader.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        if not self.followers:
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as group:
            for follower in self.followers:
                group.create_task(self._follow(follower))

    async def _follow(self, follower: Follower) -> None:
        while True:
            more = False
            try:
                more = await follower.tick()
            except (DatabaseError, OSError) as error:
                reason = str(getattr(error, "orig", None) or error)
                log.error("run_log_not_recorded", log=follower.place, reason=reason)
            except Exception as error:
                log.exception("run_log_crashed", log=follower.place)
                follower.trouble = f"{follower.place}: {type(error).__name__}: {error}"
            self._wake()
            await asyncio.sleep(_BREATH if more else follower.pause.total_seconds())


def keys_of(logs: Sequence[RunLog], places: Sequence[str]) -> list[str]:
    """What each log is known by in the database: its place and its table, whatever else of the query changes."""
    names = [
        f"{place}\0{_table_of(log.query)}" if log.sql else place
        for log, place in zip(logs, places, strict=True)
    ]
    return [
        hashlib.sha256(f"{name}\0{names[:number].count(name)}".encode()).hexdigest()[:32]
        for number, name in enumerate(names)
    ]


def _table_of(query: str | None) -> str:
    found = re.search(r"\bfrom\s+([\w.\"`]+)", query or "", re.IGNORECASE)
    return found[1].lower() if found else ""
