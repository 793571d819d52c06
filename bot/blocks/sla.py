"""The SLA report: objectives with target, current, state and trend, as a table and as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.blocks.message import Block, Message, actions, button, context, cut, fitted, outside, section
from bot.blocks.table import table
from bot.reports.sla import ObjectiveFigures, SlaReport, Standing, Trend, written

_SIGN = {Standing.MET: "✓", Standing.MISSED: "✗", Standing.NO_DATA: "–"}
_EMOJI = {
    Standing.MET: ":white_check_mark:",
    Standing.MISSED: ":x:",
    Standing.NO_DATA: ":white_circle:",
}
_ARROW = {Trend.BETTER: "▲ better", Trend.WORSE: "▼ worse", Trend.SAME: "= unchanged"}
_MOST = 50
_A_SECTION = 8


def render_sla(report: SlaReport, zone: ZoneInfo, *, with_file_button: bool = False) -> Message:
    """How many objectives were met, the table, and the same in text. The button sends the CSV file."""
    head = headline(report, zone)
    shown = report.objectives[:_MOST]
    lines = [_line(each, zone) for each in shown]
    blocks: list[Block] = [section(head)]
    if shown:
        blocks.append(_table(shown))
    else:
        blocks.append(section("_No objectives are configured under `reports.sla.objectives`._"))
    if troubled := [line for each, line in zip(shown, lines, strict=True) if _needs_words(each)]:
        blocks += [
            section("\n".join(troubled[i : i + _A_SECTION])) for i in range(0, len(troubled), _A_SECTION)
        ]
    if with_file_button and shown:
        blocks.append(actions("sla", [button("Send it here as a CSV file", "sla:csv", report.month)]))
    blocks.append(context(_period(report, zone)))
    text = "\n".join([head.replace("*", ""), *(line.replace("*", "") for line in lines)])
    return Message(text=cut(text, 3400), blocks=fitted(blocks))


def headline(report: SlaReport, zone: ZoneInfo) -> str:
    """What the report is about and how it came out, in one line."""
    month = report.start.astimezone(zone)
    total = len(report.objectives)
    met = total - report.missed - report.unknown
    sign = (
        ":x:" if report.missed else ":white_circle:" if report.unknown or not total else ":white_check_mark:"
    )
    parts = [f"{met} of {total} met"] if total else []
    parts += [f"{report.missed} missed"] if report.missed else []
    parts += [f"{report.unknown} without data"] if report.unknown else []
    so_far = "" if report.is_whole else " so far"
    said = f": {', '.join(parts)}" if parts else ""
    return f"{sign} *{outside(report.name, 100)}: SLA of {month:%B %Y}{so_far}*{said}"


def _table(objectives: Sequence[ObjectiveFigures]) -> Block:
    rows = [
        [each.name, str(each.target), _current(each), f"{_SIGN[each.standing]} {each.standing}", _trend(each)]
        for each in objectives
    ]
    return table(["Objective", "Target", "Current", "State", "Trend"], rows, right=(1, 2))


def _current(each: ObjectiveFigures) -> str:
    return "no data" if each.current is None else written(each.current, each.target)


def _trend(each: ObjectiveFigures) -> str:
    if each.trend is Trend.UNKNOWN or each.before is None:
        return "–"
    return f"{_ARROW[each.trend]} (was {written(each.before, each.target)})"


def _needs_words(each: ObjectiveFigures) -> bool:
    return each.standing is not Standing.MET or each.since is not None


def _line(each: ObjectiveFigures, zone: ZoneInfo) -> str:
    start = f"{_EMOJI[each.standing]} *{outside(each.name, 100)}*"
    target = f"target {outside(str(each.target), 60)}"
    if each.standing is Standing.NO_DATA:
        why = "nothing was measured" if each.values == 0 else "its figure cannot be made of hourly values"
        return f"{start}: no data, {target}, {why}"
    trend = "" if each.trend is Trend.UNKNOWN else f", {_trend(each)}"
    since = "" if each.since is None else f", measured only since {each.since.astimezone(zone):%d %B}"
    return f"{start} {each.standing}: {outside(_current(each), 60)}, {target}{trend}{since}"


def _period(report: SlaReport, zone: ZoneInfo) -> str:
    end = report.end.astimezone(zone)
    last = end - timedelta(microseconds=1) if report.is_whole else end
    start = report.start.astimezone(zone)
    return f"{start:%d %b} to {last:%d %b %Y} {zone.key}" + ("" if report.is_whole else f", {end:%H:%M}")
