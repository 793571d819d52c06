"""Answers where the question was asked, seen only by who asked."""

from __future__ import annotations

from typing import Any

import structlog

from bot.blocks.message import Message

log = structlog.get_logger(__name__)


async def answer_with(respond: Any, message: Message, *, replace_original: bool = False) -> None:
    """Answer; without its chart where Slack refuses charts, and in plain text where it refuses the rest."""
    how = {"response_type": "ephemeral", "replace_original": replace_original}
    answer = await respond(**how, **_content(message))
    if answer.status_code != 200 and message.has_chart:
        log.warning("chart_refused", reason=answer.body)
        answer = await respond(**how, **_content(message.without_charts()))
    if answer.status_code != 200:
        log.error("answer_refused", reason=answer.body)
        await respond(**how, text=message.plain()["text"])


def _content(message: Message) -> dict[str, Any]:
    payload = message.payload()
    return {"text": payload["text"], "blocks": payload["blocks"]}
