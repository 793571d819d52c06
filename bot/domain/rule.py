"""Rules: what makes an alert, asked of one observation at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from bot.domain.condition import Condition, ConditionError, Outcome
from bot.domain.flapping import FlappingLimits, Recent
from bot.domain.forecast import outlook_of
from bot.domain.observation import Observation, SourceKind, clean_text
from bot.domain.priority import Overage, overage
from bot.domain.severity import Severity
from bot.domain.template import format_value, render
from checks.result import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rule's test says, with the reason a person can read; a `title` replaces the rule's own."""

    outcome: Outcome
    reason: str = ""
    severity: Severity | None = None
    overage: Overage | None = None
    field: str | None = None
    title: str | None = None


class Question(Protocol):
    """The question a rule asks."""

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict: ...


# What a run's summary tells in its own words.
_SAID_ALREADY = frozenset({"job", "job_name", "status", "exit_code", "error_code"})
_MOST_CODES = 50
_LONGEST_RESOURCE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """True when a CEL condition is."""

    condition: Condition

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        outcome, code = self._any_error_code(names)
        if outcome is not Outcome.TRUE:
            return Verdict(outcome=outcome)
        return Verdict(outcome=outcome, reason=self._reason(observation, {**names, "error_code": code}))

    def _reason(self, observation: Observation, names: Mapping[str, Any]) -> str:
        """A run says how it ended; a check's condition needs its values beside it."""
        shown = ", ".join(
            f"{name} = {format_value(names[name], '')}"
            for name in sorted(self.condition.variables - _SAID_ALREADY)
            if names.get(name) is not None and not isinstance(names[name], Mapping)
        )
        if observation.source.kind is SourceKind.JOB:
            return f"{observation.summary} ({shown})" if shown else observation.summary
        return f"{self.condition.source}: {shown}" if shown else self.condition.source

    def _any_error_code(self, names: Mapping[str, Any]) -> tuple[Outcome, Any]:
        """A run may carry several error codes: the condition holds when it holds for one of them."""
        codes = names.get("error_codes")
        if "error_code" not in self.condition.variables or not isinstance(codes, list) or len(codes) < 2:
            return self.condition.evaluate(names), names.get("error_code")
        outcomes = [(self._outcome({**names, "error_code": code}), code) for code in codes[:_MOST_CODES]]
        return next((found for found in outcomes if found[0] is Outcome.TRUE), outcomes[0])

    def _outcome(self, names: Mapping[str, Any]) -> Outcome:
        """One code that the condition cannot be calculated for hides no other."""
        try:
            return self.condition.evaluate(names)
        except ConditionError:
            return Outcome.NOT_APPLICABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """True when the source's own state, or one of the conditions that set it, is warning or critical."""

    conditions: tuple[tuple[State, Condition], ...] = ()
    severities: Mapping[State, Severity]

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        if observation.state in (State.UNKNOWN, State.PENDING):
            return Verdict(outcome=Outcome.NOT_APPLICABLE)
        if observation.state is State.CRITICAL:
            return self._bad(State.CRITICAL, observation.summary)
        outcomes: set[Outcome] = set()
        for state, condition in self.conditions:  # worst first
            found = _asked(Expression(condition=condition), observation, names)
            if found.outcome is Outcome.TRUE:
                return self._bad(state, found.reason)
            outcomes.add(Outcome.FALSE if _is_partly_null(condition, names) else found.outcome)
        if observation.state is State.WARNING:
            return self._bad(State.WARNING, observation.summary)
        unasked = Outcome.NOT_APPLICABLE in outcomes
        return Verdict(outcome=Outcome.NOT_APPLICABLE if unasked else Outcome.FALSE)

    def _bad(self, state: State, reason: str) -> Verdict:
        return Verdict(outcome=Outcome.TRUE, reason=reason, severity=self.severities[state])


