"""The questions asked of jobs: of their runs, and of them between their runs. Each says its yes in a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from bot.domain.condition import Outcome
from bot.domain.decision import spell
from bot.domain.jobs import FEWEST_RUNS, Look, Sight, Terms
from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.rule import Verdict
from bot.domain.run import is_refusal
from bot.domain.severity import Severity
from bot.domain.template import format_value
from checks.result import State, Value

MOST_REFUSALS = 3
"""So many refused starts within a day are worth telling."""

_NOT_APPLICABLE = Verdict(outcome=Outcome.NOT_APPLICABLE)
_NO = Verdict(outcome=Outcome.FALSE)


def _yes(title: str, reason: str, severity: Severity | None = None) -> Verdict:
    return Verdict(outcome=Outcome.TRUE, title=title, reason=reason, severity=severity)


def observed(
    job: str, terms: Terms, sight: Sight, found: Look, now: datetime, streak_before: int = 0
) -> Observation:
    """What a look at a job found, for rules. `streak_before`: its newest runs in a row that used much budget."""
    heard = sight.last_heard
    fields: dict[str, Value] = {
        "late": found.late,
        "late_seconds": _seconds(now - found.due_at) if found.late and found.due_at else 0,
        "due_at": _written(found.due_at),
        "unseen": found.unseen,
        "announced": sight.announced or heard is None,
        "last_heard": _written(heard),
        "started_at": _written(found.started_at),
        "running_seconds": None if found.running is None else _seconds(found.running),
        "sla_utilization_percent": found.utilization,
        "over_budget": found.high,
        "high_utilization_streak": streak_before + 1 if found.high else None,
        "never_finished": found.never_finished,
        "overlapping": found.overlapping,
    }
    known = {name: value for name, value in fields.items() if value is not None}
    return Observation(
        source=Source(kind=SourceKind.JOB, name=job),
        resource=job,
        state=State.OK,  # its rules say what is wrong
        at=now,
        summary=_summary(job, terms, known, now),
        fields=known,
        watch=True,
    )


def _seconds(length: timedelta) -> float:
    return round(length.total_seconds(), 1)


def _written(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _instant(fields: Mapping[str, Value], name: str) -> datetime | None:
    value = fields.get(name)
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _number(fields: Mapping[str, Any], name: str) -> float | None:
    value = fields.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _summary(job: str, terms: Terms, fields: Mapping[str, Value], now: datetime) -> str:
    """How it stands, in a few words; they also say why an alert is over."""
    for wrong, words in (("never_finished", _going_on), ("late", _missing), ("over_budget", _spent)):
        if fields.get(wrong) is True:
            return words("it", terms, fields, now).removeprefix("it ")
    started_at, heard = _instant(fields, "started_at"), _instant(fields, "last_heard")
    if started_at is not None:
        return f"running since {local(started_at, terms.zone, now)}"
    if heard is None:
        return "nothing was heard of it yet"
    return f"last heard of at {local(heard, terms.zone, now)}"


def local(instant: datetime, zone: ZoneInfo, now: datetime) -> str:
    """`03:00` today, `Mon 3 Mar 03:00` on another day of the zone."""
    there = instant.astimezone(zone)
    if there.date() == now.astimezone(zone).date():
        return f"{there:%H:%M}"
    return f"{there:%a} {there.day} {there:%b %H:%M}"


class _Words(Protocol):
    def __call__(self, job: str, terms: Terms, fields: Mapping[str, Value], now: datetime) -> str: ...


def _missing(job: str, terms: Terms, fields: Mapping[str, Value], now: datetime) -> str:
    due_at = _instant(fields, "due_at") or now
    grace = f"{spell(terms.grace)} grace" if terms.grace else "no grace"
    if terms.every is not None:
        silent = spell(now - due_at + terms.every)
        return f"{job} has not been heard of for {silent}: expected every {spell(terms.every)}, {grace}"
    what = "started" if fields.get("announced") else "reported"
    return f"{job} has not {what}: due {local(due_at, terms.zone, now)}, {grace}"


def _running(fields: Mapping[str, Value]) -> timedelta:
    return timedelta(seconds=_number(fields, "running_seconds") or 0)


def _going_on(job: str, terms: Terms, fields: Mapping[str, Value], now: datetime) -> str:
    if terms.timeout is not None:
        return f"{job} has been running for {spell(_running(fields))}, over its time limit of {spell(terms.timeout)}"
    started_at = _instant(fields, "started_at") or now
    return f"{job} never finished: started {local(started_at, terms.zone, now)}, nothing heard since"


def _spent(job: str, terms: Terms, fields: Mapping[str, Value], now: datetime) -> str:
    used = _number(fields, "sla_utilization_percent") or 0
    running, took = _number(fields, "running_seconds"), _number(fields, "duration_seconds")
    pace = f"has been running for {spell(_running(fields))}"
    if running is None:
        pace = f"took {spell(timedelta(seconds=took or 0))}"
    budget = spell(terms.budget) if terms.budget is not None else "nothing"
    return f"{job} {pace}, {math.floor(used)}% of its budget of {budget}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IsLate:
    """True when a job's sign of life is overdue."""

    terms: Terms

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        fields = observation.fields
        late = fields.get("late")
        if late is not True:
            return _NO if late is False else _NOT_APPLICABLE
        title = _missing(observation.source.name, self.terms, fields, observation.at)
        return _yes(title, self._reason(fields, observation.at))

    def _reason(self, fields: Mapping[str, Value], now: datetime) -> str:
        heard = _instant(fields, "last_heard")
        when = f"Last heard of at {self._full(heard)}." if heard else "Nothing was ever heard of it."
        parts = [when]
        if due_at := _instant(fields, "due_at"):
            parts.insert(0, f"Due at {self._full(due_at)}, {spell(now - due_at)} ago.")
        if fields.get("unseen"):
            parts.append("Tocsin was not running when it was due and may have missed its report.")
        return " ".join(parts)

    def _full(self, instant: datetime) -> str:
        return f"{instant.astimezone(self.terms.zone):%Y-%m-%d %H:%M %Z}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IsLost:
    """True when a run is over its time limit, or was not heard of for so long that it must have died."""

    terms: Terms

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        fields = observation.fields
        lost = fields.get("never_finished")
        if lost is not True:
            return _NO if lost is False else _NOT_APPLICABLE
        title = _going_on(observation.source.name, self.terms, fields, observation.at)
        started_at = _instant(fields, "started_at") or observation.at
        return _yes(
            title,
            f"It started at {started_at.astimezone(self.terms.zone):%Y-%m-%d %H:%M %Z}, "
            f"{spell(_running(fields))} ago, and neither its end nor its being killed was reported.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IsOverBudget:
    """True when a run, ended or going on, used up much of its budget (requirement KM1).

    Warnings in `streak` runs in a row escalate by one severity (requirement KM2).
    """

    terms: Terms
    warning: Severity = Severity.MEDIUM
    critical: Severity = Severity.CRITICAL

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        fields = observation.fields
        used = _number(fields, "sla_utilization_percent")
        if used is None:
            return self._unmeasured(observation)
        if not self.terms.is_high(used):
            ended_badly = not observation.watch and observation.state is not State.OK
            return _NOT_APPLICABLE if ended_badly else _NO
        in_a_row = int(_number(fields, "high_utilization_streak") or 1)
        title = _spent(observation.source.name, self.terms, fields, observation.at)
        return _yes(title, self._reason(observation, used, in_a_row), self._severity(used, in_a_row))

    @staticmethod
    def _unmeasured(observation: Observation) -> Verdict:
        unsure = observation.watch and observation.fields.get("over_budget") is not False
        return _NOT_APPLICABLE if unsure or not observation.watch else _NO

    def _severity(self, used: float, in_a_row: int) -> Severity:
        if used >= 100 * self.terms.critical:
            return self.critical
        if in_a_row >= self.terms.streak:
            return Severity(max(self.warning - 1, Severity.CRITICAL))
        return self.warning

    def _reason(self, observation: Observation, used: float, in_a_row: int) -> str:
        share = self.terms.critical if used >= 100 * self.terms.critical else self.terms.warning
        said = f"{math.floor(used)}% of the budget is used; the limit is {_percent(share)}"
        if in_a_row >= self.terms.streak:
            said += f". {in_a_row} runs in a row used {_percent(self.terms.warning)} or more"
        return said + self._left(observation) if observation.watch else f"{observation.summary}: {said}"

    def _left(self, observation: Observation) -> str:
        """When the budget of a run that goes on is used up."""
        running = _number(observation.fields, "running_seconds")
        if running is None or self.terms.budget is None:
            return ""
        left = self.terms.budget - timedelta(seconds=running)
        if left <= timedelta(0):
            return ""
        end = local(observation.at + left, self.terms.zone, observation.at)
        return f". All of it is used up in {spell(left)}, at {end}, if the run goes on until then"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaps:
    """True when a run went on while another of the same job did."""

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        overlapping = observation.fields.get("overlapping")
        if overlapping is not True:
            return _NO if overlapping is False else _NOT_APPLICABLE
        return _yes(
            f"{observation.source.name} runs more than once at the same time",
            "A run was started while another was still going on.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TooFast:
    """True when a run succeeded sooner than it can have done its work."""

    least: timedelta

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        took = _number(observation.fields, "duration_seconds")
        if took is None or observation.state is not State.OK:
            return _NOT_APPLICABLE
        if took >= self.least.total_seconds():
            return _NO
        job = observation.source.name
        return _yes(
            f"{job} succeeded suspiciously fast: {format_value(took, '')} s",
            f"{observation.summary}; less than {spell(self.least)} is too short for its work",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TooOften:
    """True when a job succeeds much more often than its schedule says."""

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        packed = observation.fields.get("too_often")
        if packed is not True:
            return _NO if packed is False else _NOT_APPLICABLE
        return _yes(
            f"{observation.source.name} runs more often than its schedule says",
            "It succeeds twice or more between due times, again and again. It may be scheduled on two machines.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FailsInARow:
    """True from a number of failures in a row on (requirement KM2)."""

    most: int

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        count = _number(observation.fields, "consecutive_failures")
        if count is None:
            return _NOT_APPLICABLE
        if count < self.most:
            return _NO
        title = f"{observation.source.name} failed {count:.0f} times in a row"
        return _yes(title if count > 1 else f"{observation.source.name} failed", observation.summary)


@dataclass(frozen=True, slots=True, kw_only=True)
class SucceedsTooSeldom:
    """True when fewer runs than asked for succeeded within the window (requirement KM2)."""

    least: float
    window: timedelta

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        rate, ended = (_number(observation.fields, name) for name in ("success_rate_24h", "runs_24h"))
        if rate is None or ended is None:
            return _NOT_APPLICABLE
        if rate >= self.least or ended < FEWEST_RUNS:
            return _NO
        span = "24 h" if self.window == timedelta(days=1) else spell(self.window)
        return _yes(
            f"{observation.source.name}: only {_percent(rate)} of its runs in {span} succeeded",
            f"{rate * ended:.0f} of {ended:.0f} runs succeeded; {_percent(self.least)} should. "
            f"The newest: {observation.summary}",
        )


def _percent(share: float) -> str:
    """`94.9%`: never rounded up to what is not reached."""
    return f"{math.floor(share * 1000 + 1e-6) / 10:g}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoesTooLittle:
    """True when a run did less in an hour than a limit, or than a share of what is usual (requirement KM2)."""

    least: float
    of_baseline: bool

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        done = _number(observation.fields, "throughput_per_hour")
        usual = _number(names["baseline"], "throughput_per_hour") if self.of_baseline else 1.0
        if done is None or usual is None:
            return _NOT_APPLICABLE
        if done >= self.least * usual:
            return _NO
        beside = f"{usual:,.0f} are usual" if self.of_baseline else f"{self.least:,.0f} are expected"
        return _yes(
            f"{observation.source.name} is slow: {done:,.0f} an hour",
            f"{done:,.0f} an hour; {beside}"
            + (f", less than {self.least:.0%} of it" if self.of_baseline else ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IsRefused:
    """True when starts were refused several times because a run holds the job's lock (requirement KM2)."""

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        fields = observation.fields
        count = _number(fields, "refused_locks_24h")
        if count is None:
            return _NOT_APPLICABLE
        if observation.state is State.OK:
            return _NO
        if not is_refusal(fields) or count < MOST_REFUSALS:
            return _NOT_APPLICABLE
        return _yes(
            f"{observation.source.name} was refused its lock {count:.0f} times in 24 h",
            f"Another run holds the lock, or died with it. {observation.summary}",
        )
