"""Everything that was decided about an alert, gathered to be explained. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.alert import Alert, Event
from bot.domain.escalation import Escalation, Policy
from bot.domain.observation import SourceKind, complete
from bot.domain.route import Place, Routing
from bot.domain.rule import CannotRun, Expression, Rule, Standing, Streak, Threshold
from bot.domain.template import format_value, look_up

_MOST_VALUES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision of routes or of an escalation, and its reasons."""

    kind: str
    at: datetime
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What explains an alert at `now`.

    `rule` is as the configuration has it now, None when it has it no more. `streak` is how often in a row the
    rule answered alike by now. `is_held`: quiet hours keep it back.
    """

    alert: Alert
    now: datetime
    rule: Rule | None = None
    streak: Streak | None = None
    events: Sequence[Event] = ()
    decided: Sequence[Decided] = ()
    routing: Routing | None = None
    places: Sequence[Place] = ()
    escalation: Escalation | None = None
    policy: Policy | None = None
    is_held: bool = False


def condition_of(rule: Rule | None, alert: Alert) -> str:
    """What was asked, in the words of the configuration or in ours."""
    if alert.firing.source.kind is SourceKind.ALERT:
        return "somebody says so: it was raised by hand, by a program or by another tool"
    question = rule.question if rule is not None else None
    match question:
        case Expression():
            return question.condition.source
        case Threshold():
            return _limits(question)
        case Standing() if question.conditions:
            said = [f"{state.value} when {condition.source}" for state, condition in question.conditions]
            return "the check itself reports trouble, or " + "; ".join(said)
        case Standing():
            return "the check itself reports warning or critical"
        case CannotRun():
            return "the check itself could not run"
    return "" if rule is None else "what is expected of the job, by its schedule and limits"


def _limits(question: Threshold) -> str:
    word = "under" if question.below else "over"
    steps = [f"{limit:g} ({severity.priority})" for severity, limit in question.steps]
    if question.limit is not None:
        steps.append(f"{question.limit:g}")
    return f"{question.field} {word} {' or '.join(steps)}"


def values_of(rule: Rule | None, alert: Alert) -> tuple[tuple[str, str], ...]:
    """The measured values that the question is about, as they were when it was last true."""
    names: Sequence[str] = ()
    question = rule.question if rule is not None else None
    match question:
        case Expression():
            names = sorted(question.condition.variables)
        case Threshold():
            names = (question.field,)
        case Standing():
            names = sorted({name for _, condition in question.conditions for name in condition.variables})
    known = complete(alert.firing.fields)
    found = [(name, look_up(known, name)) for name in names[:_MOST_VALUES]]
    return tuple((name, format_value(value, "")) for name, value in found if value is not None)


def priority_reason(rule: Rule | None, alert: Alert) -> str:
    """How the alert came by its priority."""
    priority, firing = alert.severity.priority, alert.firing
    if firing.source.kind is SourceKind.ALERT:
        return f"{priority}, as it was raised: a severity that was given, or one judged by the users and errors counted"
    if rule is None:
        return f"{priority}, by a rule that the configuration no longer has"
    if rule.severity is not None:
        return f"{priority}, because the configuration gives this rule `severity: {rule.severity.word}`"
    match rule.question:
        case Threshold() as question:
            return _by_threshold(question, alert)
        case Standing() as question:
            said = ", ".join(
                f"{state.value} is {severity.priority}" for state, severity in question.severities.items()
            )
            return f"{priority}, by the state it was in: {said}"
    return f"{priority}, by what the rule found"


def _by_threshold(question: Threshold, alert: Alert) -> str:
    priority = alert.severity.priority
    value = look_up(complete(alert.firing.fields), question.field)
    shown = question.field if value is None else f"{question.field} = {format_value(value, '')}"
    step = next((limit for severity, limit in question.steps if severity is alert.severity), None)
    if step is not None:
        return f"{priority}, because {shown} is past the step of {step:g} that means {priority}"
    if question.limit is None:
        return f"{priority}, by its thresholds"
    if question.bounded:
        scale = (
            "70% of the room between the limit and the end of the scale used up is P1, 20% is P2, less is P3"
        )
    else:
        scale = "more than 50% past the limit is P1, more than 20% is P2, less is P3"
    return f"{priority}, by how far {shown} is past {question.limit:g}: {scale}"
