"""What is said of the logs of runs that Tocsin reads."""

from __future__ import annotations

from bot.blocks.message import Message, code, outside, section


def render_unreadable(place: str, reason: str) -> Message:
    """A log could not be read for a while."""
    text = (
        f":warning: *Tocsin cannot read the run log* {code(place)}: {outside(reason, 400)}\n"
        "Runs in it are not heard of until it can; it keeps trying, and goes on where it stopped."
    )
    return Message(text=text, blocks=(section(text),))


def render_readable_again(place: str) -> Message:
    """A log that was told of can be read again."""
    text = (
        f":white_check_mark: Tocsin can read the run log {code(place)} again, and goes on where it stopped."
    )
    return Message(text=text, blocks=(section(text),))


def render_refused(count: int, place: str, problem: str) -> Message:
    """Lines or rows report no run, and were passed over. `place` and `problem` are those of the first."""
    what = "An entry of a run log reports" if count == 1 else f"{count:,} entries of a run log report"
    first = "It is" if count == 1 else "The first is"
    text = (
        f":warning: {what} no run, and {'was' if count == 1 else 'were'} passed over. "
        f"{first} {code(place)}: {outside(problem, 400)}\n"
        "Tocsin's log names each; further ones of this log are not told here today."
    )
    return Message(text=text, blocks=(section(text),))
