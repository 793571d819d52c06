"""The daily digest as a message: what needs a human first."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from bot.blocks.alert import SEVERITY_EMOJI
from bot.blocks.message import Block, Message, context, cut, divider, fitted, outside, rows, section
from bot.blocks.patterns import brief_patterns, hours_chart
from bot.domain.alert import Alert
from bot.domain.decision import spell
from bot.domain.pattern import spell_days
from bot.domain.severity import Severity
from bot.domain.template import format_value
from bot.reports.digest import AlertFigures, Digest, JobFigures, Uptime

_MOST = 10
_LONGEST_FIGURE = 300


def render_digest(digest: Digest, zone: ZoneInfo) -> Message:
    """What needs somebody, then the configured sections, alerts, uptime and jobs."""
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
        ("Told only here", _told_here(digest.told_here)),
        ("Uptime", _uptimes(digest.uptimes)),
        ("Jobs", _jobs(digest.jobs)),
    ):
        if text:
            blocks.append(section(f"*{title}*\n{text}"))
            texts.append(f"{title}: {text}")
    if digest.patterns is not None:
        length = spell_days(digest.patterns.end - digest.patterns.start)
        blocks.append(section(f"*Alerts of {length}*\n{brief_patterns(digest.patterns)}"))
        blocks += [hours_chart(digest.patterns)] if digest.patterns.total else []
        texts.append(f"Alerts of {length}: {brief_patterns(digest.patterns)}")
    end = digest.end.astimezone(zone)
    blocks.append(context(f"{day:%d %b %H:%M} to {end:%d %b %H:%M} {zone.key}"))
    return Message(text=cut("\n".join(texts).replace("*", ""), 3400), blocks=fitted(blocks))


def _needs(digest: Digest) -> str:
    if not digest.open:
        return ":large_green_circle: Nothing is open. Nobody is needed."
    shown = [_open_line(alert, digest) for alert in digest.open[:_MOST]]
    if len(digest.open) > _MOST:
        shown.append(f"… and {len(digest.open) - _MOST} more")
    return "*Needs somebody today*\n" + "\n".join(shown)


def _open_line(alert: Alert, digest: Digest) -> str:
    age = spell(digest.end - alert.opened_at) if alert.opened_at < digest.end else "less than a day"
    title = outside(alert.firing.title, 120)
    priority = f"{SEVERITY_EMOJI[alert.severity]} *{alert.severity.priority}*"
    return f"{priority} {title} · #{alert.id}, {alert.status.value}, for {age}"


def _alerts(figures: AlertFigures) -> str:
    if not figures.total:
        return "None began."
    by = ", ".join(
        f"{SEVERITY_EMOJI[level]} {count} {_WORD[level]}"
        for level, count in figures.by_severity.items()
        if count
    )
    mean = figures.mean_minutes_to_resolve
    ended = f" · {figures.resolved} resolved" + (
        f", after {mean:.0f} min on average" if mean is not None else ""
    )
    return f"{figures.total} began: {by}{ended}"


def _told_here(alerts: Sequence[Alert]) -> str:
    """The alerts that a route sends to the digest alone."""
    shown = [
        f"{SEVERITY_EMOJI[alert.severity]} *{alert.severity.priority}* {outside(alert.firing.title, 120)} · "
        f"#{alert.id}, {'once' if alert.count == 1 else f'{alert.count} times'}, {alert.status.value}"
        for alert in sorted(alerts, key=lambda alert: (alert.severity, -alert.count))[:_MOST]
    ]
    if len(alerts) > _MOST:
        shown.append(f"… and {len(alerts) - _MOST} more")
    return "\n".join(shown)


_WORD = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "high",
    Severity.MEDIUM: "warning",
    Severity.LOW: "low",
}


def _uptimes(uptimes: Sequence[Uptime]) -> str:
    worst = sorted(uptimes, key=lambda item: (item.percent, item.name))[:_MOST]
    shown = [f"{item.percent:.2f}% {outside(item.name, 80)}" for item in worst]
    if len(uptimes) > _MOST:
        shown.append(f"… {len(uptimes) - _MOST} more, all better")
    return "\n".join(shown)


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
