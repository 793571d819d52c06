"""What Slack is told of destinations beside it that do not work, or work again."""

from __future__ import annotations

from bot.blocks.message import Message, code, outside, section
from bot.domain.alert import Alert


def render_refused(name: str, reason: str, remedy: str | None, alert: Alert | None) -> Message:
    """A destination refuses for good: which, why, what was not told there, what to do."""
    lost = (
        f"It was not told of alert #{alert.id}, {alert.severity.priority} {outside(alert.firing.title, 200)}. "
        if alert is not None
        else ""
    )
    lines = [
        f":warning: *{code(name)} refuses what it is sent: {outside(reason, 300)}.*",
        f"{lost}What it refuses is kept and sent again when it takes something, and when Tocsin is restarted.",
    ]
    if remedy:
        lines.append(f"*What to do:* {outside(remedy, 300)}, then restart Tocsin.")
    return Message(text="\n".join(lines).replace("*", ""), blocks=(section("\n".join(lines)),))


def render_works_again(name: str) -> Message:
    """It took something after it had refused."""
    text = f":white_check_mark: {code(name)} takes what it is sent again."
    return Message(text=text, blocks=(section(text),))
