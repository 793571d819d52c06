"""Remedies: which one applies to an alert, whether it may be tried now and why not, and what follows a try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.domain.alert import Alert, Status
from bot.domain.alert_names import names_of
from bot.domain.condition import Condition, ConditionError, Outcome
from bot.domain.decision import spell
from bot.domain.filling import Action, Unfit, fill, target_of, values_for

_LOOK_AGAIN = timedelta(minutes=1)
_RIVAL_WAIT = timedelta(seconds=10)


class AttemptState(StrEnum):
    """Where an attempt is. The first four are on their way, the rest are ends."""

    DUE = "due"
    WAITING = "waiting_approval"
    RUNNING = "running"
    VERIFYING = "verifying"
    RECOVERED = "recovered"
    FAILED = "failed"
    DONE = "done"  # it ran, and nothing can tell at once whether that helped
    REFUSED = "refused"
    EXPIRED = "expired"  # the alert ended before it ran
    REHEARSED = "dry_run"

    @property
    def is_over(self) -> bool:
        return self not in (
            AttemptState.DUE,
            AttemptState.WAITING,
            AttemptState.RUNNING,
            AttemptState.VERIFYING,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """Something that may end a problem, and how often it may be tried."""

    name: str
    when: Condition
    action: Action = field(repr=False)
    attempts: int = 1
    per: timedelta = timedelta(hours=1)
    verify_after: timedelta = timedelta(seconds=30)
    timeout: timedelta = timedelta(minutes=1)
    approve: bool = False
    dry_run: bool = False

    def applies_to(self, alert: Alert) -> bool:
        """Whether its condition holds for the alert as it is now; a condition that breaks holds for none."""
        try:
            return self.when.evaluate(names_of(alert)) is Outcome.TRUE
        except ConditionError:
            return False

    def tally(self, ordinal: int) -> str:
        """`attempt 1 of 2 in 1 h`."""
        return f"attempt {ordinal} of {self.attempts} in {spell(self.per)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a remedy. `episode` counts how often its alert had been reopened, `number` the tries in it.

    `values` are the fields it is filled in with, `target` stands for what it then does, `action` says so.
    `waited`: something kept it from running at once, so the check is asked again before it does.
    `ordinal`: which of the attempts of the period it is, once it ran.
    """

    id: int = 0
    alert_id: int
    remedy: str
    episode: int
    number: int = 1
    resource: str
    state: AttemptState = AttemptState.DUE
    created_at: datetime
    due_at: datetime | None
    target: str = ""
    action: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    waited: bool = False
    approved_by: str | None = None
    ordinal: int = 0
    owner: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What an attempt would do if it ran now."""

    action: Action = field(repr=False)
    values: Mapping[str, Any]
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivals:
    """What bears on an attempt: whether one like it is under way, and when those of the period began."""

    busy: bool = False
    used: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """It is not needed any more."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOff:
    """Not now; look again then."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """It must not run. `exhausted`: it ran as often as it may, so somebody must be called."""

    reason: str
    exhausted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Somebody has to approve it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearse:
    """Say what would be done, and do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Do it; it is the `ordinal`-th of the period."""

    ordinal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskFirst:
    """Time has passed since the alert: run its check, and decide again if that still fails."""


Move = End | PutOff | Refuse | Offer | Rehearse | Run | AskFirst


def first_attempt(remedy: Remedy, alert: Alert, newest: Attempt | None, now: datetime) -> Attempt | None:
    """The attempt with which a remedy begins, or None when it began already or does not apply.

    `newest` is its last attempt at this alert. Each time an alert opens, a remedy begins once; after that
    one attempt follows from another. What was refused for a field that was missing begins when it is there,
    and what lapsed since its condition held no more begins when it holds again.
    """
    if not alert.status.is_open or not remedy.applies_to(alert):
        return None
    if newest is None or newest.episode != alert.reopened:
        return following(remedy, alert, 1, now)
    unfilled = newest.state is AttemptState.REFUSED and not newest.target
    lapsed = newest.state is AttemptState.EXPIRED
    if lapsed or (unfilled and not isinstance(prepare(remedy, alert), Unfit)):
        return replace(following(remedy, alert, newest.number + 1, now), waited=True)
    return None


def following(remedy: Remedy, alert: Alert, number: int, now: datetime) -> Attempt:
    """The `number`-th attempt at an alert, due now."""
    return Attempt(
        alert_id=alert.id,
        remedy=remedy.name,
        episode=alert.reopened,
        number=number,
        resource=alert.firing.resource,
        created_at=now,
        due_at=now,
    )


def prepare(remedy: Remedy, alert: Alert, approved: Attempt | None = None) -> Prepared | Unfit:
    """The action filled in from the alert; what somebody approved is filled in as they saw it."""
    values = approved.values if approved is not None else values_for(remedy.action, names_of(alert))
    if isinstance(values, Unfit):
        return values
    action = fill(remedy.action, values)
    if isinstance(action, Unfit):
        return action
    return Prepared(action=action, values=values, target=target_of(action))


def next_move(
    attempt: Attempt,
    alert: Alert,
    remedy: Remedy,
    prepared: Prepared | Unfit,
    rivals: Rivals,
    now: datetime,
) -> Move:
    """What becomes of an attempt that is due. AskFirst: only when it had to wait, which it says no more then."""
    move = _next_move(attempt, alert, remedy, prepared, rivals, now)
    acts = isinstance(move, Run) or (isinstance(move, Refuse) and move.exhausted)
    return AskFirst() if attempt.waited and acts else move


def _next_move(
    attempt: Attempt,
    alert: Alert,
    remedy: Remedy,
    prepared: Prepared | Unfit,
    rivals: Rivals,
    now: datetime,
) -> Move:
    approved = attempt.approved_by is not None
    if not alert.status.is_open or attempt.episode != alert.reopened:
        return End(reason=f"the alert is {alert.status.value}")
    if not approved and not remedy.applies_to(alert):
        return End(reason="its condition does not hold any more")
    if isinstance(prepared, Unfit):
        return Refuse(reason=prepared.reason)
    if approved and prepared.target != attempt.target:
        return Refuse(reason="the configuration says something else than what was approved")
    if not approved and (quiet := _quiet(alert, now)) is not None:
        return quiet
    if rivals.busy:
        return PutOff(until=now + _RIVAL_WAIT, reason="another attempt is under way")
    if len(rivals.used) >= remedy.attempts:
        return Refuse(reason=_exhausted(remedy, rivals), exhausted=True)
    if remedy.dry_run:
        return Rehearse()
    if remedy.approve and not approved:
        return Offer()
    return Run(ordinal=len(rivals.used) + 1)


def _quiet(alert: Alert, now: datetime) -> PutOff | None:
    """Whoever silences a problem does not want it touched; one that another explains is not the place to act."""
    if alert.silenced_until is not None and now < alert.silenced_until:
        return PutOff(until=min(alert.silenced_until, now + _LOOK_AGAIN), reason="the alert is silenced")
    if alert.firing.held_by is not None:
        return PutOff(
            until=now + _LOOK_AGAIN, reason=f"check {alert.firing.held_by} fails too and explains it"
        )
    return None


def _exhausted(remedy: Remedy, rivals: Rivals) -> str:
    return f"{len(rivals.used)} of {remedy.attempts} attempts in {spell(remedy.per)} are used"


def ended_by_itself(alert: Alert) -> bool:
    """Whether the problem was seen to be gone."""
    return alert.status is Status.RESOLVED and alert.closed_by is None


class After(StrEnum):
    """What follows an attempt that was verified."""

    RECOVERED = "recovered"
    AGAIN = "again"
    EXHAUSTED = "exhausted"
    ENDED = "ended"  # the alert was closed or opened anew meanwhile, so what follows is no part of it
    UNKNOWN = "unknown"  # a job: its next run will tell


def after_verifying(
    attempt: Attempt, alert: Alert, remedy: Remedy, healthy: bool | None, used_by_next: Sequence[datetime]
) -> After:
    """Judge an attempt by what its check found; `healthy` is None where nothing can be run to find out."""
    if healthy or (healthy is None and ended_by_itself(alert)):
        return After.RECOVERED
    if not alert.status.is_open or alert.reopened != attempt.episode:
        return After.ENDED
    if healthy is None:
        return After.UNKNOWN
    return After.AGAIN if len(used_by_next) < remedy.attempts else After.EXHAUSTED
