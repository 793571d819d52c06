"""Messages at their time: the digest once a day, the heartbeat every so often; each once, restarts included."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.blocks.digest import render_digest
from bot.blocks.message import Message
from bot.blocks.overview import render_heartbeat
from bot.blocks.patterns import render_patterns
from bot.blocks.readiness import ReadinessLine, render_readiness
from bot.config.settings import Settings
from bot.domain.clock import Clock
from bot.domain.observation import Observation
from bot.domain.schedule import Cron, Daily, Every, Schedule
from bot.judging import Asked, judged
from bot.reporting import Reporting
from storage import outbox, slots
from storage.database import Database, DatabaseError
from storage.outbox import Lane

log = structlog.get_logger(__name__)

PRIORITY = 45  # after every alert's own message


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledMessage:
    """Something to say at its time. Later than `stale_after` nobody wants it any more."""

    name: str
    schedule: Schedule
    channel: str
    stale_after: timedelta
    write: Callable[[datetime], Awaitable[Message]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledMessages:
    """Queues each message that has fallen due. Raises DatabaseError, OSError; then the next tick tries again.

    A message that cannot be written holds up no other.
    """

    database: Database
    clock: Clock
    wake: Callable[[], None]
    messages: tuple[ScheduledMessage, ...]

    async def tick(self) -> None:
        """Queue what is due. A message whose time passed while Tocsin was down is sent once, late."""
        for message in self.messages:
            try:
                await self._tick(message)
            except (DatabaseError, OSError):
                raise
            except Exception:
                log.exception("scheduled_message_failed", name=message.name)

    async def _tick(self, message: ScheduledMessage) -> None:
        now = self.clock()
        due_at = message.schedule.last_until(now)
        async with self.database.snapshot() as connection:
            last = await slots.last(connection, message.name)
        if last is not None and last >= due_at:
            return
        wanted = last is not None and now - due_at <= message.stale_after
        written = await message.write(due_at) if wanted else None
        async with self.database.transaction() as connection:
            if not await slots.take(self.database, connection, message.name, due_at):
                return  # another replica was faster
            if written is None:
                log.info("scheduled_message_skipped", name=message.name, due_at=due_at.isoformat())
                return
            await outbox.add_post(
                self.database,
                connection,
                key=f"{message.name}:{due_at.isoformat()}",
                lane=Lane(destination="slack", channel=message.channel),
                payload=post_payload(written, message.channel),
                priority=PRIORITY,
                now=now,
            )
        self.wake()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessReports:
    """Queues a report for each execution of a group that asks for it. Raises DatabaseError."""

    database: Database
    channel: str
    rules: Asked
    clock: Clock
    wake: Callable[[], None]

    async def post(self, name: str, observations: Sequence[Observation]) -> None:
        """The group's own observation comes first and its members' after it."""
        group, *members = observations
        lines = [self._line(member) for member in members]
        if not lines:
            return  # pending: nothing was asked
        async with self.database.transaction() as connection:
            await outbox.add_post(
                self.database,
                connection,
                key=f"readiness:{name}:{group.at.isoformat()}",
                lane=Lane(destination="slack", channel=self.channel),
                payload=post_payload(render_readiness(name, lines, group.at), self.channel),
                priority=PRIORITY,
                now=self.clock(),
            )
        self.wake()

    def _line(self, member: Observation) -> ReadinessLine:
        state, why = judged(member, self.rules)
        took = member.fields.get("duration_ms")
        latency_ms = float(took) if isinstance(took, int | float) else None
        return ReadinessLine(name=member.source.name, state=state, summary=why, latency_ms=latency_ms)


def post_payload(message: Message, channel: str, thread_ts: str | None = None) -> dict[str, object]:
    """A message as the outbox keeps it."""
    return {
        "text": message.text,
        "blocks": [*message.blocks, *message.body],
        "channel": channel,
        "thread_ts": thread_ts,
    }


def scheduled_messages(settings: Settings, reporting: Reporting) -> tuple[ScheduledMessage, ...]:
    """What the settings want said at its time."""
    found = []
    if (digest := settings.digest) is not None:

        async def write_digest(due_at: datetime) -> Message:
            return render_digest(await reporting.digest(digest, due_at), settings.timezone)

        found.append(
            ScheduledMessage(
                name="digest",
                schedule=Daily(at=digest.at, zone=settings.timezone),
                channel=digest.channel or settings.slack.channel,
                stale_after=timedelta(hours=20),
                write=write_digest,
            )
        )
    if (patterns := settings.reports.patterns) is not None:

        async def write_patterns(due_at: datetime) -> Message:
            found = await reporting.patterns(patterns.over, due_at)
            return render_patterns(found, settings.timezone, settings.name)

        found.append(
            ScheduledMessage(
                name="patterns",
                schedule=Cron(patterns.schedule, settings.timezone),
                channel=patterns.channel or settings.slack.channel,
                stale_after=timedelta(hours=20),
                write=write_patterns,
            )
        )
    if (heartbeat := settings.heartbeat) is not None:

        async def write_heartbeat(_due_at: datetime) -> Message:
            return render_heartbeat(await reporting.overview())

        found.append(
            ScheduledMessage(
                name="heartbeat",
                schedule=Every(interval=heartbeat.every),
                channel=heartbeat.channel or settings.slack.channel,
                stale_after=min(heartbeat.every, timedelta(minutes=5)),
                write=write_heartbeat,
            )
        )
    return tuple(found)
