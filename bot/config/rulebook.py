"""From settings to rules: what each check, job and `alerts:` entry makes the domain ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from bot.config.acting import Inhibition as InhibitionSettings
from bot.config.acting import RuleSettings
from bot.config.history_rules import history_rules_of_check
from bot.config.job_rules import expected, run_rules, watch_rules
from bot.config.probing import Alerting, CheckSettings, JobSettings
from bot.config.scalars import Threshold as Limit
from bot.config.settings import Settings
from bot.domain.condition import compile_condition
from bot.domain.flapping import FlappingLimits
from bot.domain.inhibition import Inhibition
from bot.domain.jobs import Terms
from bot.domain.observation import Source, SourceKind
from bot.domain.rule import CannotRun, Expression, Question, Rule, RuleGroup, Standing, Threshold
from bot.domain.severity import Severity
from checks.result import State

_CATEGORY = {
    "system": "system",
    "process": "system",
    "sql": "database",
    "sql_schema": "database",
    "redis": "database",
    "file": "application",
    "csv": "application",
    "env": "application",
}
_DOWN = frozenset({"http", "tcp", "process", "redis", "dns"})
_UNITS = {"percent": "%", "ms": " ms", "s": " s", "mb": " MB", "gb": " GB", "hours": " h", "days": " days"}
_ACRONYMS = {"cpu": "CPU", "tls": "TLS", "rss": "RSS", "p95": "p95", "dns": "DNS"}
_WORST_FIRST = (State.CRITICAL, State.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRules:
    """The rules of one job: how a run ended (the first match decides), each run, and the time between runs."""

    ending: tuple[Rule, ...]
    run: tuple[Rule, ...]
    watch: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """Which rules are asked of whom. The `alerts:` of the file are asked of every check and every run.

    `terms` holds what is expected of the jobs of the file; any other job is held to `other_terms`.
    """

    of_checks: Mapping[str, tuple[Rule, ...]]
    of_jobs: Mapping[str, JobRules]
    of_other_jobs: JobRules
    of_all: tuple[Rule, ...]
    terms: Mapping[str, Terms]
    other_terms: Terms
    inhibitions: tuple[Inhibition, ...] = ()
    _groups: dict[tuple[Source, bool], tuple[RuleGroup, ...]] = field(default_factory=dict)

    def groups_for(self, source: Source, *, watch: bool = False) -> tuple[RuleGroup, ...]:
        """The rules for a source, ready to be judged; the same tuple every time.

        `watch`: for a look at a job between its runs, which other rules judge than those of its runs.
        """
        found = self._groups.get((source, watch))
        if found is None:
            found = self._groups[source, watch] = self._make(source, watch=watch)
        return found

    def terms_of(self, job: str) -> Terms:
        """What is expected of a job, in the file or not."""
        return self.terms.get(job, self.other_terms)

    def _make(self, source: Source, *, watch: bool) -> tuple[RuleGroup, ...]:
        if source.kind is SourceKind.CHECK:
            own = RuleGroup(rules=self.of_checks.get(source.name, ()))
            return (own, RuleGroup(rules=self.of_all, first_match=True))
        rules = self.of_jobs.get(source.name, self.of_other_jobs)
        if watch:
            return (RuleGroup(rules=rules.watch),)
        ending = RuleGroup(rules=(*self.of_all, *rules.ending), first_match=True)
        return (ending, RuleGroup(rules=rules.run))


def rulebook(settings: Settings) -> Rulebook:
    """Every rule the settings ask for."""
    members = {name: member for check in settings.checks.values() for name, member in check.checks.items()}
    terms = expected(settings)
    other, other_terms = JobSettings(), Terms(zone=settings.timezone)
    return Rulebook(
        of_checks={
            name: tuple(_check_rules(name, check)) for name, check in {**members, **settings.checks}.items()
        },
        of_jobs={name: _rules_of(job, terms[name]) for name, job in settings.jobs.items()},
        of_other_jobs=_rules_of(other, other_terms),
        of_all=tuple(_configured_rule(rule) for rule in settings.alerts),
        terms=terms,
        other_terms=other_terms,
        inhibitions=tuple(_inhibition(each) for each in settings.inhibit),
    )


def _inhibition(setting: InhibitionSettings) -> Inhibition:
    return Inhibition(
        when=compile_condition(setting.when), hold=compile_condition(setting.hold), equal=setting.equal
    )


def _rules_of(job: JobSettings, terms: Terms) -> JobRules:
    return JobRules(
        ending=tuple(_ending_rules(job)), run=run_rules(job, terms), watch=watch_rules(job, terms)
    )


def _check_rules(name: str, check: CheckSettings) -> Iterable[Rule]:
    kind = check.type
    if not check.checks:  # the members of a group alert for themselves
        yield from _state_rules(name, check)
    if check.condition is not None:
        yield _check_rule(
            check,
            name=f"{name}.condition",
            question=Expression(condition=compile_condition(check.condition)),
            title=_literal(f"{name}: {check.condition}"),
            category=check.category or _CATEGORY.get(kind, "application"),
            severity=check.severity or Severity.HIGH,
            tells=True,
        )
    for name_of_field, limits in check.thresholds.items():
        yield from _threshold_rules(name, check, name_of_field, limits)
    yield from history_rules_of_check(name, check)


def _state_rules(name: str, check: CheckSettings) -> Iterable[Rule]:
    kind = check.type
    yield _check_rule(
        check,
        name=name,
        question=_standing(check),
        title=f"{_literal(name)} is {'down' if kind in _DOWN and not check.states else 'failing'}",
        category=check.category or _CATEGORY.get(kind, "availability"),
        severity=None,
        tells=check.condition is None and not check.thresholds,
    )
    yield _check_rule(
        check,
        name=f"{name}.unknown",
        question=CannotRun(),
        title=f"{_literal(name)} cannot be checked",
        category=check.category or "system",
        severity=Severity.MEDIUM,
    )


def _check_rule(
    check: CheckSettings,
    *,
    name: str,
    question: Question,
    title: str,
    category: str,
    severity: Severity | None,
    tells: bool = False,
) -> Rule:
    """A rule with the check's own words; `tells`: its title and message, where it has some, are about this."""
    return Rule(
        name=name,
        question=question,
        title=(check.title if tells else None) or title,
        message=check.message if tells else None,
        severity=severity,
        category=category,
        mention=_mention(check),
        tags=check.tags,
        channel=check.channel,
        runbook=check.runbook,
        recommendations=check.recommendations,
        failures=check.failures,
        recoveries=check.recoveries,
        hold=check.for_,
        dedupe=check.dedupe,
        expire=check.expire,
        depends_on=check.depends_on,
        flapping=_flapping(check),
    )


