"""One job or one check, as /status shows it: a strip of its last results, its figures, a chart, its alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from statistics import median

from bot.blocks.alert import SEVERITY_EMOJI
from bot.blocks.chart import labels, line_chart
from bot.blocks.message import (
    Block,
    Message,
    code,
    context,
    cut,
    escape,
    fields,
    fitted,
    outside,
    section,
    when,
)
from bot.blocks.overview import STATE_EMOJI
from bot.blocks.runs import run_emoji, run_line
from bot.domain.alert import Alert
from bot.domain.decision import spell
from bot.domain.forecast import Outlook
from bot.domain.observation import Observation
from bot.domain.rollup import Tally
from bot.domain.run import RunStatus
from bot.domain.standing import Standing
from bot.domain.template import format_value
from bot.reports.detail import SHOWN, CheckDetail, JobDetail, Limit
from bot.reports.overview import worst
from checks.result import State

_RAN = {RunStatus.SUCCESS: "succeeded", RunStatus.ERROR: "failed", RunStatus.TIMEOUT: "timed out"}
_MOST_RESOURCES, _MOST_FIGURES, _MOST_ALERTS = 5, 12, 10
_LONGEST = timedelta.max.total_seconds() / 2  # a duration may be reported as any number
_FAR = 3
_USUAL_CHARTS = ("response_time_ms", "latency_ms", "duration_ms", "cpu_percent")

Pairs = list[tuple[str, str]]


def render_job(job: JobDetail, note: str = "") -> Message:
    """How a job stands, its last runs, when it is due, what it takes."""
    head = _head("job", job.name, job.standing)
    strip = "".join(run_emoji(run) for run in job.runs)
    counted = _counted((_RAN[run.status] for run in job.runs), "run")
    pairs = _job_figures(job)
    alerts = _alerts(job.alerts, job)
    chart, drawn = _durations(job)
    blocks: list[Block] = [section(head)]
    blocks.append(section(f"{strip}\n{counted}, the newest on the right" if job.runs else "_No runs yet._"))
    blocks += [fields(pairs)] if pairs else []
    blocks += [section(alerts)] if alerts else []
    blocks += chart
    blocks.append(context(note, drawn, f"As of {when(job.at, '{time_secs}')}"))
    last = [run_line(job.runs[-1])] if job.runs else []
    return _message([head, counted, *last, *_lines(pairs), alerts, drawn, note], blocks)


def render_check(check: CheckDetail, note: str = "") -> Message:
    """How a check stands and since when, its last results, its figures against their limits."""
    last = worst(check.standings)
    head = _head("check", check.name, last)
    strips = list(_strips(check))
    pairs = _check_times(check, last)
    figures = _figures(check, last)
    alerts = _alerts(check.alerts, check)
    chart, drawn = _measured(check, last)
    blocks: list[Block] = [section(head)]
    blocks.append(section("\n".join(strips) if strips else "_No results yet._"))
    blocks += [fields(pairs)] if pairs else []
    blocks += [section(f"*Figures*\n{figures}")] if figures else []
    blocks += [section(alerts)] if alerts else []
    blocks += chart
    blocks.append(context(note, drawn, f"As of {when(check.at, '{time_secs}')}"))
    counted = _counted((result.state.value for result in check.results[-SHOWN:]), "result")
    return _message([head, counted, *_lines(pairs), figures, alerts, drawn, note], blocks)


def _message(texts: Sequence[str], blocks: Sequence[Block]) -> Message:
    whole = "\n".join(text for text in texts if text)
    return Message(text=cut(whole.replace("*", ""), 3400), blocks=fitted(blocks))


def _head(kind: str, name: str, last: Standing | None) -> str:
    if last is None:
        return f"{STATE_EMOJI[State.PENDING]} *{outside(name, 100)}* · {kind} · nothing heard yet"
    said = f"\n{outside(last.summary, 300)}" if last.summary else ""
    return f"{STATE_EMOJI[last.state]} *{outside(name, 100)}* · {kind} · {last.state.value}{said}"


def _job_figures(job: JobDetail) -> Pairs:
    pairs: Pairs = []
    if job.due_at is not None:
        late = job.due_at < job.at
        pairs.append(("Overdue since" if late else "Next due", when(job.due_at)))
    if job.runs:
        last = job.runs[-1]
        pairs.append(("Last run", f"{when(last.finished_at)}, {last.status.value}"))
        took = next((run for run in reversed(job.runs) if run.duration_seconds is not None), None)
        if took is not None and took.duration_seconds is not None:
            pairs.append(("Last duration", _seconds(took.duration_seconds)))
    if job.budget is not None:
        use = job.budget_use
        share = f"{use:.0%} of {spell(job.budget)}" if use is not None else f"of {spell(job.budget)}"
        pairs.append(("Budget used", f":warning: {share}" if use is not None and use >= 1 else share))
    pairs += _shares("Success", job.day, job.week, "run")
    if job.durations is not None:
        slow = job.durations.quantile(0.95)
        pairs.append(
            (
                "Duration, 7 days",
                f"{_seconds(job.durations.mean)} on average, 95% within {_seconds(slow)}",
            )
        )
    return pairs


def _check_times(check: CheckDetail, last: Standing | None) -> Pairs:
    if last is None:
        return []
    pairs = [
        (
            f"{last.state.value.capitalize()} since",
            f"{when(last.since)} ({spell(check.at - last.since)})",
        ),
        ("Last result", f"{when(last.at, '{time_secs}')} ({spell(check.at - last.at)} ago)"),
    ]
    return pairs + _shares("Uptime", check.day, check.week, "result")


def _shares(what: str, day: Tally, week: Tally, thing: str) -> Pairs:
    return [
        (f"{what}, {length}", f"{100 * tally.share:.4g}% of {_many(tally.count, thing)}")
        for length, tally in (("24 hours", day), ("7 days", week))
        if tally.share is not None
    ]


def _strips(check: CheckDetail) -> Iterable[str]:
    """A strip a resource, the newest result on its right."""
    by_resource: dict[str, list[Observation]] = {}
    for result in check.results:
        by_resource.setdefault(result.resource, []).append(result)
    for resource, results in list(by_resource.items())[:_MOST_RESOURCES]:
        shown = results[-SHOWN:]
        name = f"{code(resource, 60)} " if len(by_resource) > 1 else ""
        yield name + "".join(STATE_EMOJI[result.state] for result in shown)
        yield f"{_counted((result.state.value for result in shown), 'result')}, the newest on the right"
    if len(by_resource) > _MOST_RESOURCES:
        yield f"… and {len(by_resource) - _MOST_RESOURCES} more resources"


def _counted(words: Iterable[str], thing: str) -> str:
    """`20 runs: 18 succeeded, 2 failed`; so that the strip can be heard as well as seen."""
    found = list(words)
    if not found:
        return ""
    return f"{_many(len(found), thing)}: " + ", ".join(
        f"{found.count(word)} {word}" for word in dict.fromkeys(found)
    )


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _figures(check: CheckDetail, last: Standing | None) -> str:
    """Numbers with their limits first, then the other numbers."""
    if last is None:
        return ""
    numbers = {
        name: value
        for name, value in last.fields.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    ordered = sorted(numbers, key=lambda name: name not in check.limits)
    shown = [
        _figure(name, numbers[name], check.limits.get(name, ()), check.outlooks.get(name))
        for name in ordered[:_MOST_FIGURES]
    ]
    if hidden := len(ordered) - len(shown):
        shown.append(f"… and {hidden} more")
    return "\n".join(shown)


def _figure(name: str, value: float, limits: Sequence[Limit], ahead: Outlook | None) -> str:
    against = f" · {escape('; '.join(limit.text for limit in limits))}" if limits else ""
    told = f" · at this rate {format_value(ahead.limit, '')} {ahead.words()}" if ahead is not None else ""
    return f"{code(name, 60)} {format_value(value, '')}{against}{told}"


def _alerts(alerts: Sequence[Alert], around: JobDetail | CheckDetail) -> str:
    if not alerts:
        return ""
    lines = [
        f"{SEVERITY_EMOJI[alert.severity]} *{alert.severity.priority}* {outside(alert.firing.title, 100)} · "
        f"#{alert.id}, {alert.status.value}, for {spell(around.at - alert.opened_at)}"
        for alert in alerts[:_MOST_ALERTS]
    ]
    if len(alerts) > _MOST_ALERTS:
        lines.append(f"… and {len(alerts) - _MOST_ALERTS} more")
    return "*Open alerts*\n" + "\n".join(lines)


def _durations(job: JobDetail) -> tuple[list[Block], str]:
    """A chart of the durations, against the budget, and its numbers in words."""
    timed = [(run.finished_at, run.duration_seconds) for run in job.runs if run.duration_seconds is not None]
    values = [seconds for _, seconds in timed]
    if len(timed) < 2:
        return [], ""
    series = {"Duration": values}
    if job.budget is not None:
        series["Budget"] = [job.budget.total_seconds()] * len(values)
    moments = labels([at for at, _ in timed], job.zone)
    chart = line_chart(f"Duration of the last {len(timed)} runs in seconds", moments, series)
    return [chart], f"Durations in seconds: {_in_words(values)}"


def _measured(check: CheckDetail, last: Standing | None) -> tuple[list[Block], str]:
    """A chart of the figure that matters most, against its limits, and its numbers in words."""
    if last is None:
        return [], ""
    mine = [result for result in check.results if result.resource == last.resource][-SHOWN:]
    name = next((each for each in (*check.limits, *_USUAL_CHARTS) if each in last.fields), "")
    found = [(result.at, value) for result in mine if _is_number(value := result.fields.get(name))]
    values = [float(value) for _, value in found]  # type: ignore[arg-type]
    if len(found) < 2:
        return [], ""
    series = {name[:20]: values}
    for limit in _near(check.limits.get(name, ()), max(map(abs, values))):
        series[limit.text[:20]] = [limit.value] * len(values)
    chart = line_chart(f"Last {len(found)}: {name}", labels([at for at, _ in found], check.zone), series)
    return [chart], f"{code(name, 60)} was {_in_words(values)}"


def _near(limits: Sequence[Limit], highest: float) -> list[Limit]:
    """Limits worth drawing: one far off would press the line flat."""
    return [limit for limit in limits if abs(limit.value) <= _FAR * highest][:3]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in_words(values: Sequence[float]) -> str:
    """The last twenty numbers, and what they are about."""
    shown = ", ".join(format_value(float(value), "") for value in values)
    low, middle, high = (
        format_value(float(value), "") for value in (min(values), median(values), max(values))
    )
    return f"{shown} (least {low}, median {middle}, most {high})"


def _seconds(seconds: float) -> str:
    return (
        f"{format_value(float(seconds), '')} s"
        if seconds < 120
        else spell(timedelta(seconds=min(seconds, _LONGEST)))
    )


def _lines(pairs: Pairs) -> list[str]:
    return [f"{label}: {value}" for label, value in pairs]
