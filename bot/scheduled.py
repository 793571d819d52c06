"""What is said at its time: digest, reports, heartbeat, check-ins, checklists, and a group's readiness."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from bot.blocks.digest import render_digest
from bot.blocks.health import render_health
from bot.blocks.message import Message
from bot.blocks.overview import render_heartbeat
from bot.blocks.patterns import render_patterns
from bot.blocks.readiness import ReadinessLine, render_readiness
from bot.blocks.sla import render_sla
from bot.checkins import Checkins
from bot.checklists import Checklists
from bot.config.settings import Settings
from bot.config.telling import Checkin, Checklist
from bot.domain.clock import Clock
from bot.domain.observation import Observation
from bot.domain.schedule import Cron, Daily, Every, Schedule, Together, local_month
from bot.judging import Asked, judged
from bot.occasions import PRIORITY, Attachment, Occasion, ScheduledMessage, post_payload
from bot.reporting import Reporting
from bot.reports.sla import SlaReport, as_csv
from storage import outbox
from storage.database import Database
from storage.outbox import Lane

_A_DAY = timedelta(hours=20)  # later the next one is near
_SOON = timedelta(hours=2)
_LONGEST_TITLE = 80


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


def scheduled_messages(
    settings: Settings, reporting: Reporting, checkins: Checkins, checklists: Checklists
) -> tuple[ScheduledMessage | Occasion, ...]:
    """What the settings want said at its time."""
    return (
        *_digests(settings, reporting),
        *_reports(settings, reporting),
        *_heartbeats(settings, reporting),
        *_checkins(settings, checkins),
        *_checklists(settings, checklists),
    )


def _digests(settings: Settings, reporting: Reporting) -> Iterator[ScheduledMessage]:
    if (digest := settings.digest) is not None:

        async def write_digest(due_at: datetime) -> Message:
            return render_digest(await reporting.digest(digest, due_at), settings.timezone)

        yield ScheduledMessage(
            name="digest",
            schedule=Daily(at=digest.at, zone=settings.timezone),
            channel=digest.channel or settings.slack.channel,
            stale_after=_A_DAY,
            write=write_digest,
        )


def _reports(settings: Settings, reporting: Reporting) -> Iterator[ScheduledMessage]:
    if (health := settings.reports.health) is not None:

        async def write_health(_due_at: datetime) -> Message:
            return render_health(await reporting.health())

        yield ScheduledMessage(
            name="health",
            schedule=Every(interval=health.every),
            channel=health.channel or settings.slack.channel,
            stale_after=min(health.every / 2, _SOON),
            write=write_health,
        )
    if (sla := settings.reports.sla) is not None:

        async def read_sla(due_at: datetime) -> SlaReport:
            return await reporting.measuring.sla(last_month(due_at, settings.timezone), due_at)

        async def write_sla(due_at: datetime) -> Message:
            return render_sla(await read_sla(due_at), settings.timezone)

        async def attach_sla(due_at: datetime) -> Attachment:
            return sla_file(await read_sla(due_at))

        yield ScheduledMessage(
            name="sla",
            schedule=Cron(sla.schedule, settings.timezone),
            channel=sla.channel or settings.slack.channel,
            stale_after=timedelta(days=3),
            write=write_sla,
            attach=attach_sla,
        )
    if (patterns := settings.reports.patterns) is not None:

        async def write_patterns(due_at: datetime) -> Message:
            found = await reporting.patterns(patterns.over, due_at)
            return render_patterns(found, settings.timezone, settings.name)

        yield ScheduledMessage(
            name="patterns",
            schedule=Cron(patterns.schedule, settings.timezone),
            channel=patterns.channel or settings.slack.channel,
            stale_after=_A_DAY,
            write=write_patterns,
        )


def _heartbeats(settings: Settings, reporting: Reporting) -> Iterator[ScheduledMessage]:
    if (heartbeat := settings.heartbeat) is not None:

        async def write_heartbeat(_due_at: datetime) -> Message:
            return render_heartbeat(await reporting.overview())

        yield ScheduledMessage(
            name="heartbeat",
            schedule=Every(interval=heartbeat.every),
            channel=heartbeat.channel or settings.slack.channel,
            stale_after=min(heartbeat.every, timedelta(minutes=5)),
            write=write_heartbeat,
        )


def _checkins(settings: Settings, checkins: Checkins) -> Iterator[Occasion]:
    names = unique_names("checkin", [each.title for each in settings.checkins])
    for name, wanted in zip(names, settings.checkins, strict=True):
        yield Occasion(
            name=name,
            schedule=schedule_of(wanted, settings.timezone),
            stale_after=_SOON,
            prepare=partial(checkins.prepare, wanted),
        )


def _checklists(settings: Settings, checklists: Checklists) -> Iterator[Occasion]:
    names = unique_names("checklist", list(settings.checklists))
    for name, (title, wanted) in zip(names, settings.checklists.items(), strict=True):
        yield Occasion(
            name=name,
            schedule=schedule_of(wanted, settings.timezone),
            stale_after=_A_DAY,
            prepare=partial(checklists.prepare, title, wanted),
        )


def schedule_of(wanted: Checkin | Checklist, zone: ZoneInfo) -> Schedule:
    """By cron, or at times of day in a zone."""
    if wanted.schedule is not None:
        return Cron(wanted.schedule, zone)
    return Together(tuple(Daily(at=at, zone=zone) for at in wanted.at or ()))


def unique_names(kind: str, titles: Sequence[str]) -> list[str]:
    """A name for each that a slot can have: as long as it is titled so, wherever in the file it stands."""
    seen: Counter[str] = Counter()
    found = []
    for title in titles:
        seen[title] += 1
        text = title if seen[title] == 1 else f"{title}#{seen[title]}"
        short = text if len(text) <= _LONGEST_TITLE else hashlib.sha256(text.encode()).hexdigest()[:32]
        found.append(f"{kind}:{short}")
    return found


def last_month(due_at: datetime, zone: ZoneInfo) -> datetime:
    """An instant in the local month before the one that holds an instant."""
    return local_month(due_at, zone, -1)[0]


def sla_file(report: SlaReport) -> Attachment:
    """The report's figures as CSV."""
    return Attachment(
        filename=f"sla-{report.month}.csv",
        title=f"{report.name}: SLA {report.month}"[:200],
        content=as_csv(report),
    )
