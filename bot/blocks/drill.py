"""A drill: the marked test alert, and the message that tells where it arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.blocks.alert import SEVERITY_EMOJI
from bot.blocks.message import Message, context, cut, fitted, outside, person, section, when
from bot.domain.severity import Severity

_MOST = 40
_A_SECTION = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What became of the test alert in a place. `after`: how long it took; `error`: why it has not arrived."""

    place: str
    after: timedelta | None = None
    error: str | None = None
    is_over: bool = False


def render_test_alert(number: int, severity: Severity, by: str, at: datetime) -> Message:
    """Cannot be taken for a real alert."""
    head = f":construction: *Drill #{number}, no real alert* · {SEVERITY_EMOJI[severity]} {severity.priority}"
    text = f"{head}\nAlerts of this kind would arrive here. Nobody needs to do anything."
    note = f"Sent for {person(by)} to prove the way alerts go · {when(at)}"
    return Message(text=text.replace("*", ""), blocks=(section(text), context(note)))


def render_drill(
    number: int,
    about: str,
    by: str,
    started_at: datetime,
    arrivals: Sequence[Arrival],
    notes: Sequence[str] = (),
) -> Message:
    """Each place and how fast it was reached; what is still under way says so."""
    head = f"{_sign(arrivals)} *Drill #{number}*: {_counted(arrivals)}"
    lines = [_line(each) for each in arrivals[:_MOST]]
    lines += [f":information_source: {outside(note, 300)}" for note in notes[:5]]
    blocks = [section(f"{head}\n{outside(about, 500)}")]
    blocks += [section("\n".join(lines[i : i + _A_SECTION])) for i in range(0, len(lines), _A_SECTION)]
    blocks.append(context(f"Asked for by {person(by)} · {when(started_at)}"))
    text = "\n".join([head.replace("*", ""), *(line.replace("*", "") for line in lines)])
    return Message(text=cut(text, 3400), blocks=fitted(blocks))


def in_words(arrivals: Sequence[Arrival]) -> Mapping[str, str]:
    """What became of each place, to tell whether anything changed."""
    return {each.place: _fate(each) for each in arrivals}


def _line(each: Arrival) -> str:
    sign = ":white_check_mark:" if each.after is not None else ":x:" if each.is_over else ":hourglass:"
    return f"{sign} *{outside(each.place, 100)}* {outside(_fate(each), 200)}"


def _fate(each: Arrival) -> str:
    if each.after is not None:
        return f"arrived after {each.after.total_seconds():.1f} s"
    if each.is_over:
        return f"did not arrive: {each.error or 'no answer'}"
    return f"not yet: {each.error}; it is tried again" if each.error else "under way"


def _sign(arrivals: Sequence[Arrival]) -> str:
    if any(each.is_over and each.after is None for each in arrivals) or not arrivals:
        return ":x:"
    return ":white_check_mark:" if all(each.after is not None for each in arrivals) else ":construction:"


def _counted(arrivals: Sequence[Arrival]) -> str:
    if not arrivals:
        return "there is nowhere to send it"
    times = [each.after for each in arrivals if each.after is not None]
    said = f"arrived in {len(times)} of {len(arrivals)} place{'s' if len(arrivals) > 1 else ''}"
    return f"{said}, the slowest after {max(times).total_seconds():.1f} s" if times else said
