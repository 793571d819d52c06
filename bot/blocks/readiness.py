"""A readiness report: PASS, WARN or FAIL with its latency, a line a check (requirement KM4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.blocks.message import Block, Message, context, cut, fitted, outside, section, when
from checks.result import State

_VERDICT = {
    State.OK: (":white_check_mark:", "PASS"),
    State.PENDING: (":hourglass:", "PASS"),
    State.UNKNOWN: (":white_circle:", "WARN"),
    State.WARNING: (":warning:", "WARN"),
    State.CRITICAL: (":x:", "FAIL"),
}
_A_SECTION = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessLine:
    """A member of the group, with its rules' word; `latency_ms` None when it was not measured."""

    name: str
    state: State
    summary: str
    latency_ms: float | None


def render_readiness(name: str, lines: Sequence[ReadinessLine], at: datetime) -> Message:
    """The worst on top of the counts, then every member in the order of the configuration."""
    words = [_VERDICT[line.state][1] for line in lines]
    counts = ", ".join(
        f"{words.count(word)} {said}"
        for word, said in (("FAIL", "failed"), ("WARN", "warned"), ("PASS", "passed"))
        if word in words
    )
    worst = ":x:" if "FAIL" in words else ":warning:" if "WARN" in words else ":white_check_mark:"
    head = f"{worst} *{outside(name, 100)}*: {counts}"
    shown = [_line(line) for line in lines]
    blocks: list[Block] = [section(head)]
    blocks += [section("\n".join(shown[i : i + _A_SECTION])) for i in range(0, len(shown), _A_SECTION)]
    blocks.append(context(when(at)))
    return Message(text=cut("\n".join([head, *shown]).replace("*", ""), 3400), blocks=fitted(blocks))


def _line(line: ReadinessLine) -> str:
    emoji, word = _VERDICT[line.state]
    took = f" {line.latency_ms:,.0f} ms" if line.latency_ms is not None else ""
    return f"{emoji} {word} *{outside(line.name, 60)}*{took} · {outside(line.summary, 160)}"
