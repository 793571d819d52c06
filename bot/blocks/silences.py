"""Silences as people see them: made, listed, about to end, over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks.alert import SEVERITY_EMOJI
from bot.blocks.message import (
    Block,
    Message,
    actions,
    button,
    code,
    context,
    cut,
    fitted,
    outside,
    person,
    section,
    when,
)
from bot.domain.alert import Alert, Status
from bot.domain.coverage import Coverage
from bot.domain.decision import spell
from bot.domain.silence import Origin, Silence, Timetable, Window

_MOST_LISTED = 15
_MOST_SILENCES = 20


def render_made(silence: Silence, coverage: Coverage) -> Message:
    """What the channel is told of a silence that somebody made."""
    text = f":no_bell: {silence_line(silence)}"
    return Message(text=text, blocks=(section(text), context(_reach(coverage)), silence_buttons(silence)))


def render_answer(silence: Silence, coverage: Coverage) -> Message:
    """What the one who made a silence is answered."""
    lines = [f":no_bell: Silence #{silence.id}: {_what(silence)} until {when(silence.ends_at)}."]
    if coverage.is_everything:
        lines.append(
            ":warning: *Nothing at all will be told*, P1 alerts included. End it if that is too much."
        )
    lines.append(_reach(coverage))
    lines += [f"• {_line(alert)}" for alert in coverage.open[:5]]
    if not coverage.open and not coverage.sources:
        lines.append("Look at it again if you expected it to cover something.")
    text = "\n".join(lines)
    return Message(text=text, blocks=(section(text), silence_buttons(silence)))


def render_changed(silence: Silence, who: str) -> Message:
    """A message about a silence after somebody pressed its button."""
    if silence.ended_at is not None:
        text = f":bell: {person(who)} ended silence #{silence.id} of {_what(silence)}."
        return Message(text=text, blocks=(section(text),))
    text = (
        f":no_bell: {person(who)} extended silence #{silence.id} of {_what(silence)} "
        f"until {when(silence.ends_at)}."
    )
    return Message(text=text, blocks=(section(text), silence_buttons(silence)))


def render_list(
    active: Sequence[Silence], upcoming: Sequence[tuple[Timetable, Window]], prefix: str, note: str = ""
) -> Message:
    """What holds and what comes: who, why, until when."""
    count = len(active)
    head = f"*Silences* · {count} active" if count else "*Silences* · none is active; everything is told"
    blocks: list[Block] = [section(note)] if note else []
    blocks.append(section(head))
    texts = [note, head] if note else [head]
    for silence in active[:_MOST_SILENCES]:
        line = f":no_bell: {silence_line(silence)}"
        texts.append(line)
        blocks += [section(cut(line, 600)), silence_buttons(silence)]
    if count > _MOST_SILENCES:
        blocks.append(context(f"… and {count - _MOST_SILENCES} more that end later"))
    if upcoming:
        lines = [f"• {_coming(timetable, window)}" for timetable, window in upcoming[:_MOST_LISTED]]
        if more := len(upcoming) - len(lines):
            lines.append(f"… and {more} more")
        texts += ["Upcoming", *lines]
        blocks.append(section("*Upcoming*\n" + "\n".join(lines)))
    blocks.append(context(f"A new one: `/{prefix} silence backend 2h deploying`, or `/{prefix} silence`"))
    return Message(text="\n".join(texts), blocks=fitted(blocks))


def render_warning(silence: Silence, broken: Sequence[Alert], now: datetime) -> Message:
    """Said while there is still time: the silence ends soon and something under it is still broken."""
    verb = "1 alert it hides is" if len(broken) == 1 else f"{len(broken)} alerts it hides are"
    head = (
        f":hourglass_flowing_sand: {_title(silence)} ends in {spell(silence.ends_at - now)} "
        f"({when(silence.ends_at, '{time}')}) and {verb} still open. They will be told then."
    )
    if silence.created_by:
        head += f" {person(silence.created_by)}, is more time needed?"
    text = "\n".join([head, *_list(broken)])
    return Message(
        text=text, blocks=(section(text), context(_why(silence)), silence_buttons(silence, longer=True))
    )


def render_after(silence: Silence, hidden: Sequence[Alert], now: datetime) -> Message:
    """What a silence that is over kept quiet."""
    still = [alert for alert in hidden if alert.status.is_open]
    over = len(hidden) - len(still)
    counted = [f"{len(still)} still open"] if still else []
    counted += [f"{over} over"] if over else []
    many = "1 alert" if len(hidden) == 1 else f"{len(hidden)} alerts"
    ended = f" by {person(silence.ended_by)}" if silence.ended_by else ""
    emoji = ":bell:" if still else ":white_check_mark:"
    head = f"{emoji} {_title(silence)} has ended{ended}. It hid {many}: {', '.join(counted)}."
    text = "\n".join([head, *_list([*still, *(each for each in hidden if each not in still)])])
    span = f"{when(silence.starts_at)} to {when(min(silence.over_at, now))}"
    return Message(text=text, blocks=(section(text), context(f"{span} · {_why(silence)}")))


def _title(silence: Silence) -> str:
    if silence.name:
        return f"The silence *{outside(silence.name, 150)}*"
    return f"Silence #{silence.id} of {_what(silence)}"


def silence_line(silence: Silence) -> str:
    """Who silenced what until when and why."""
    why = f": {outside(silence.reason, 300)}" if silence.reason else ""
    until = f"until {when(silence.ends_at)}"
    if silence.extended_by:
        until += f" (extended by {person(silence.extended_by)})"
    if silence.origin is Origin.FILE:
        name = outside(silence.name or "", 150)
        return f"*{name}* (from tocsin.yml) silences {_what(silence)} {until}{why} · #{silence.id}"
    return f"{_who(silence)} silenced {_what(silence)} {until}{why} · #{silence.id}"


def _who(silence: Silence) -> str:
    return "The API" if silence.origin is Origin.API else person(silence.created_by)


def _why(silence: Silence) -> str:
    by = "from tocsin.yml" if silence.origin is Origin.FILE else f"made by {_who(silence)}"
    why = f": {outside(silence.reason, 300)}" if silence.reason else ""
    return f"Silence #{silence.id}, {by}{why}"


def _what(silence: Silence) -> str:
    if silence.match is None:
        return "one problem"
    return "everything" if silence.match == "true" else code(silence.match, 300)


def _coming(timetable: Timetable, window: Window) -> str:
    why = f": {outside(timetable.reason, 200)}" if timetable.reason else ""
    return (
        f"*{outside(timetable.name, 150)}* {when(window.starts_at)} for "
        f"{spell(window.ends_at - window.starts_at)}, {code(timetable.match, 200)}{why}"
    )


def _reach(coverage: Coverage) -> str:
    """How much it covers now."""
    critical = ", P1 alerts included" if coverage.critical else ""
    now = f"{len(coverage.open)} open alert{'' if len(coverage.open) == 1 else 's'} now"
    if not coverage.total:
        return f"Covers {now}"
    of_all = f"{len(coverage.sources)} of {coverage.total} checks and jobs"
    return f"Covers {of_all}{critical}; {now}"


def _list(found: Sequence[Alert]) -> list[str]:
    lines = [f"• {_line(alert)}" for alert in found[:_MOST_LISTED]]
    return [*lines, f"… and {len(found) - _MOST_LISTED} more"] if len(found) > _MOST_LISTED else lines


def _line(alert: Alert) -> str:
    title = f"{alert.severity.priority} {outside(alert.firing.title, 120)}"
    if alert.status is Status.EXPIRED:
        return f":hourglass: {title}: nothing more was heard of it · #{alert.id}"
    if alert.status is Status.WITHDRAWN:
        return f":heavy_minus_sign: {title}: closed, no longer asked for · #{alert.id}"
    if alert.closed_at is not None:
        lasted = spell(alert.closed_at - alert.opened_at)
        return f":white_check_mark: {title}: resolved after {lasted} · #{alert.id}"
    taken = f", acknowledged by {person(alert.acknowledged_by)}" if alert.acknowledged_by else ""
    return (
        f"{SEVERITY_EMOJI[alert.severity]} {title}: open since {when(alert.opened_at)}{taken} · #{alert.id}"
    )


def silence_buttons(silence: Silence, *, longer: bool = False) -> Block:
    """Each button knows the end it was shown with, so that two presses extend once."""
    value = f"{silence.id}:{silence.ends_at.timestamp():.6f}"
    found = [button("Extend 1 h", "silence:extend:1h", value)]
    if longer:
        found.append(button("Extend 4 h", "silence:extend:4h", value))
    else:
        found.append(button("End", "silence:end", value))
    return actions(f"silence:{silence.id}", found)
