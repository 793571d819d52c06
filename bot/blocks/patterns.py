"""When and about what alerts came, as a message."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from bot.blocks.alert import SEVERITY_EMOJI
from bot.blocks.chart import bar_chart
from bot.blocks.message import Block, Message, context, cut, fields, fitted, outside, section
from bot.domain.pattern import Pattern, brief, hour_words, percent, spell_days
from bot.domain.severity import Severity

_MOST = 8
_WORDS = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "high",
    Severity.MEDIUM: "warning",
    Severity.LOW: "low",
}


def render_patterns(found: Pattern, zone: ZoneInfo, name: str) -> Message:
    """The insight, the figures, a chart by hour of the day, and the same in words."""
    head = f":bar_chart: *{outside(name, 100)}: alerts of {spell_days(found.end - found.start)}*"
    insight = outside(found.insight, 900)
    span = f"{found.start.astimezone(zone):%a %d %b %H:%M} to {found.end.astimezone(zone):%a %d %b %H:%M}"
    note = f"{span} {zone.key} · by when they began"
    blocks: list[Block] = [section(head), section(insight)]
    if not found.total:
        return Message(text=f"{head.replace('*', '')}\n{insight}", blocks=(*blocks, context(note)))
    facts = _facts(found)
    parts = [
        ("By type", _listed(found.types)),
        ("By severity", _severities(found)),
        ("By hour", _hours(found)),
    ]
    blocks.append(fields(facts))
    blocks += [section(f"*{title}*\n{text}") for title, text in parts]
    blocks.append(hours_chart(found))
    blocks.append(context(note))
    lines = [f"{label}: {value}" for label, value in facts] + [f"{title}: {text}" for title, text in parts]
    text = "\n".join([head, insight, *lines, note]).replace("*", "")
    return Message(text=cut(text, 3400), blocks=fitted(blocks))


def brief_patterns(found: Pattern) -> str:
    """The insight and the figures in two lines, for a digest."""
    if not found.total:
        return outside(found.insight, 900)
    facts = "; ".join(f"{label.lower()} {value}" for label, value in _facts(found)[:6])
    return f"{outside(found.insight, 900)}\n{facts}"


def hours_chart(found: Pattern) -> Block:
    """Bars of two hours each: a native chart has room for twenty."""
    pairs = {
        f"{hour:02}-{hour + 2:02} h": found.hours[hour] + found.hours[hour + 1] for hour in range(0, 24, 2)
    }
    return bar_chart("Alerts by hour of the day", pairs, "Alerts")


def _facts(found: Pattern) -> list[tuple[str, str]]:
    hour = found.peak_hour
    assert hour is not None
    facts = [
        ("Alerts", f"{found.total:,}"),
        ("Most common", _top(found.types)),
        ("Most affected", _top(found.resources)),
        ("Peak hour", f"{hour_words(hour)} ({found.hours[hour]})"),
    ]
    if found.mean_minutes is not None and found.median_minutes is not None:
        both = f"{brief(found.mean_minutes)} on average, median {brief(found.median_minutes)}"
        facts.append(("Time to resolve", f"{both}, of {found.resolved} resolved"))
        share = percent(found.by_itself, found.resolved)
        facts.append(("Resolved by themselves", f"{found.by_itself} of {found.resolved} ({share}%)"))
    if (loud := found.noisiest) is not None:
        about = outside(loud.rule, 80)
        if loud.resource not in loud.rule:
            about += f" of {outside(loud.resource, 80)}"
        facts.append(("Noisiest", f"{about}, began {loud.times} times"))
    return facts


def _top(counts: Mapping[str, int]) -> str:
    name, count = next(iter(counts.items()))
    return f"{outside(name, 100)} ({count})"


def _listed(counts: Mapping[str, int]) -> str:
    shown = [f"{count} {outside(name, 100)}" for name, count in list(counts.items())[:_MOST]]
    if hidden := list(counts.values())[_MOST:]:
        shown.append(f"{sum(hidden)} of {len(hidden)} more")
    return "\n".join(shown)


def _severities(found: Pattern) -> str:
    return ", ".join(
        f"{SEVERITY_EMOJI[level]} {count} {_WORDS[level]}"
        for level, count in found.severities.items()
        if count
    )


def _hours(found: Pattern) -> str:
    return " · ".join(f"{hour:02}:00 {count}" for hour, count in enumerate(found.hours) if count)
