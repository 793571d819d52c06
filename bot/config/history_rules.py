"""From settings to the rules that ask of the past: unusual figures, and limits that will be reached."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

from bot.config.probing import CheckSettings, JobSettings
from bot.domain.anomaly import IN_A_ROW, LASTING, SUCCESS
from bot.domain.condition import compile_condition
from bot.domain.forecast import accumulates
from bot.domain.history_questions import Unusual, WillBreach
from bot.domain.jobs import Terms
from bot.domain.rollup import DURATION
from bot.domain.rule import Question, Rule
from bot.domain.severity import Severity

_MAIN = ("response_time_ms", "latency_ms", "query_time_ms", "cpu_percent", "duration_ms")
_RUNS_IN_A_ROW = 2
_STEADY = timedelta(minutes=15)  # a forecast that flickers with each new look is told once
_UNITS = {"percent": "%", "ms": " ms", "mb": " MB", "gb": " GB"}
_NOT_FIELDS = frozenset({"state", "resource", "check", "job", "previous", "baseline", "change"})
_GROWS = (
    "See what grows: `du -xh / | sort -h | tail`, or the queue's oldest entries",
    "Make room before it is full",
)


def unusual_fields(check: CheckSettings) -> tuple[str, ...]:
    """The fields whose usual range is watched: those named, else those with limits, else the kind's main figure."""
    if isinstance(check.anomaly, tuple):
        return check.anomaly
    if not check.anomaly:
        return ()
    conditions = [*check.states.values(), *([check.condition] if check.condition else [])]
    asked = {name for each in conditions for name in compile_condition(each).variables} - _NOT_FIELDS
    if found := tuple(dict.fromkeys([*check.thresholds, *sorted(asked)])):
        return found
    known = check.options.field_names() or frozenset()
    return next(((name,) for name in _MAIN if name in known), ())


def history_rules_of_check(name: str, check: CheckSettings) -> Iterator[Rule]:
    """What is asked of a check's figures against their past."""
    for field in unusual_fields(check):
        question = Unusual(field=field, label=_label(field), unit=_unit(field))
        failures = max(check.failures, IN_A_ROW)
        recoveries = max(check.recoveries, IN_A_ROW)
        yield _of_check(check, f"{name}.{field}.unusual", question, failures, recoveries, LASTING)
    if check.forecast is None:
        return
    again = math.ceil(_STEADY / check.every) if check.every else 1
    for field, limits in check.thresholds.items():
        for direction in ("above", "below") if accumulates(field) else ():
            ends = [limit.limit for limit in limits if limit.direction == direction]
            if not ends:
                continue
            below = direction == "below"
            question_ahead = WillBreach(
                field=field,
                limit=max(ends) if below else min(ends),
                ahead=check.forecast,
                label=_label(field),
                unit=_unit(field),
                below=below,
            )
            ending = "forecast.low" if below else "forecast"
            recoveries = max(check.recoveries, again)
            yield _of_check(
                check, f"{name}.{field}.{ending}", question_ahead, 2, recoveries, timedelta(0), _GROWS
            )


def _of_check(
    check: CheckSettings,
    name: str,
    question: Question,
    failures: int,
    recoveries: int,
    lasting: timedelta,
    steps: tuple[str, ...] = (),
) -> Rule:
    is_unusual = isinstance(question, Unusual)
    return Rule(
        name=name,
        question=question,
        title=name.replace("{", "{{").replace("}", "}}"),  # the question says more
        severity=max(check.severity or Severity.MEDIUM, Severity.MEDIUM) if is_unusual else None,
        category=check.category or "performance",
        mention=" ".join(check.mention) or None,
        channel=check.channel,
        runbook=check.runbook,
        recommendations=check.recommendations or steps,
        failures=failures,
        recoveries=recoveries,
        hold=max(check.for_, lasting),
        advisory=True,
        dedupe=check.dedupe,
        expire=check.expire,
        depends_on=check.depends_on,
    )


def history_rules_of_job(job: JobSettings, terms: Terms) -> Iterator[Rule]:
    """What is asked of a job's runs against their past."""
    fields: tuple[str, ...] = job.anomaly if isinstance(job.anomaly, tuple) else ()
    if job.anomaly is True:
        fields = (DURATION, SUCCESS, *(("throughput_per_hour",) if terms.throughput else ()))
    for field in fields:
        label = "success rate" if field == SUCCESS else _label(field)
        question = Unusual(field=field, label=label, unit=_unit(field))
        yield _of_job(job, f"Job unusual: {field}", question, Severity.MEDIUM)
    if job.forecast is not None and terms.budget is not None:
        limit = terms.budget.total_seconds() * terms.critical
        ahead = WillBreach(field=DURATION, limit=limit, ahead=job.forecast, label="its runs", unit=" s")
        yield _of_job(job, "Job will exceed its budget", ahead, None)


def _of_job(job: JobSettings, name: str, question: Question, severity: Severity | None) -> Rule:
    return Rule(
        name=name,
        question=question,
        title=f"{name}: {{job_name}}",
        severity=severity,
        category=job.category or "performance",
        mention=" ".join(job.mention) or None,
        channel=job.channel,
        runbook=job.runbook,
        recommendations=job.recommendations,
        failures=_RUNS_IN_A_ROW if isinstance(question, Unusual) else 1,
        recoveries=1,
        advisory=True,
        dedupe=job.dedupe,
        expire=job.expire,
    )


def _label(field: str) -> str:
    words = field.split("_")
    return " ".join(words[:-1] if len(words) > 1 and words[-1] in _UNITS else words)


def _unit(field: str) -> str:
    return _UNITS.get(field.rpartition("_")[2], "") if "_" in field else ""
