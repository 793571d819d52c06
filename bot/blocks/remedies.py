"""What remedies say: each step of an attempt in one line, and the button that approves one.

The lines are plain text; who shows them escapes them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.blocks.message import Block, button, outside
from bot.domain.decision import spell
from bot.domain.remedy import Attempt, Remedy

MOST_OFFERS = 3
_LONGEST_ACTION = 500


def offer_button(attempt: Attempt) -> Block:
    """Runs what it says, after asking once more; its value tells an offer from the one that replaced it."""
    element = button(f"Run {attempt.remedy}", f"remedy:approve:{attempt.id}", offer_value(attempt))
    asked = outside(attempt.action, 220)
    element["confirm"] = {
        "title": {"type": "plain_text", "text": f"Run {attempt.remedy}?"[:100]},
        "text": {"type": "mrkdwn", "text": f"This runs now: {asked}"},
        "confirm": {"type": "plain_text", "text": "Run it"},
        "deny": {"type": "plain_text", "text": "Cancel"},
    }
    return element


def offer_value(attempt: Attempt) -> str:
    """What a press on the button carries."""
    return f"{attempt.id}:{attempt.target}"


def parse_offer(value: str) -> tuple[int, str]:
    """The number and the target of a press. Raises ValueError."""
    number, _, target = value.partition(":")
    if not number.isdecimal() or len(number) > 15:
        raise ValueError("the press carries no attempt")
    return int(number), target


def offered(remedy: Remedy, action: str) -> str:
    return (
        f"{remedy.name} waits for somebody to press Run {remedy.name} on the alert. "
        f"It would run: {action[:_LONGEST_ACTION]}"
    )


def begun(remedy: Remedy, attempt: Attempt) -> str:
    return f"running {remedy.name} ({remedy.tally(attempt.ordinal)}): {attempt.action[:_LONGEST_ACTION]}"


def performed(remedy: Remedy, summary: str, *, ok: bool, checked_after: timedelta | None) -> str:
    """How the action itself ended, and when its effect is looked at; nothing can be run again for a job."""
    word = "is done" if ok else "did not work"
    then = (
        f"the check runs again in {spell(checked_after)}"
        if checked_after is not None
        else "whether it helped will show when its source reports again"
    )
    return f"{remedy.name} {word}: {summary}; {then}"


def interrupted(remedy: Remedy, attempt: Attempt, checked_after: timedelta) -> str:
    return (
        f"interrupted: Tocsin stopped while {remedy.name} ran ({remedy.tally(attempt.ordinal)}), so nobody knows "
        f"whether it took effect. It is not run again unseen; the check runs in {spell(checked_after)}"
    )


def recovered(remedy: Remedy, attempt: Attempt, closed_at: datetime | None, now: datetime) -> str:
    """`closed_at`: when its alert ended, if it has."""
    after = spell((closed_at or now) - attempt.started_at) if attempt.started_at else "a moment"
    rest = "" if closed_at else ". The alert ends once its check has passed often enough"
    return (
        f"{attempt.resource} recovered by {remedy.name} after {after} ({remedy.tally(attempt.ordinal)}){rest}"
    )


def still_failing(remedy: Remedy, attempt: Attempt, found: str) -> str:
    return (
        f"{attempt.resource} is still failing after {remedy.name} ({remedy.tally(attempt.ordinal)}): {found}"
    )


def exhausted(remedy: Remedy, attempt: Attempt, found: str) -> str:
    spent = f"{attempt.ordinal} of {remedy.attempts} attempts in {spell(remedy.per)}"
    return f"{attempt.resource} is still failing after {remedy.name}, {spent}: {found}. Somebody must look"


def not_again(remedy: Remedy, reason: str) -> str:
    return f"{remedy.name} is not run again: {reason}. Somebody must look"


def refused(remedy: Remedy, reason: str) -> str:
    return f"{remedy.name} is not run: {reason}"


def rehearsed(remedy: Remedy, action: str) -> str:
    who = "after somebody's approval" if remedy.approve else "now"
    return (
        f"dry run of {remedy.name}: {who} it would run {action[:_LONGEST_ACTION]} "
        f"and check again after {spell(remedy.verify_after)}. Nothing was done"
    )
