"""Things said at their time, each once, restarts included: what an occasion is, and what queues those that fell due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.blocks.message import Message
from bot.domain.clock import Clock
from bot.domain.schedule import Schedule
from storage import outbox, slots
from storage.database import Connection, Database, DatabaseError
from storage.outbox import Lane

log = structlog.get_logger(__name__)

PRIORITY = 45  # after every alert's own message

Queue = Callable[[Database, Connection, datetime], Awaitable[None]]
"""Puts what was prepared into the outbox, in the transaction that takes the occasion; the instant is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Something to prepare at its time and to queue then. Later than `stale_after` nobody wants it any more."""

    name: str
    schedule: Schedule
    stale_after: timedelta
    prepare: Callable[[datetime], Awaitable[Queue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A text file that stands in the thread of the message it belongs to."""

    filename: str
    title: str
    content: str

    def as_payload(self) -> dict[str, str]:
        return {"filename": self.filename, "title": self.title, "content": self.content}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledMessage:
    """Something to say at its time, perhaps with a file in its thread."""

    name: str
    schedule: Schedule
    channel: str
    stale_after: timedelta
    write: Callable[[datetime], Awaitable[Message]]
    attach: Callable[[datetime], Awaitable[Attachment | None]] | None = None

    async def prepare(self, due_at: datetime) -> Queue:
        """Write it, and give what queues it."""
        message = await self.write(due_at)
        file = await self.attach(due_at) if self.attach is not None else None
        key = f"{self.name}:{due_at.isoformat()}"
        lane = Lane(destination="slack", channel=self.channel)

        async def queue(database: Database, connection: Connection, now: datetime) -> None:
            payload = post_payload(message, self.channel)
            await outbox.add_post(
                database, connection, key=key, lane=lane, payload=payload, priority=PRIORITY, now=now
            )
            if file is not None:
                await outbox.add_post(
                    database,
                    connection,
                    key=f"{key}:file",
                    lane=lane,
                    payload=file_payload(file, self.channel, key),
                    priority=PRIORITY + 1,
                    now=now,
                )

        return queue


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledMessages:
    """Queues each occasion that has fallen due. Raises DatabaseError, OSError; then the next tick tries again.

    An occasion that cannot be prepared holds up no other.
    """

    database: Database
    clock: Clock
    wake: Callable[[], None]
    messages: tuple[ScheduledMessage | Occasion, ...]

    async def tick(self) -> None:
        """Queue what is due. An occasion whose time passed while Tocsin was down comes once, late."""
        for message in self.messages:
            try:
                await self._tick(message)
            except (DatabaseError, OSError):
                raise
            except Exception:
                log.exception("scheduled_message_failed", name=message.name)

    async def _tick(self, message: ScheduledMessage | Occasion) -> None:
        now = self.clock()
        due_at = message.schedule.last_until(now)
        async with self.database.snapshot() as connection:
            last = await slots.last(connection, message.name)
        if last is not None and last >= due_at:
            return
        wanted = last is not None and now - due_at <= message.stale_after
        queue = await message.prepare(due_at) if wanted else None
        async with self.database.transaction() as connection:
            if not await slots.take(self.database, connection, message.name, due_at):
                return  # another replica was faster
            if queue is None:
                log.info("scheduled_message_skipped", name=message.name, due_at=due_at.isoformat())
                return
            await queue(self.database, connection, now)
        self.wake()


def post_payload(message: Message, channel: str, thread_ts: str | None = None) -> dict[str, object]:
    """A message as the outbox keeps it."""
    return {
        "text": message.text,
        "blocks": [*message.blocks, *message.body],
        "channel": channel,
        "thread_ts": thread_ts,
    }


def file_payload(file: Attachment, channel: str, under: str) -> dict[str, object]:
    """A file as the outbox keeps it, for the thread of the message with the key `under`."""
    return {
        "text": file.title,
        "blocks": [],
        "channel": channel,
        "under": under,
        "only_here": True,
        "file": file.as_payload(),
    }
