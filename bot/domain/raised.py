"""Alerts that somebody else raises: a service by HTTP, a person by hand, another tool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.priority import application_severity
from bot.domain.rule import Rule, RuleGroup, Standing
from bot.domain.severity import Severity
from checks.result import Diagnostic, State, Value

LASTS = timedelta(hours=24)
"""How long such an alert stays open unless it is raised again: perhaps nobody will ever say that it is over."""

_ADVICE = (
    "Read the stack trace and the newest log lines of the service",
    "Check recent deployments and roll back if they match",
    "See whether the dependencies it calls are well",
)
_PYTHON_TRACE = "Traceback (most recent call last)"
_LONGEST_TRACE = 2500


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedAlert:
    """What was said of a problem. `alert_type` and `resource` make two of them the same problem.

    Without a `severity` it follows from the figures (requirement MH3). `over`: the problem has gone away.
    `expire_after`: how soon a source that falls silent has its alert closed; the file's default unless set.
    """

    alert_type: str
    resource: str
    title: str = ""
    message: str = ""
    severity: Severity | None = None
    category: str = "application"
    metadata: Mapping[str, Value] = field(default_factory=dict)
    recommendations: tuple[str, ...] = ()
    related_logs: tuple[str, ...] = ()
    affected_users: int | None = None
    error_count: int | None = None
    stack_trace: str | None = None
    runbook: str | None = None
    over: bool = False
    expire_after: timedelta | None = None

    @property
    def judged(self) -> Severity:
        """The severity that was given, or the one that follows from the error's type, users and count."""
        said = self.metadata.get("error_type")
        error_type = f"{self.alert_type} {said}" if isinstance(said, str) else self.alert_type
        return self.severity or application_severity(
            error_type, users=self.affected_users or 0, errors=self.error_count or 0
        )


def source_of(raised: RaisedAlert) -> Source:
    """Who says so."""
    return Source(kind=SourceKind.ALERT, name=raised.alert_type)


def observation_of(raised: RaisedAlert, now: datetime) -> Observation:
    """What the rule of `rules_of` is asked of."""
    bad = State.CRITICAL if raised.judged is Severity.CRITICAL else State.WARNING
    counts = {"affected_users": raised.affected_users, "error_count": raised.error_count}
    return Observation(
        source=source_of(raised),
        resource=raised.resource,
        state=State.OK if raised.over else bad,
        at=now,
        summary=raised.message or raised.title or raised.alert_type,
        fields={
            **raised.metadata,
            **{name: value for name, value in counts.items() if value is not None},
        },
        diagnostics=tuple(_diagnostics(raised)),
    )


def rules_of(raised: RaisedAlert, *, dedupe: timedelta, expire: timedelta | None) -> tuple[RuleGroup, ...]:
    """The one rule that makes the alert, in the words of who raised it."""
    severity = raised.judged
    rule = Rule(
        name=raised.alert_type,
        question=Standing(severities={State.CRITICAL: severity, State.WARNING: severity}),
        title=_literal(raised.title or raised.alert_type),
        severity=severity,
        category=raised.category,
        runbook=raised.runbook,
        recommendations=raised.recommendations or (_ADVICE if raised.category == "application" else ()),
        dedupe=dedupe,
        expire=raised.expire_after or expire or LASTS,
    )
    return (RuleGroup(rules=(rule,)),)


def _diagnostics(raised: RaisedAlert) -> Iterator[Diagnostic]:
    """What a person would fetch first: where it broke, what the log said, what was sent along."""
    if raised.stack_trace:
        yield Diagnostic(title="Stack trace", text=_excerpt(raised.stack_trace))
    if raised.related_logs:
        yield Diagnostic(title="Related log lines", text="\n".join(raised.related_logs[-20:]))
    told = {name: value for name, value in raised.metadata.items() if name != "raised_by"}
    if told:
        lines = [f"{name}: {value}" for name, value in told.items()]
        yield Diagnostic(title="Details", text="\n".join(lines[:30]))


def _excerpt(trace: str) -> str:
    """The part that names the cause: Python's traces end with it, others begin with it."""
    if len(trace) <= _LONGEST_TRACE:
        return trace
    if _PYTHON_TRACE in trace:
        return "…" + trace[-_LONGEST_TRACE:]
    return trace[:_LONGEST_TRACE] + "…"


def _literal(text: str) -> str:
    """Text for a template, whose braces are no placeholders."""
    return text.replace("{", "{{").replace("}", "}}")
