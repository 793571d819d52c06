"""The daily digest as a message: what needs a human first."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from bot.blocks.alert import SEVERITY_EMOJI
from bot.blocks.charted import MOST_CHARTS, chart_text, draw
from bot.blocks.message import (
    CHART,
    Block,
    Message,
    context,
    cut,
    divider,
    fitted,
    outside,
    person,
    rows,
    section,
)
from bot.blocks.patterns import brief_patterns, hours_chart
from bot.domain.alert import Alert, Status
from bot.domain.decision import spell
from bot.domain.pattern import spell_days
from bot.domain.severity import Severity
from bot.domain.template import format_value
from bot.reports.digest import AlertFigures, Digest, JobFigures, Uptimes

_MOST = 10
_LONGEST_FIGURE = 300


def render_digest(digest: Digest, zone: ZoneInfo) -> Message:
    """What needs somebody, then the configured sections, alerts, uptime, jobs and charts."""
    day = digest.start.astimezone(zone)
    head = f":newspaper: *{outside(digest.name, 100)}: digest of {day:%A, %d %B %Y}*"
    needs = _needs(digest)
    blocks: list[Block] = [section(head), section(needs), divider()]
    texts = [head, needs]
    for title, figures in digest.sections:
        pairs = [(outside(figure.label, 100), outside(figure.value, _LONGEST_FIGURE)) for figure in figures]
        blocks += [section(f"*{outside(title, 150)}*"), *rows(pairs)]
        texts.append(f"{outside(title, 150)}: " + "; ".join(f"{label} {value}" for label, value in pairs))
    for title, text in (
        ("Alerts", _alerts(digest.alerts)),
        ("Low priority, and told only here", _quiet(digest.quiet)),
        ("Uptime", _uptimes(digest.uptimes)),
        ("Jobs", _jobs(digest.jobs)),
    ):
        if text:
            blocks.append(section(f"*{title}*\n{text}"))
            texts.append(f"{title}: {text}")
    for chart, drawn in zip(digest.charts, draw(digest.charts, zone), strict=True):
        text = chart_text(chart, zone)
        blocks += [section(text), *([drawn] if drawn else [])]
        texts.append(text)
    if digest.patterns is not None:
        length = spell_days(digest.patterns.end - digest.patterns.start)
        blocks.append(section(f"*Alerts of {length}*\n{brief_patterns(digest.patterns)}"))
        room = sum(block["type"] == CHART for block in blocks) < MOST_CHARTS
        blocks += [hours_chart(digest.patterns)] if digest.patterns.total and room else []
        texts.append(f"Alerts of {length}: {brief_patterns(digest.patterns)}")
    end = digest.end.astimezone(zone)
    blocks.append(context(f"{day:%d %b %H:%M} to {end:%d %b %H:%M} {zone.key}"))
    return Message(text=cut("\n".join(texts).replace("*", ""), 3400), blocks=fitted(blocks))


def _needs(digest: Digest) -> str:
    """Open alerts above P4 that notify: those that nobody took first, the worst before the rest."""
    urgent = [alert for alert in digest.open if alert.severity is not Severity.LOW]
    loud = [alert for alert in urgent if not alert.is_silenced(digest.end) and alert.firing.held_by is None]
    others = len(urgent) - len(loud)
    quietly = f" ({others} silenced or explained by another)" if others else ""
    if not digest.open:
        return ":large_green_circle: *Nothing is open. Nobody is needed.*"
    if not loud:
        what = "What is open is quiet" if others else "Only low priorities are open"
        return f":large_green_circle: *Nobody is needed.* {what}{quietly}."
    loud.sort(key=lambda alert: (alert.status is Status.ACKNOWLEDGED, alert.severity, alert.opened_at))
    shown = [_open_line(alert, digest) for alert in loud[:_MOST]]
    if len(loud) > _MOST:
        shown.append(f"… and {len(loud) - _MOST} more")
    return f"*Needs somebody today*{quietly}\n" + "\n".join(shown)


def _open_line(alert: Alert, digest: Digest) -> str:
    age = spell(digest.end - alert.opened_at) if alert.opened_at < digest.end else "less than a day"
    title = outside(alert.firing.title, 120)
    priority = f"{SEVERITY_EMOJI[alert.severity]} *{alert.severity.priority}*"
    taken = (
        f"acknowledged by {person(alert.acknowledged_by)}"
        if alert.status is Status.ACKNOWLEDGED
        else "nobody has taken it"
    )
    return f"{priority} {title} · #{alert.id}, {taken}, open for {age}"


def _alerts(figures: AlertFigures) -> str:
    if not figures.total:
        return f"None began{_against(figures)}."
    by = ", ".join(
        f"{SEVERITY_EMOJI[level]} {count} {_WORD[level]}"
        for level, count in figures.by_severity.items()
        if count
    )
    mean = figures.mean_minutes_to_resolve
    ended = f" · {figures.resolved} resolved" + (
        f", after {mean:.0f} min on average" if mean is not None else ""
    )
    return f"{figures.total} began{_against(figures)}: {by}{ended}"


def _against(figures: AlertFigures) -> str:
    """` (2 more than the day before)`."""
    if figures.before is None:
        return ""
    difference = figures.total - figures.before
    if not difference:
        return " (as many as the day before)" if figures.total else ", as the day before"
    more = "more" if difference > 0 else "fewer"
    return f" ({abs(difference)} {more} than the day before)"


def _quiet(alerts: Sequence[Alert]) -> str:
    """The alerts that call nobody, so that somebody reads of them here."""
    shown = [_quiet_line(alert) for alert in alerts[:_MOST]]
    if len(alerts) > _MOST:
        shown.append(f"… and {len(alerts) - _MOST} more")
    return "\n".join(shown)


def _quiet_line(alert: Alert) -> str:
    priority = f"{SEVERITY_EMOJI[alert.severity]} *{alert.severity.priority}*"
    seen = "once" if alert.count == 1 else f"{alert.count} times"
    return f"{priority} {outside(alert.firing.title, 120)} · #{alert.id}, seen {seen}, {alert.status.value}"


_WORD = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "high",
    Severity.MEDIUM: "warning",
    Severity.LOW: "low",
}


def _uptimes(uptimes: Uptimes | None) -> str:
    if uptimes is None:
        return ""
    change = ""
    if uptimes.before is not None:
        change = f" ({_points(uptimes.overall - uptimes.before)} the day before)"
    shown = [f"*{percent(uptimes.overall)} over all*{change}"]
    worst = sorted(uptimes.checks, key=lambda item: (item.percent, item.name))
    shown += [f"{percent(item.percent)} {outside(item.name, 80)}" for item in worst[:_MOST]]
    if hidden := worst[_MOST:]:
        better = "all 100%" if hidden[0].percent == 100 else "none of them lower"
        shown.append(f"… {len(hidden)} more, {better}")
    return "\n".join(shown)


def percent(value: float) -> str:
    """`99.98%`; never rounded up to 100% nor down to 0%."""
    shown = f"{value:.2f}"
    if value == 0:
        return "0%"
    if shown == "100.00":
        return "100%" if value == 100 else "99.99%"
    return "0.01%" if shown == "0.00" else f"{shown}%"


def _points(difference: float) -> str:
    if abs(difference) < 0.005:
        return "as"
    return f"{'▲' if difference > 0 else '▼'} {abs(difference):.2f} points against"


def _jobs(jobs: Sequence[JobFigures]) -> str:
    worst = sorted(jobs, key=lambda item: (-item.failed, item.name))
    shown = [_job_line(item) for item in worst[:_MOST]]
    if len(jobs) > _MOST:
        shown.append(f"… {len(jobs) - _MOST} more")
    return "\n".join(shown)


def _job_line(item: JobFigures) -> str:
    failed = f":x: {item.failed} failed" if item.failed else ":white_check_mark: none failed"
    mean = f", {format_value(item.mean_seconds, '')} s on average" if item.mean_seconds is not None else ""
    return f"{outside(item.name, 80)}: {item.runs} run{'s' if item.runs != 1 else ''}, {failed}{mean}"
