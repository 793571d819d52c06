"""What is said of jobs beside their alerts."""

from __future__ import annotations

from bot.blocks.message import Message, code, outside, section


def render_unknown_job(job: str, said: str) -> Message:
    """A job that the configuration does not know made itself heard."""
    text = (
        f":wave: A job that the configuration does not know reported: {code(job)}, {outside(said, 200)}\n"
        "Its failures are told. To be told when it is late too, add it under `jobs:`."
    )
    return Message(text=text, blocks=(section(text),))
