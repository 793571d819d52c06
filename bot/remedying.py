"""Use case: remedies. A tick looks for attempts that are due and lets each take its next step.

Every step is one transaction that changes the attempt, if nobody else did meanwhile, and says so in the
alert's thread. What ran when the process died is never run again unseen: its check is asked what became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot import failpoint
from bot.announcing import Announcer
from bot.blocks import remedies as words
from bot.domain.alert import Alert, Event, EventKind
from bot.domain.clock import Clock
from bot.domain.filling import Unfit, shown
from bot.domain.observation import SourceKind
from bot.domain.remedy import (
    AskFirst,
    Attempt,
    AttemptState,
    End,
    Move,
    Offer,
    Prepared,
    PutOff,
    Refuse,
    Rehearse,
    Remedy,
    Run,
    next_move,
    prepare,
)
from bot.performing import Performed, Performer
from bot.remedy_steps import Steps, event_of, over, rivals_of
from bot.remedy_verifying import Verifying
from storage import alerts, outbox, remedies
from storage.alerts import StaleAlert
from storage.database import Connection, Database, DatabaseError, is_about_content

log = structlog.get_logger(__name__)

_GRACE = timedelta(seconds=30)  # for ending a command and recording it, beyond its own time
_BUSY = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Started:
    """An attempt that this process is to run now."""

    attempt: Attempt
    prepared: Prepared


class Remedying:
    """Runs remedies. `run_check` runs a check and records what it finds, False when there is none of the name.

    `escalate` is told, in the transaction, of an alert whose recovery failed.
    """

    def __init__(
        self,
        *,
        database: Database,
        announcer: Announcer,
        remedies: Mapping[str, Remedy],
        performer: Performer,
        run_check: Callable[[str], Awaitable[bool]],
        clock: Clock,
        wake: Callable[[], None],
        mask: Callable[[str], str],
        owner: str,
        escalate: Callable[[Connection, Alert, datetime], Awaitable[None]] | None = None,
    ) -> None:
        self._database = database
        self._steps = Steps(database=database, announcer=announcer, clock=clock, wake=wake, escalate=escalate)
        self._verifying = Verifying(steps=self._steps, remedies=remedies, run_check=run_check, owner=owner)
        self._announcer = announcer
        self._remedies = remedies
        self._performer = performer
        self._clock = clock
        self._mask = mask
        self._owner = owner
        self._working: dict[int, asyncio.Task[None]] = {}
        self._stopping = False

    async def tick(self) -> None:
        """Let every attempt that is due take its next step, each in a task of its own. Raises DatabaseError."""
        if self._stopping:
            return
        async with self._database.snapshot() as connection:
            due = await remedies.due(connection, self._clock())
        for attempt in due:
            if attempt.id not in self._working:
                task = asyncio.create_task(self._work(attempt), name=f"remedy {attempt.id}")
                self._working[attempt.id] = task

    async def drain(self) -> datetime | None:
        """Do all that is due at this instant; returns when to come again, None for never."""
        while True:
            await self.tick()
            if not self._working:
                break
            await asyncio.gather(*self._working.values())
        async with self._database.snapshot() as connection:
            return await remedies.next_due(connection)

    async def stop(self) -> None:
        """Start nothing more; what runs is ended after a moment, and found interrupted by whoever starts next."""
        self._stopping = True
        if self._working:
            _, late = await asyncio.wait(self._working.values(), timeout=5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._performer.close()

    async def approve(self, attempt_id: int, target: str, who: str) -> str | None:
        """Let an offered attempt run as it was shown; why not, or None. Raises DatabaseError."""
        refusal: list[str] = []

        async def step(connection: Connection, attempt: Attempt, alert: Alert, now: datetime) -> None:
            if trouble := _not_to_be_approved(attempt, target):
                refusal.append(trouble)
                await outbox.doubt_view(connection, alert.id)  # it showed a button that it should not have
                await self._announcer.mark_stale(connection, alert, now)
                return
            event = Event(kind=EventKind.REMEDY_APPROVED, at=now, text=attempt.remedy, actor=who)
            approved = replace(attempt, state=AttemptState.DUE, due_at=now, approved_by=who, waited=False)
            await self._steps.store(connection, attempt, approved, alert, event)

        if not await self._steps.take(attempt_id, step):
            return "Its alert is not known any more."
        if refusal:
            return refusal[0]
        await self.tick()
        return None

    async def _work(self, attempt: Attempt) -> None:
        try:
            await self._advance(attempt)
        except (DatabaseError, OSError, StaleAlert) as error:
            log.error("remedy_step_failed", remedy=attempt.remedy, attempt=attempt.id, reason=str(error))
        except Exception:
            log.exception("remedy_crashed", remedy=attempt.remedy, attempt=attempt.id)
        finally:
            self._working.pop(attempt.id, None)

    async def _advance(self, attempt: Attempt) -> None:
        match attempt.state:
            case AttemptState.DUE:
                await self._begin(attempt)
            case AttemptState.RUNNING:
                await self._steps.take(attempt.id, self._interrupted)
            case AttemptState.VERIFYING:
                await self._verifying.verify(attempt)

    # An attempt that is due ---------------------------------------------------------------------------------

    async def _begin(self, attempt: Attempt) -> None:
        """Decide, asking the check first when time has passed since the alert, and run it if so decided."""
        started = await self._decided(attempt.id)
        if isinstance(started, AskFirst):
            if await self._is_mended(attempt):
                return
            await self._steps.take(attempt.id, self._stop_waiting)
            started = await self._decided(attempt.id)
        if isinstance(started, _Started):
            failpoint.reach("before_remedy")
            performed = await self._performer.perform(
                started.prepared.action, self._remedies[attempt.remedy].timeout
            )
            failpoint.reach("after_remedy")
            await self._record(started.attempt, performed)

    async def _decided(self, attempt_id: int) -> Any:
        try:
            return await self._steps.take(attempt_id, self._decide)
        except DatabaseError as error:
            if not is_about_content(error):
                raise
            return await self._steps.take(attempt_id, self._give_way)  # a replica began one like it just now

    async def _stop_waiting(
        self, connection: Connection, attempt: Attempt, _alert: Alert, now: datetime
    ) -> None:
        if attempt.state is AttemptState.DUE:
            await remedies.change(connection, attempt, replace(attempt, waited=False, due_at=now))

    async def _is_mended(self, attempt: Attempt) -> bool:
        """Whether the check, asked before an attempt that had to wait, finds nothing wrong any more."""
        async with self._database.snapshot() as connection:
            alert = await alerts.get(connection, attempt.alert_id)
        if alert is None or not alert.status.is_open or await self._verifying.is_well(alert) is not True:
            return False

        async def step(connection: Connection, attempt: Attempt, _alert: Alert, now: datetime) -> None:
            if attempt.state is AttemptState.DUE:
                ended = over(attempt, AttemptState.EXPIRED, now, "the check passes again")
                await remedies.change(connection, attempt, ended)

        await self._steps.take(attempt.id, step)
        return True

    async def _decide(
        self, connection: Connection, attempt: Attempt, alert: Alert, now: datetime
    ) -> _Started | AskFirst | None:
        if attempt.state is not AttemptState.DUE or attempt.due_at is None or attempt.due_at > now:
            return None
        remedy = self._remedies.get(attempt.remedy)
        if remedy is None:
            gone = over(attempt, AttemptState.REFUSED, now, "it is not in the configuration any more")
            await remedies.change(connection, attempt, gone)
            return None
        prepared = prepare(remedy, alert, attempt if attempt.approved_by else None)
        rivals = await rivals_of(connection, attempt, remedy, prepared, now)
        move = next_move(attempt, alert, remedy, prepared, rivals, now)
        return await self._follow(connection, attempt, alert, remedy, prepared, move, now)

    async def _follow(
        self,
        connection: Connection,
        attempt: Attempt,
        alert: Alert,
        remedy: Remedy,
        prepared: Prepared | Unfit,
        move: Move,
        now: datetime,
    ) -> _Started | AskFirst | None:
        """Store a decision about an attempt that is due."""
        ready = attempt
        if isinstance(prepared, Prepared):
            action = self._mask(shown(prepared.action))
            ready = replace(attempt, values=prepared.values, target=prepared.target, action=action)
        match move:
            case End(reason=reason):
                await remedies.change(connection, attempt, over(attempt, AttemptState.EXPIRED, now, reason))
            case PutOff(until=until, reason=reason):
                later = replace(attempt, due_at=until, outcome=reason, waited=True)
                await remedies.change(connection, attempt, later)
            case Refuse(reason=reason, exhausted=exhausted):
                ended = over(ready, AttemptState.REFUSED, now, reason)
                text = words.not_again(remedy, reason) if exhausted else words.refused(remedy, reason)
                await self._steps.store(
                    connection, attempt, ended, alert, event_of(text, now, failed=exhausted)
                )
            case Offer():
                offer = replace(ready, state=AttemptState.WAITING, due_at=None)
                await self._steps.store(
                    connection, attempt, offer, alert, event_of(words.offered(remedy, ready.action), now)
                )
            case Rehearse():
                ended = over(ready, AttemptState.REHEARSED, now, "dry run")
                await self._steps.store(
                    connection, attempt, ended, alert, event_of(words.rehearsed(remedy, ready.action), now)
                )
            case AskFirst():
                return move
            case Run(ordinal=ordinal):
                running = replace(
                    ready,
                    state=AttemptState.RUNNING,
                    ordinal=ordinal,
                    owner=self._owner,
                    started_at=now,
                    due_at=now + remedy.timeout + _GRACE,
                    outcome="",
                )
                assert isinstance(prepared, Prepared)
                event = event_of(words.begun(remedy, running), now)
                if await self._steps.store(connection, attempt, running, alert, event):
                    return _Started(attempt=running, prepared=prepared)
        return None

    async def _give_way(self, connection: Connection, attempt: Attempt, _alert: Alert, now: datetime) -> None:
        if attempt.state is AttemptState.DUE:
            later = replace(attempt, due_at=now + _BUSY, outcome="another attempt is under way", waited=True)
            await remedies.change(connection, attempt, later)

    # An attempt that ran ------------------------------------------------------------------------------------

    async def _record(self, running: Attempt, performed: Performed) -> None:
        """Say how the action ended; its effect is looked at later."""
        remedy = self._remedies[running.remedy]

        async def step(connection: Connection, attempt: Attempt, alert: Alert, now: datetime) -> None:
            if attempt.state is not AttemptState.RUNNING or attempt.owner != running.owner:
                return  # it took so long that another took it for interrupted
            checked = alert.firing.source.kind is SourceKind.CHECK
            after = replace(
                attempt,
                state=AttemptState.VERIFYING,
                due_at=now + remedy.verify_after if alert.status.is_open else now,
                outcome=performed.summary,
                output=performed.output,
            )
            text = words.performed(
                remedy,
                performed.summary,
                ok=performed.ok,
                checked_after=remedy.verify_after if checked else None,
            )
            failed = not checked and not performed.ok  # nothing else will find out
            await self._steps.store(connection, attempt, after, alert, event_of(text, now, failed=failed))

        await self._steps.take(running.id, step)

    async def _interrupted(
        self, connection: Connection, attempt: Attempt, alert: Alert, now: datetime
    ) -> None:
        """Whoever ran it has gone: what became of it only the check can tell."""
        if attempt.state is not AttemptState.RUNNING or attempt.due_at is None or attempt.due_at > now:
            return
        remedy = self._remedies.get(attempt.remedy)
        if remedy is None:
            ended = over(
                attempt, AttemptState.FAILED, now, "interrupted, and not in the configuration any more"
            )
            await remedies.change(connection, attempt, ended)
            return
        after = replace(
            attempt,
            state=AttemptState.VERIFYING,
            due_at=now + remedy.verify_after,
            outcome="interrupted",
        )
        text = words.interrupted(remedy, attempt, remedy.verify_after)
        await self._steps.store(connection, attempt, after, alert, event_of(text, now))


def _not_to_be_approved(attempt: Attempt, target: str) -> str | None:
    """Why a press on an offer does nothing, in words for whoever pressed."""
    name = attempt.remedy
    if attempt.approved_by is not None:
        return f"{name} was approved by <@{attempt.approved_by}> already; the thread says what became of it."
    if attempt.state is not AttemptState.WAITING:
        return f"{name} does not wait for approval any more."
    if attempt.target != target:
        return f"What {name} would run has changed meanwhile; look at the alert and press again."
    return None
