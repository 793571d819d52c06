"""Google Chat by an incoming webhook: each piece of news as a card, all of an alert in one thread.

developers.google.com/workspace/chat/quickstart/webhooks
"""

from __future__ import annotations

import json

import httpx

from bot.blocks.plain import Letter, as_card
from bot.channels.outlet import Request, post
from bot.domain.clock import Clock
from bot.domain.news import EVERYTHING, NewsKind


class GoogleChat:
    """One space, by the address its webhook was given."""

    understands = EVERYTHING - {NewsKind.ACKNOWLEDGED}  # people see in Slack who looks at it

    def __init__(self, client: httpx.AsyncClient, url: str, *, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._url = httpx.URL(url).copy_merge_params(
            {"messageReplyOption": "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"}
        )

    async def tell(self, letter: Letter, key: str) -> None:
        message = as_card(letter)
        if letter.alert is not None:
            message["thread"] = {"threadKey": f"tocsin-{letter.alert.id}-{letter.alert.fingerprint[:8]}"}
        request = Request(
            url=str(self._url),
            body=json.dumps(message).encode(),
            headers={"Content-Type": "application/json; charset=UTF-8"},
        )
        await post(self._client, request, self._clock)
