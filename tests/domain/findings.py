"""Observations, rules and instants that the domain's tests are made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.alert import Alert, Change, Firing, fire
from bot.domain.condition import compile_condition
from bot.domain.decision import Decision, Memory, evaluate
from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.rule import Expression, Rule, RuleGroup
from bot.domain.severity import Severity
from bot.domain.silence import Silence
from checks.result import State

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def check(
    fields: Mapping[str, Any] | None = None,
    *,
    at: datetime = NOON,
    state: State = State.OK,
    name: str = "host",
    resource: str | None = None,
    summary: str = "as measured",
) -> Observation:
    return Observation(
        source=Source(kind=SourceKind.CHECK, name=name),
        resource=resource or name,
        state=state,
        at=at,
        summary=summary,
        fields=fields or {},
    )


def job(
    fields: Mapping[str, Any] | None = None,
    *,
    at: datetime = NOON,
    state: State = State.CRITICAL,
    name: str = "parse",
) -> Observation:
    return Observation(
        source=Source(kind=SourceKind.JOB, name=name),
        resource=name,
        state=state,
        at=at,
        summary="SUCCESS" if state is State.OK else "ERROR",
        fields=fields or {},
    )


def rule(condition: str, name: str = "hot", **parts: Any) -> Rule:
    """A rule that asks a CEL condition."""
    parts.setdefault("title", f"{name} at {{resource}}")
    parts.setdefault("severity", Severity.HIGH)
    return Rule(name=name, question=Expression(condition=compile_condition(condition)), **parts)


def all_of(*rules: Rule) -> tuple[RuleGroup, ...]:
    return (RuleGroup(rules=rules),)


def first_of(*rules: Rule) -> tuple[RuleGroup, ...]:
    return (RuleGroup(rules=rules, first_match=True),)


def firing(severity: Severity = Severity.HIGH, **parts: Any) -> Firing:
    """What a rule found."""
    return Firing(
        **{
            "rule": "hot",
            "source": Source(kind=SourceKind.CHECK, name="host"),
            "resource": "host",
            "severity": severity,
            "category": "system",
            "title": "Host is hot",
            "message": "",
            "reason": "cpu_percent 92 is over its threshold",
            **parts,
        }
    )


def alert(**parts: Any) -> Alert:
    """An alert that fired at noon."""
    return fire(firing(**parts), NOON).alert


class History:
    """Observations judged one after another, with what is remembered between them."""

    def __init__(self, groups: tuple[RuleGroup, ...]) -> None:
        self.groups = groups
        self.streaks: Mapping[str, Any] = {}
        self.previous: Mapping[str, Any] = {}
        self.open: dict[str, Alert] = {}
        self.closed: dict[str, Alert] = {}
        self.silences: tuple[Silence, ...] = ()

    def see(self, observation: Observation) -> list[Change]:
        """Judge one more; returns what it changed."""
        memory = Memory(
            streaks=self.streaks,
            previous=self.previous,
            open=self.open,
            closed=self.closed,
            silences=self.silences,
        )
        decision: Decision = evaluate(self.groups, observation, memory)
        self.streaks, self.previous = decision.streaks, observation.fields
        for change in decision.changes:
            self.keep(change.alert)
        return list(decision.changes)

    def keep(self, changed: Alert) -> None:
        key = changed.fingerprint
        self.open.pop(key, None)
        (self.open if changed.status.is_open else self.closed)[key] = changed

    @property
    def only(self) -> Alert:
        """The one alert there is."""
        (found,) = [*self.open.values(), *self.closed.values()]
        return found