def _is_partly_null(condition: Condition, names: Mapping[str, Any]) -> bool:
    """Whether some of a condition's fields are null beside others that are not.

    So says a query whose `max(…)` saw no rows beside a `count(…)` of 0: there is nothing to be bad.
    """
    found = [names.get(name) for name in condition.variables if name in names]
    return (
        len(found) == len(condition.variables) and None in found and any(each is not None for each in found)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotRun:
    """True when the check itself could not run, so that nobody knows how its target is."""

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        if observation.state is State.PENDING:
            return Verdict(outcome=Outcome.NOT_APPLICABLE)
        if observation.state is not State.UNKNOWN:
            return Verdict(outcome=Outcome.FALSE)
        return Verdict(outcome=Outcome.TRUE, reason=observation.summary)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """True when a field is past a limit: that of a step (worst first), or one whose overage gives the severity."""

    field: str
    steps: tuple[tuple[Severity, float], ...] = ()
    limit: float | None = None
    below: bool = False
    bounded: bool = False

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        value = names.get(self.field)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            return Verdict(outcome=Outcome.NOT_APPLICABLE)
        severity, limit = self._passed(value)
        if limit is None:
            return Verdict(outcome=Outcome.FALSE)
        over = overage(value, limit, below=self.below, bounded=self.bounded)
        word = "under" if self.below else "over"
        return Verdict(
            outcome=Outcome.TRUE,
            reason=f"{self.field} {format_value(value, '')} is {word} its threshold of {format_value(limit, '')}, "
            f"exceeded by {over.percent:.1f}%{self._ahead(value, limit, observation.at, names)}",
            severity=severity or over.severity,
            overage=over,
            field=self.field,
        )

    def is_past(self, value: float) -> bool:
        """Whether the value is past any of the limits."""
        return self._passed(value)[1] is not None

    def _ahead(self, value: float, limit: float, now: datetime, names: Mapping[str, Any]) -> str:
        """When the next worse limit is reached, or 100 %, where the past tells it."""
        worse = [each for _, each in self.steps if (each < value if self.below else each > value)]
        following = (max(worse) if self.below else min(worse)) if worse else None
        if following is None and self.bounded and not self.below:
            following = 100.0
        found = following and outlook_of(names, self.field, following, now, below=self.below)
        if not found or following is None:
            return ""
        return f". At this rate it reaches {format_value(following, '')} {found.words()}"

    def _passed(self, value: float) -> tuple[Severity | None, float | None]:
        steps: tuple[tuple[Severity | None, float], ...] = self.steps
        if self.limit is not None:
            steps = ((None, self.limit),)
        for severity, limit in steps:  # worst first
            if value < limit if self.below else value > limit:
                return severity, limit
        return None, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A question and the alert that a yes makes.

    `severity` None leaves it to the verdict. `failures` and `recoveries` count observations in a row;
    `hold` is how long the answer must have been yes. `expire`: an alert not heard of for so long is closed.
    `title`, `message` and `resource` are templates. While a check of `depends_on` fails, its alert is told
    and this one is held. `goes_on`: in a first-match group, ask the next rules too. `ended_by_run`: asked of runs
    and between them, but only a run ends its alerts. `compares`: fields its question measures by their baseline.
    `advisory`: a yes says nothing of how the source stands.
    `flapping`: when it goes back and forth too often to be told each time; None for never.
    """

    name: str
    question: Question
    title: str
    message: str | None = None
    severity: Severity | None = None
    category: str = "system"
    mention: str | None = None
    channel: str | None = None
    runbook: str | None = None
    recommendations: tuple[str, ...] = ()
    failures: int = 1
    recoveries: int = 1
    hold: timedelta = timedelta(0)
    dedupe: timedelta = timedelta(hours=1)
    expire: timedelta | None = None
    resource: str | None = None
    depends_on: tuple[str, ...] = ()
    goes_on: bool = False
    ended_by_run: bool = False
    compares: frozenset[str] = frozenset()
    advisory: bool = False
    flapping: FlappingLimits | None = None
    tags: tuple[str, ...] = ()

    def resource_of(self, observation: Observation, names: Mapping[str, Any]) -> str:
        """What the alert is about: the observation's resource, unless the rule has a template of its own."""
        if not self.resource:
            return observation.resource
        return clean_text(render(self.resource, names)).strip()[:_LONGEST_RESOURCE] or observation.resource


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleGroup:
    """Rules asked in order. With `first_match` the first true one decides and the rest are not asked."""

    rules: tuple[Rule, ...]
    first_match: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """How often in a row a rule's test was true or false, since when it has been true, and what went before."""

    matches: int = 0
    clears: int = 0
    since: datetime | None = None
    recent: Recent = field(default_factory=Recent)

    def advanced(self, outcome: Outcome, at: datetime, limits: FlappingLimits | None = None) -> Streak:
        if outcome not in (Outcome.TRUE, Outcome.FALSE):
            return self
        bad = outcome is Outcome.TRUE
        recent = Recent() if limits is None else self.recent.advanced(bad, limits)
        if bad:
            return Streak(matches=self.matches + 1, since=self.since if self.matches else at, recent=recent)
        return Streak(clears=self.clears + 1, recent=recent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A rule's answer to one observation: its verdict, and whether that is enough to raise or to clear."""

    rule: Rule
    verdict: Verdict
    streak: Streak
    raises: bool
    clears: bool


def judge(
    groups: tuple[RuleGroup, ...],
    observation: Observation,
    names: Mapping[str, Any],
    streaks: Mapping[str, Streak],
) -> tuple[Judgement, ...]:
    """Every rule that was asked, with its answer. A rule that cannot be calculated does not apply."""
    judgements: list[Judgement] = []
    for group in groups:
        for rule in group.rules:
            judgement = _judge_one(rule, observation, names, streaks.get(rule.name, Streak()))
            judgements.append(judgement)
            if group.first_match and not rule.goes_on and judgement.verdict.outcome is Outcome.TRUE:
                break
    return tuple(judgements)


def _judge_one(rule: Rule, observation: Observation, names: Mapping[str, Any], streak: Streak) -> Judgement:
    verdict = _asked(rule.question, observation, names)
    if verdict.outcome is Outcome.NOT_APPLICABLE and _succeeded(observation):
        verdict = replace(verdict, outcome=Outcome.FALSE)
    streak = streak.advanced(verdict.outcome, observation.at, rule.flapping)
    true = verdict.outcome is Outcome.TRUE
    ends = verdict.outcome is Outcome.FALSE and not (observation.watch and rule.ended_by_run)
    held = true and streak.since is not None and observation.at - streak.since >= rule.hold
    return Judgement(
        rule=rule,
        verdict=verdict,
        streak=streak,
        raises=held and streak.matches >= rule.failures,
        clears=ends and streak.clears >= rule.recoveries,
    )


def _asked(question: Question, observation: Observation, names: Mapping[str, Any]) -> Verdict:
    try:
        return question.ask(observation, names)
    except ConditionError as error:
        return Verdict(outcome=Outcome.NOT_APPLICABLE, reason=str(error))


def _succeeded(observation: Observation) -> bool:
    """A job that ended well has none of the troubles its run no longer mentions."""
    is_run = observation.source.kind is SourceKind.JOB and not observation.watch
    return is_run and observation.state is State.OK


_USUAL = re.compile(r"\b(?:baseline|change)\.(\w+)")


def baselines_of(groups: tuple[RuleGroup, ...]) -> frozenset[str]:
    """The fields whose baseline some rule's condition or message asks for."""
    found: set[str] = set()
    for group in groups:
        for rule in group.rules:
            texts = [rule.title, rule.message or ""]
            if isinstance(rule.question, Expression):
                texts.append(rule.question.condition.source)
            if isinstance(rule.question, Standing):
                texts += [condition.source for _, condition in rule.question.conditions]
            found.update(name for text in texts for name in _USUAL.findall(text))
            found.update(rule.compares)
    return frozenset(found)
