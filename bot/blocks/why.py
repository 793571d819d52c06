"""Why an alert called somebody or kept silent, and what comes next: an answer, and a window."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from bot.blocks.alert import SEVERITY_EMOJI, explained_by, localized, render_event
from bot.blocks.message import Block, Message, code, context, cut, fitted, outside, person, section, when
from bot.domain.alert import Event, Status
from bot.domain.decision import spell
from bot.domain.escalation import CountsFrom, Moment, moments
from bot.domain.route import SLACK
from bot.domain.rule import Expression, Threshold
from bot.domain.why import Decided, Why, condition_of, priority_reason, values_of

_MOST_LINES = 30
_KINDS = {
    "routing": ":arrow_right: Routed",
    "escalation": ":arrow_up: Escalation",
    "incident": ":rotating_light: Incident",
}


def render_why(why: Why) -> Message:
    """The whole of it, what holds now first."""
    head = _head(why)
    parts = [head, *(f"{title}\n{text}" for title, text in _parts(why))]
    blocks: list[Block] = [section(part) for part in parts]
    blocks.append(context(f"Alert #{why.alert.id} · as of {when(why.now, '{time_secs}')}"))
    return Message(text=cut("\n".join(parts).replace("*", ""), 3400), blocks=fitted(blocks))


def _head(why: Why) -> str:
    alert = why.alert
    emoji = SEVERITY_EMOJI[alert.severity] if alert.status.is_open else ":white_check_mark:"
    return f"{emoji} *Why #{alert.id} {outside(alert.firing.title, 200)}*"


def _parts(why: Why) -> list[tuple[str, str]]:
    parts = [
        ("*Now*", "\n".join(_now(why))),
        ("*What made it an alert*", "\n".join(_cause(why))),
        ("*What was decided, in order*", "\n".join(_story(why))),
    ]
    if steps := list(_steps(why)):
        parts.append(("*When nobody acknowledges*", "\n".join(steps)))
    return parts


# Now ------------------------------------------------------------------------------------------------------


def _now(why: Why) -> Iterator[str]:
    """Whether it is heard, why not, and what happens next."""
    alert = why.alert
    if not alert.status.is_open:
        yield from _over(why)
        return
    quiet = list(_quiet(why))
    yield from quiet
    if alert.status is Status.ACKNOWLEDGED and alert.acknowledged_at:
        yield f":eyes: {person(alert.acknowledged_by)} is on it since {when(alert.acknowledged_at)}."
    if not quiet:
        yield _told(why)
    yield from _next(why, silent=bool(quiet))


def _over(why: Why) -> Iterator[str]:
    alert = why.alert
    by = f" by {person(alert.closed_by)}" if alert.closed_by else ""
    at = f" {when(alert.closed_at)}" if alert.closed_at else ""
    yield f":white_check_mark: It is {alert.status.value}{by}{at}, so nobody is told of it any more."
    if why.rule is not None and alert.closed_at is not None and why.now < alert.closed_at + why.rule.dedupe:
        until = when(alert.closed_at + why.rule.dedupe)
        yield f"If it comes back before {until}, this alert opens again and its thread goes on; later it is a new one."


def _quiet(why: Why) -> Iterator[str]:
    alert = why.alert
    if alert.is_silenced(why.now) and alert.silenced_until:
        name = f" _{outside(alert.silence_name, 150)}_ of tocsin.yml" if alert.silence_name else ""
        number = f" #{alert.silence_id}" if alert.silence_id else ""
        by = f" by {person(alert.silenced_by)}" if alert.silenced_by and not name else ""
        reason = f": {outside(alert.silence_reason, 300)}" if alert.silence_reason else ""
        yield (
            f":no_bell: *Silent until {when(alert.silenced_until)}*: silence{number}{name}{by}{reason}. "
            "If it still fails then, it is told."
        )
    if alert.firing.held_by:
        yield (
            f":link: *Silent*: explained by {explained_by(alert.firing.held_by)}. "
            "When that is over and this is not, it is told."
        )
    if why.is_held and why.routing is not None and why.routing.held_until is not None:
        yield f":zzz: *Silent until {when(why.routing.held_until)}*: quiet hours. What is still open then is told."
    if why.routing is not None and not why.places:
        yield ":newspaper: *Silent*: its route sends it to the digest only."


def _told(why: Why) -> str:
    where = ", ".join(_where(place.destination, place.channel) for place in why.places) or "Slack"
    names = why.routing.mentions if why.routing is not None else ()
    naming = f", naming {', '.join(outside(name, 60) for name in names)}" if names else ", naming nobody"
    return f":bell: It is told in {where}{naming}."


def _where(destination: str, channel: str) -> str:
    return outside(channel or destination, 80)


def _next(why: Why, *, silent: bool) -> Iterator[str]:
    alert, escalation = why.alert, why.escalation
    if escalation is not None and escalation.due_at is not None:
        yield f":alarm_clock: Next step of {code(escalation.policy)}: {when(escalation.due_at)}."
    elif escalation is not None and escalation.paused_at is not None:
        yield f":double_vertical_bar: {code(escalation.policy)} is paused while it is silent."
    elif escalation is not None and why.policy is not None:
        yield f":alarm_clock: Every step of {code(escalation.policy)} was taken; nobody else is called."
    if alert.firing.flapping:
        yield f":ocean: It flaps ({outside(alert.firing.flapping, 200)}), so it stays open until it is steady."
    if why.rule is not None and not silent and alert.firing.source.kind.value != "alert":
        looks = (
            "the next good answer"
            if why.rule.recoveries <= 1
            else f"{why.rule.recoveries} good answers in a row"
        )
        yield f":white_check_mark: It resolves by itself after {looks}."
    if alert.expires_at is not None:
        yield f":hourglass: It expires {when(alert.expires_at)} unless it is seen again."


# The cause ------------------------------------------------------------------------------------------------


def _cause(why: Why) -> Iterator[str]:
    alert = why.alert
    firing = alert.firing
    yield f"• Rule {code(firing.rule)} asked about {code(firing.resource)}"
    if asked := condition_of(why.rule, alert):
        written = why.rule is not None and isinstance(why.rule.question, Expression | Threshold)
        yield f"• It is true when: {code(asked, 600) if written else outside(asked, 600)}"
    else:
        yield "• The configuration no longer has this rule, so its condition cannot be shown"
    if values := values_of(why.rule, alert):
        yield "• When it was last true: " + ", ".join(
            f"{code(name)} = {code(value)}" for name, value in values
        )
    yield f"• Found: {outside(firing.reason, 700) or '-'}"
    if counted := _counted(why):
        yield f"• {counted}"
    reason = priority_reason(why.rule, alert)
    yield f"• {outside(reason, 500).replace('ˋ', '`')}"


def _counted(why: Why) -> str:
    rule, streak = why.rule, why.streak
    if rule is None:
        return ""
    needed = f"needs {rule.failures} in a row" if rule.failures > 1 else "once is enough"
    if rule.hold:
        needed += f" and must hold for {spell(rule.hold)}"
    if streak is None:
        return f"It {needed}" if rule.failures > 1 or rule.hold else ""
    if streak.matches:
        since = f", since {when(streak.since)}" if streak.since else ""
        return f"Bad {streak.matches} in a row by now{since} ({needed})"
    return f"Good {streak.clears} in a row by now ({needed})"


# The story ------------------------------------------------------------------------------------------------


def _story(why: Why) -> list[str]:
    """What happened and what was decided, together in the order of time; a long one loses its middle."""
    told: list[tuple[datetime, int, str]] = [(event.at, 0, _event(event, why)) for event in why.events]
    told += [(each.at, 1, _decision(each)) for each in why.decided]
    lines = [f"{when(at)} {text}" for at, _, text in sorted(told, key=lambda each: each[:2])]
    return _shortened(lines)


def _shortened(lines: list[str]) -> list[str]:
    """The first and the last lines, as many as one section holds; what is between is counted."""
    kept = [cut(line, 900) for line in lines]
    left_out = max(0, len(kept) - _MOST_LINES)
    while len(kept) - left_out > 2 and sum(map(len, _without_middle(kept, left_out))) > 2700:
        left_out += 1
    return _without_middle(kept, left_out)


def _without_middle(lines: list[str], count: int) -> list[str]:
    start = (len(lines) - count) // 2
    return [*lines[:start], f"… {count} more between …", *lines[start + count :]] if count else lines


def _event(event: Event, why: Why) -> str:
    return render_event(event, why.alert).text.split("\nIt lasted")[0]


def _decision(each: Decided) -> str:
    said = "; ".join(each.reasons)
    return f"{_KINDS.get(each.kind, each.kind)}: {localized(outside(said, 700))}"


# Escalation -----------------------------------------------------------------------------------------------


def _steps(why: Why) -> Iterator[str]:
    """Each moment of the policy: done, due, or not reached."""
    policy, escalation = why.policy, why.escalation
    if policy is None:
        return
    if policy.counts_from is CountsFrom.FIRST_SEEN:
        yield f"_{outside(policy.name, 100)} counts from when it was first seen and goes on until it is over_"
    for number, moment in enumerate(moments(policy)):
        yield f"{_mark(why, number, moment)} {_moment(moment)}"
    if escalation is None:
        yield "_It runs no longer_" if why.decided else "_It has not begun_"


def _mark(why: Why, number: int, moment: Moment) -> str:
    escalation = why.escalation
    if escalation is None:
        return f":white_small_square: after {spell(moment.after)}:"
    if number < escalation.done:
        return f":ballot_box_with_check: after {spell(moment.after)}, done:"
    if escalation.paused_at is not None:
        return f":double_vertical_bar: after {spell(moment.after)}, paused:"
    due = (
        escalation.due_at
        if number == escalation.done and escalation.due_at
        else escalation.since + moment.after
    )
    return f":alarm_clock: {when(due)}, after {spell(moment.after)}:"


def _moment(moment: Moment) -> str:
    said = ["it was to be answered by then"] if moment.is_late else []
    for step in moment.steps:
        places = ", ".join("the alert's own channel" if to == SLACK else outside(to, 80) for to in step.to)
        names = f", naming {', '.join(outside(name, 60) for name in step.mention)}" if step.mention else ""
        note = f" ({outside(step.note, 200)})" if step.note else ""
        said.append(f"told in {places}{names}{note}")
    return "; ".join(said)