def _flapping(check: CheckSettings) -> FlappingLimits | None:
    found = check.flapping
    return None if found is None else FlappingLimits(start=100 * found.start, end=100 * found.end)


def _literal(text: str) -> str:
    """Text for a template, whose braces, if it has some, are no placeholders."""
    return text.replace("{", "{{").replace("}", "}}")


def _standing(check: CheckSettings) -> Standing:
    critical = check.severity or Severity.CRITICAL
    by_state = {State(word): condition for word, condition in check.states.items()}
    conditions = tuple(
        (state, compile_condition(by_state[state])) for state in _WORST_FIRST if state in by_state
    )
    return Standing(
        conditions=conditions,
        severities={State.CRITICAL: critical, State.WARNING: max(critical, Severity.MEDIUM)},
    )


def _threshold_rules(
    name: str, check: CheckSettings, measured: str, limits: Iterable[Limit]
) -> Iterable[Rule]:
    """One rule a direction: too much and too little are different troubles."""
    bounded = measured in check.options.percent_fields()
    ordered = sorted(limits, key=lambda limit: (limit.direction, limit.severity or 0))
    for direction, group in groupby(ordered, key=lambda limit: limit.direction):
        found = list(group)
        label, unit = describe_field(measured)
        below = direction == "below"
        yield _check_rule(
            check,
            name=f"{name}.{measured}" + (".low" if below else ""),
            question=Threshold(
                field=measured,
                steps=tuple((limit.severity, limit.limit) for limit in found if limit.severity is not None),
                limit=next((limit.limit for limit in found if limit.severity is None), None),
                below=below,
                bounded=bounded,
            ),
            title=f"{_literal(name)}: {label} at {{{measured}}}{unit}",
            category=check.category or _threshold_category(check.type, measured),
            severity=None,
            tells=check.condition is None,
        )


def _threshold_category(kind: str, measured: str) -> str:
    if kind in ("http", "tcp", "process") and "error" not in measured:
        return "performance"
    return _CATEGORY.get(kind, "application")


def describe_field(name: str) -> tuple[str, str]:
    """How a field reads: `cpu_percent` is `CPU` in `%`, `response_time_p95_ms` is `response time p95` in `ms`."""
    words = name.split("_")
    unit = _UNITS.get(words[-1], "") if len(words) > 1 else ""
    kept = words[:-1] if unit else words
    return " ".join(_ACRONYMS.get(word, word) for word in kept), unit


def _configured_rule(rule: RuleSettings) -> Rule:
    return Rule(
        name=rule.name,
        question=Expression(condition=compile_condition(rule.condition)),
        title=rule.title or _literal(rule.name) + ": {resource}",
        message=rule.message,
        severity=rule.severity or Severity.HIGH,
        category=rule.category or "application",
        mention=_mention(rule),
        channel=rule.channel,
        runbook=rule.runbook,
        recommendations=rule.recommendations,
        hold=rule.for_,
        dedupe=rule.dedupe,
        expire=rule.expire,
        resource=rule.resource,
        goes_on=rule.continue_,
        tags=rule.tags,
    )


def _ending_rules(job: JobSettings) -> Iterable[Rule]:
    """What is wrong with how a run ended, when no rule of the file says so."""
    for name, condition, title, severity in (
        (
            "Job timed out",
            "status == 'TIMEOUT' || exit_code == 124",
            "{job_name} exceeded its time limit",
            Severity.CRITICAL,
        ),
        ("Job failed", "status == 'ERROR' || exit_code != 0", "{job_name} failed", Severity.HIGH),
    ):
        yield Rule(
            name=name,
            question=Expression(condition=compile_condition(condition)),
            title=job.title or title,
            message=job.message,
            severity=job.severity or severity,
            category=job.category or "application",
            mention=_mention(job),
            tags=job.tags,
            channel=job.channel,
            runbook=job.runbook,
            recommendations=job.recommendations,
            dedupe=job.dedupe,
            expire=job.expire,
        )


def _mention(settings: Alerting) -> str | None:
    return " ".join(settings.mention) or None
