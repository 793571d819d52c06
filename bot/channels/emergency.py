"""What must be said although it cannot be written down first: the database refuses."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.message import outside
from bot.domain.clock import Clock

log = structlog.get_logger(__name__)

_AFTER = timedelta(seconds=30)
_AGAIN = timedelta(hours=1)


class Emergency:
    """Posts past the outbox, at most once an hour, while the outbox itself cannot be used."""

    def __init__(self, client: AsyncWebClient, channel: str, clock: Clock) -> None:
        self._client = client
        self._channel = channel
        self._clock = clock
        self._since: datetime | None = None
        self._told: datetime | None = None

    async def tell(self, trouble: str | None) -> None:
        """Say that nothing can be stored, once it has lasted; and that it can again."""
        now = self._clock()
        if trouble is None:
            again = ":white_check_mark: Tocsin can write its database again. What it saw meanwhile is kept."
            if self._told is not None and not await self._post(again):
                return
            self._since = self._told = None
            return
        self._since = self._since or now
        if now - self._since < _AFTER or (self._told is not None and now - self._told < _AGAIN):
            return
        text = (
            f":rotating_light: *Tocsin cannot write its database:* {outside(trouble, 300)}\n"
            "Checks go on and are kept in memory, but alerts cannot be raised until it can. "
            "Look at the disk of the database and at Tocsin's log."
        )
        if await self._post(text):
            self._told = now

    async def _post(self, text: str) -> bool:
        try:
            await self._client.chat_postMessage(channel=self._channel, text=text, unfurl_links=False)
        except (SlackClientError, OSError, TimeoutError) as error:
            log.error("emergency_not_told", reason=str(error))
            return False
        return True
