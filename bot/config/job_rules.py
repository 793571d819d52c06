"""From a job's settings to what is expected of it, and to the rules that say so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.config.history_rules import history_rules_of_job
from bot.config.probing import JobSettings
from bot.config.settings import Settings
from bot.domain.job_questions import (
    DoesTooLittle,
    FailsInARow,
    IsLate,
    IsLost,
    IsOverBudget,
    IsRefused,
    Overlaps,
    SucceedsTooSeldom,
    TooFast,
    TooOften,
)
from bot.domain.jobs import Terms, Throughput
from bot.domain.rule import Question, Rule
from bot.domain.schedule import Cron
from bot.domain.severity import Severity

_LONGEST_TIMETABLE = 300
_NOT_STARTED = (
    "See whether its scheduler started it: `crontab -l`, `journalctl -u cron`",
    "Check that its machine is up and its clock is right",
    "Run it once by hand",
)
_HANGS = (
    "See what it waits for: `ps -eo pid,etime,state,wchan,cmd`",
    "Look for locks and slow queries",
    "Kill it if nothing moves, and run it again",
)
_SLOW = (
    "Compare the amount of work with that of other days",
    "Look for locks and slow queries",
    "See what else ran at the same time",
)
_TWICE = ("See which machines schedule it", "Let it hold a lock while it runs: `tocsin exec`")


def expected(settings: Settings) -> dict[str, Terms]:
    """What is expected of each job of the file."""
    reading = max((log.every for log in settings.run_logs), default=timedelta(0))
    return {name: terms_of(job, settings.timezone, reading) for name, job in settings.jobs.items()}


def terms_of(job: JobSettings, zone: ZoneInfo, reading: timedelta = timedelta(0)) -> Terms:
    """What is expected of a job."""
    zone = job.timezone or zone
    timetable = (
        f"{job.schedule} {zone.key}" if job.schedule else f"every {job.every}" if job.every else "none"
    )
    through, rate = job.throughput, job.success_rate
    return Terms(
        zone=zone,
        schedule=Cron(job.schedule, zone) if job.schedule else None,
        every=job.every,
        timetable=timetable[:_LONGEST_TIMETABLE],
        grace=job.grace,
        timeout=job.timeout,
        budget=job.budget,
        min_duration=job.min_duration,
        warning=job.sla.warning,
        critical=job.sla.critical,
        streak=job.sla.runs,
        success=rate.below if rate else None,
        window=rate.over if rate else timedelta(hours=24),
        failures=job.consecutive_failures,
        throughput=Throughput(
            field=through.field, least=through.below.value, of_baseline=through.below.of_baseline
        )
        if through
        else None,
        reading=reading,
    )


def run_rules(job: JobSettings, terms: Terms) -> tuple[Rule, ...]:
    """What is asked of each run beside how it ended."""
    return tuple(_run_rules(job, terms))


def _run_rules(job: JobSettings, terms: Terms) -> Iterator[Rule]:
    medium, critical = _graded(job, Severity.MEDIUM), _graded(job, Severity.CRITICAL)
    yield from _shared_rules(job, terms)
    if terms.min_duration:
        yield _rule(job, "Job too fast", TooFast(least=terms.min_duration), medium)
    if terms.schedule is not None:
        yield _rule(job, "Job too often", TooOften(), _graded(job, Severity.LOW), steps=_TWICE)
    if terms.failures is not None:
        yield _rule(job, "Job keeps failing", FailsInARow(most=terms.failures), critical)
    if terms.success is not None:
        question = SucceedsTooSeldom(least=terms.success, window=terms.window)
        yield _rule(job, "Job success rate", question, critical)
    if (through := terms.throughput) is not None:
        yield _rule(
            job,
            "Job throughput",
            DoesTooLittle(least=through.least, of_baseline=through.of_baseline),
            medium,
            category="performance",
            steps=_SLOW,
            compares=frozenset({"throughput_per_hour"}) if through.of_baseline else frozenset(),
        )
    yield _rule(job, "Job refused its lock", IsRefused(), medium, steps=_HANGS)
    yield from history_rules_of_job(job, terms)


def watch_rules(job: JobSettings, terms: Terms) -> tuple[Rule, ...]:
    """What is asked of a job between its runs."""
    critical = _graded(job, Severity.CRITICAL)
    return (
        _rule(job, "Job late", IsLate(terms=terms), critical, category="availability", steps=_NOT_STARTED),
        _rule(job, "Job hangs", IsLost(terms=terms), critical, category="availability", steps=_HANGS),
        *_shared_rules(job, terms),
    )


def _shared_rules(job: JobSettings, terms: Terms) -> Iterator[Rule]:
    """Asked while a run goes on and when it has ended, so that both speak of one alert."""
    if terms.budget is not None:
        question = IsOverBudget(
            terms=terms,
            warning=_graded(job, Severity.MEDIUM),
            critical=_graded(job, Severity.CRITICAL),
        )
        yield _rule(job, "Job over budget", question, None, category="performance", steps=_SLOW, by_run=True)
    severity = _graded(job, Severity.MEDIUM)
    yield _rule(job, "Job overlaps itself", Overlaps(), severity, steps=_TWICE, by_run=True)


def _graded(job: JobSettings, severity: Severity) -> Severity:
    """The job's own severity is that of its worst troubles; lesser ones stay lesser."""
    return severity if job.severity is None else max(job.severity, severity)


def _rule(
    job: JobSettings,
    name: str,
    question: Question,
    severity: Severity | None,
    *,
    category: str = "application",
    steps: tuple[str, ...] = (),
    by_run: bool = False,
    compares: frozenset[str] = frozenset(),
) -> Rule:
    return Rule(
        name=name,
        question=question,
        title=f"{name}: {{job_name}}",  # the question says more
        severity=severity,
        category=job.category or category,
        mention=" ".join(job.mention) or None,
        tags=job.tags,
        channel=job.channel,
        runbook=job.runbook,
        recommendations=job.recommendations or steps,
        dedupe=job.dedupe,
        expire=job.expire,
        ended_by_run=by_run,
        compares=compares,
    )
