"""What quiet hours held back, in one message at their end."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.alert import SEVERITY_EMOJI
from bot.blocks.message import Message, clock, code, context, fitted, outside, section
from bot.domain.alert import Alert

_MOST = 25
_PER_BLOCK = 8


def render_held(alerts: Sequence[Alert]) -> Message:
    """The alerts that began while nobody was to be woken, those still open first."""
    still = sum(alert.status.is_open for alert in alerts)
    count = f"{len(alerts)} alert{'' if len(alerts) == 1 else 's'}"
    verdict = f"{still} still open" if still else "all over by now"
    head = f":sunrise: *{count} in quiet hours: {verdict}*"
    lines = [_line(alert) for alert in alerts[:_MOST]]
    if len(alerts) > _MOST:
        lines.append(f"… and {len(alerts) - _MOST} more")
    blocks = [section(head)]
    blocks += [section("\n".join(lines[at : at + _PER_BLOCK])) for at in range(0, len(lines), _PER_BLOCK)]
    if still:
        blocks.append(context("Each that is still open is shown here too."))
    return Message(text="\n".join([head.replace("*", ""), *lines]), blocks=fitted(blocks))


def _line(alert: Alert) -> str:
    title = outside(alert.firing.title, 100)
    if alert.status.is_open:
        sign, state = SEVERITY_EMOJI[alert.severity], alert.status.value
    else:
        sign, state = ":white_check_mark:", alert.status.value
        if alert.closed_at is not None:
            state += f" {clock(alert.closed_at)}"
    where = code(alert.firing.resource, 60)
    return f"{sign} {alert.severity.priority} {title} · {where} · #{alert.id}, began {clock(alert.opened_at)}, {state}"
