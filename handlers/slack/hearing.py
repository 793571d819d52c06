"""What is said to Tocsin in conversations: mentions, direct messages, `heartbeat_check`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.blocks.message import Message
from bot.domain.clock import Clock
from bot.occasions import post_payload
from handlers.slack.dispatch import Dispatch
from handlers.slack.words import HEARTBEAT, Asker
from storage import outbox
from storage.database import Database
from storage.outbox import Lane

Body = dict[str, Any]
_QUICK = 5  # an answer somebody waits for goes before everything else in its channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """Answers in the conversation, once however often the event comes. Every method raises DatabaseError."""

    database: Database
    dispatch: Dispatch
    clock: Clock
    wake: Callable[[], None]

    def question_in(self, event: Body) -> str | None:
        """What a message asks, None when it asks Tocsin nothing."""
        if event.get("bot_id") or event.get("subtype"):
            return None
        text = str(event.get("text") or "").strip()
        if text.strip("`").lower() == HEARTBEAT:
            return HEARTBEAT
        return text if event.get("channel_type") == "im" and text else None

    async def answer(self, event: Body, question: str, *, in_thread: bool = False) -> None:
        """Answer a question that was asked in a message."""
        message = await self.dispatch.answer("", question, Asker.of(event), aloud=True)
        if message is not None:
            await self._reply(event, message, in_thread=in_thread)

    async def answer_mention(self, event: Body) -> None:
        """Answer a message that names Tocsin, in its thread."""
        words = [word for word in str(event.get("text") or "").split() if not word.startswith("<@")]
        await self.answer(event, " ".join(words), in_thread=True)

    async def _reply(self, event: Body, message: Message, *, in_thread: bool) -> None:
        channel = str(event["channel"])
        thread = event.get("thread_ts") or (event["ts"] if in_thread else None)
        async with self.database.transaction() as connection:
            await outbox.add_post(
                self.database,
                connection,
                key=f"reply:{channel}:{event['ts']}",
                lane=Lane(destination="slack", channel=channel),
                payload={**post_payload(message, channel, thread), "only_here": True},
                priority=_QUICK,
                now=self.clock(),
            )
        self.wake()
