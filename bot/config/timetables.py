"""From settings to silences: when those of the file hold, and what alerts there could be for them to cover."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bot.config.acting import Silence as SilenceSettings
from bot.config.rulebook import Rulebook
from bot.config.settings import Settings
from bot.domain.alert import Alert, Firing, fire
from bot.domain.observation import Source, SourceKind
from bot.domain.rule import Rule, Standing, Threshold
from bot.domain.schedule import Cron, Daily, Schedule
from bot.domain.severity import Severity
from bot.domain.silence import Timetable, Window

_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def timetables_of(settings: Settings) -> tuple[Timetable, ...]:
    """The silences of the file."""
    return tuple(_timetable(each, settings) for each in settings.silences)


def _timetable(silence: SilenceSettings, settings: Settings) -> Timetable:
    zone = silence.timezone or settings.timezone
    begins: tuple[Schedule, ...] = tuple(Daily(at=time, zone=zone) for time in silence.at or ())
    if silence.schedule is not None:
        begins = (Cron(silence.schedule, zone),)
    once = None
    if silence.from_ is not None:
        end = silence.until or silence.from_ + (silence.for_ or timedelta(0))
        once = Window(starts_at=silence.from_, ends_at=end)
    return Timetable(
        name=silence.name,
        match=silence.match,
        reason=silence.reason,
        begins=begins,
        length=silence.for_ or timedelta(0),
        once=once,
    )


def samples_of(settings: Settings, rules: Rulebook) -> tuple[Alert, ...]:
    """An alert of every rule of every check and job of the file, at each severity that it can have."""
    checks = {name for check in settings.checks.values() for name in check.checks} | set(settings.checks)
    sources = [Source(kind=SourceKind.CHECK, name=name) for name in sorted(checks)]
    sources += [Source(kind=SourceKind.JOB, name=name) for name in sorted(settings.jobs)]
    return tuple(sample for source in sources for sample in _samples(source, rules))


def _samples(source: Source, rules: Rulebook) -> Iterator[Alert]:
    groups = [*rules.groups_for(source)]
    if source.kind is SourceKind.JOB:
        groups += rules.groups_for(source, watch=True)
    for rule in {rule.name: rule for group in groups for rule in group.rules}.values():
        for severity in _severities(rule):
            yield _sample(source, rule, severity)


def _severities(rule: Rule) -> tuple[Severity, ...]:
    if rule.severity is not None:
        return (rule.severity,)
    if isinstance(rule.question, Threshold):
        return tuple(severity for severity, _limit in rule.question.steps)
    if isinstance(rule.question, Standing):
        return tuple(rule.question.severities.values())
    return tuple(Severity)


def _sample(source: Source, rule: Rule, severity: Severity) -> Alert:
    firing = Firing(
        rule=rule.name,
        source=source,
        resource=source.name,
        severity=severity,
        category=rule.category,
        title=rule.title,
        message=rule.message or "",
        reason="",
        tags=rule.tags,
    )
    return fire(firing, _SOME_TIME).alert
