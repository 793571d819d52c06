"""Threshold advice as a message, and as lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.message import Block, Message, code, context, cut, fitted, outside, preformatted, section
from bot.domain.advice import Advice, Limits, as_yaml
from bot.domain.template import format_value

_MOST = 15
_YAML = 2500


def render_thresholds(found: Sequence[Advice], days: int) -> Message:
    """Each limit beside the one the past speaks for, and what to paste into the file."""
    head = f":straight_ruler: *Thresholds, judged by {days} day{'' if days == 1 else 's'}*"
    if not found:
        text = f"{head}\nNo check has a threshold. Write one such as `thresholds: {{cpu_percent: 80}}`."
        return Message(text=text.replace("*", ""), blocks=(section(text),))
    shown = [
        f"{code(f'{each.about.check}.{each.about.field}', 120)} {outside(words(each), 400)}" for each in found
    ]
    lines = shown[:_MOST] + (
        [f"… and {len(shown) - _MOST} more: `tocsin thresholds`"] if shown[_MOST:] else []
    )
    blocks: list[Block] = [section(head)]
    blocks += [section("\n".join(lines[start : start + 5])) for start in range(0, len(lines), 5)]
    yaml = as_yaml(found)
    if yaml:
        whole = yaml if len(yaml) <= _YAML else "It is too long for here: tocsin thresholds prints it."
        blocks.append(preformatted("To paste into tocsin.yml", whole, _YAML))
    note = "95% of the values and 20% of room; hours are those in which some value was past the limit"
    blocks.append(context(note))
    return Message(text=cut("\n".join([head.replace("*", ""), *lines, note]), 3400), blocks=fitted(blocks))


def words(advice: Advice) -> str:
    """`above 80 now, 45 advised: …` in one line."""
    side = "below" if advice.about.below else "above"
    now = f"{side} {_limits(advice.about.limits)} now"
    if not advice.hours:
        return f"{now}: {advice.why}"
    sample = f"{advice.values:,} values on {advice.days} day{'' if advice.days == 1 else 's'}"
    past = f"past it in {advice.passed:,} of {advice.hours:,} hours"
    if advice.advised is None:
        return f"{now}, {past}: {advice.why}" + (
            "" if advice.why.startswith("too little") else f" ({sample})"
        )
    if advice.advised == advice.about.limits:
        return f"{now}, {past}; as advised: {advice.why} ({sample})"
    then = f"{_limits(advice.advised)} advised, past it in {advice.passed_if_advised:,}"
    return f"{now}, {past}; {then}: {advice.why} ({sample})"


def _limits(limits: Limits) -> str:
    return ", ".join(
        (f"{level.priority} " if level is not None else "") + format_value(limit, "")
        for level, limit in limits
    )
