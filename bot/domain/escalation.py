"""What happens while nobody acknowledges an alert: steps by time, stopped, paused and begun again. Pure.

The state is a row: since when it counts, how many of its moments are done, when the next falls due.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.alert import Alert, Status
from bot.domain.decision import spell
from bot.domain.quiet import QuietHours, quiet_until
from bot.domain.route import SLACK


class CountsFrom(StrEnum):
    """What a policy's times count from, and so what ends it: an acknowledgement, or only the alert's end."""

    UNACKNOWLEDGED = "unacknowledged"
    FIRST_SEEN = "first_seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens `after` some time: who is named where, with a sentence of the team's own."""

    after: timedelta
    to: tuple[str, ...] = (SLACK,)
    mention: tuple[str, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """An entry of `escalation:`."""

    name: str
    steps: tuple[Step, ...] = ()
    respond_within: timedelta | None = None
    counts_from: CountsFrom = CountsFrom.UNACKNOWLEDGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """An instant of a policy: its steps that fall together; `is_late`: the time to respond ends here.

    A time to respond that no step goes with names those the alert named.
    """

    after: timedelta
    steps: tuple[Step, ...] = ()
    is_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """How far an alert's escalation is.

    `round` tells one escalation of an alert from the next. `since` is when it began, moved on by the time it was
    paused. `due_at` is None when all is done or while it is `paused_at`.
    """

    alert_id: int
    policy: str
    round: int
    since: datetime
    done: int = 0
    due_at: datetime | None = None
    paused_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is to be said when moments fall due: the latest counts, the names of all are kept.

    `names_alerted`: name those whom the alert named, too.
    """

    targets: tuple[str, ...]
    mentions: tuple[str, ...]
    text: str
    names_alerted: bool


def moments(policy: Policy) -> tuple[Moment, ...]:
    """The moments of a policy, earliest first."""
    found = {step.after: Moment(after=step.after) for step in policy.steps}
    if policy.respond_within is not None:
        found[policy.respond_within] = Moment(after=policy.respond_within, is_late=True)
    for step in policy.steps:
        moment = found[step.after]
        found[step.after] = replace(moment, steps=(*moment.steps, step))
    return tuple(found[after] for after in sorted(found))


def follow(
    current: Escalation | None, alert: Alert, policy: Policy | None, now: datetime
) -> tuple[Escalation | None, str]:
    """The escalation after something happened to its alert, and why it is so; an empty reason for no change."""
    if policy is None or not moments(policy):
        return None, "no route leads to an escalation any more" if current else ""
    if not alert.status.is_open:
        return None, f"stopped: {alert.status.value}" if current else ""
    if alert.status is Status.ACKNOWLEDGED and policy.counts_from is CountsFrom.UNACKNOWLEDGED:
        return None, "stopped: acknowledged" if current else ""
    if current is None or current.policy != policy.name:
        begun = Escalation(alert_id=alert.id, policy=policy.name, round=alert.version, since=now)
        held = _is_held(alert, now)
        begun = replace(begun, paused_at=now) if held else _timed(begun, policy)
        return begun, f"{policy.name} begins" + (", paused while it is kept quiet" if held else "")
    if _is_held(alert, now):
        if current.paused_at is not None:
            return current, ""
        return replace(current, paused_at=now, due_at=None), "paused: kept quiet"
    if current.paused_at is not None:
        since = current.since + (now - current.paused_at)
        return _timed(replace(current, since=since, paused_at=None), policy), "goes on"
    return current, ""


def _is_held(alert: Alert, now: datetime) -> bool:
    return alert.is_silenced(now) or alert.firing.held_by is not None


def _timed(current: Escalation, policy: Policy) -> Escalation:
    """With the instant at which its next moment falls due."""
    waiting = moments(policy)[current.done :]
    return replace(current, due_at=current.since + waiting[0].after if waiting else None)


def take_step(
    current: Escalation, alert: Alert, policy: Policy, hours: Sequence[QuietHours], now: datetime
) -> tuple[Escalation, Call | None]:
    """Do what is due: what to say, and the escalation after it.

    Of several moments that fell due together, as after an outage, the latest counts. In quiet hours an alert
    that they cover waits for their end.
    """
    if current.due_at is None or current.due_at > now:
        return current, None
    quiet = quiet_until(hours, alert.severity, now)
    if quiet is not None:
        return replace(current, due_at=quiet[1]), None
    waiting = moments(policy)[current.done :]
    due = [moment for moment in waiting if current.since + moment.after <= now]
    after = _timed(replace(current, done=current.done + len(due)), policy)
    due = [moment for moment in due if moment.steps or alert.status is Status.ACTIVE]
    return after, _call(due, alert, policy, current, now) if due else None


def take_next(
    current: Escalation, alert: Alert, policy: Policy, hours: Sequence[QuietHours], now: datetime, why: str
) -> tuple[Escalation, Call | None]:
    """Take the next step before its time because of `why`; the steps after it keep theirs.

    None while it is paused, in quiet hours that cover the alert, and when no step is left.
    """
    if current.paused_at is not None or quiet_until(hours, alert.severity, now) is not None:
        return current, None
    waiting = moments(policy)[current.done :]
    taken = next((number for number, moment in enumerate(waiting, 1) if moment.steps), None)
    if taken is None:
        return current, None
    call = _call([waiting[taken - 1]], alert, policy, current, now)
    notes = [step.note.rstrip(".") for step in waiting[taken - 1].steps if step.note]
    text = ". ".join([f"{why}, so the next step of {policy.name} is taken at once", *notes])
    return _timed(replace(current, done=current.done + taken), policy), replace(call, text=text)


def _call(due: Sequence[Moment], alert: Alert, policy: Policy, current: Escalation, now: datetime) -> Call:
    steps = [step for moment in due for step in moment.steps]
    last = due[-1].steps or tuple(steps[-1:])
    targets = dict.fromkeys(target for step in steps for target in step.to) or {SLACK: None}
    return Call(
        targets=tuple(targets),
        mentions=tuple(dict.fromkeys(name for step in steps for name in step.mention)),
        text=_text(due, last, alert, policy, current, now),
        names_alerted=any(moment.is_late and not moment.steps for moment in due),
    )


def _text(
    due: Sequence[Moment],
    last: Sequence[Step],
    alert: Alert,
    policy: Policy,
    current: Escalation,
    now: datetime,
) -> str:
    """What is the matter, in words for somebody who was just woken."""
    is_active = alert.status is Status.ACTIVE
    reached = spell(now - current.since if len(due) > 1 else due[-1].after)
    said = f"Nobody has acknowledged this for {reached}" if is_active else f"Not over after {reached}"
    parts = [said]
    if is_active and policy.respond_within is not None and any(moment.is_late for moment in due):
        parts = [f"{said}; it was to be answered within {spell(policy.respond_within)}"]
    parts += [step.note.rstrip(".") for step in last if step.note]
    if len(due) > 1:
        parts.append(f"{len(due)} steps of {policy.name} fell due together")
    return ". ".join(parts)
