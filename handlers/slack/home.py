"""Home tabs: shown when opened, and again when something changed, to those who looked at theirs lately."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.home import render_home
from bot.blocks.message import Block, section
from bot.config.plans import rotations_of
from bot.config.settings import Settings
from bot.domain.clock import Clock
from bot.domain.oncall import duty
from bot.occasions import Occasion, ScheduledMessage
from bot.reporting import Reporting
from bot.reports.home import HomeState
from bot.silencing import Silencing
from handlers.slack.people import LOOK, People
from handlers.slack.words import Asker

log = structlog.get_logger(__name__)

TICK = timedelta(seconds=3)
_WATCHES = timedelta(minutes=10)  # Slack tells when Home is opened, not when it is left
_MOST_VIEWERS = 50
_AT_LEAST = timedelta(seconds=5)  # between two refreshes of one viewer
_AT_ONCE = 3  # viewers a tick: views.publish is allowed about a hundred times a minute
_UNASKED = timedelta(seconds=30)  # what another replica did is seen so late


@dataclass(slots=True)
class _Viewer:
    """Somebody who opened Home, and what they were shown last."""

    opened_at: datetime
    shown_at: datetime
    shown: str = ""


class Home:
    """Publishes Home. `touch` says that something may have changed; `tick` refreshes who still looks."""

    def __init__(
        self,
        *,
        client: AsyncWebClient,
        settings: Settings,
        reporting: Reporting,
        silencing: Silencing,
        people: People,
        scheduled: Sequence[ScheduledMessage | Occasion],
        clock: Clock,
    ) -> None:
        self._client = client
        self._settings = settings
        self._reporting = reporting
        self._silencing = silencing
        self._people = people
        self._scheduled = scheduled
        self._clock = clock
        self._viewers: OrderedDict[str, _Viewer] = OrderedDict()
        self._changed = False
        self._looked_at: datetime | None = None

    def touch(self) -> None:
        """Something may have changed."""
        self._changed = True

    async def open(self, asker: Asker) -> None:
        """Somebody opened Home. Raises DatabaseError, SlackApiError."""
        if no := await self._people.refusal(LOOK, asker.body):
            view = {"type": "home", "blocks": [section(f":lock: {no}")]}
            await self._client.views_publish(user_id=asker.user, view=view)
            return
        now = self._clock()
        self._viewers[asker.user] = _Viewer(opened_at=now, shown_at=now)
        self._viewers.move_to_end(asker.user)
        while len(self._viewers) > _MOST_VIEWERS:
            self._viewers.popitem(last=False)
        await self._publish(asker.user, await self._blocks())

    async def show_again(self, user: str) -> None:
        """What somebody did in their Home shows there at once. Raises DatabaseError, SlackApiError."""
        if user in self._viewers:
            self._viewers[user].opened_at = self._clock()
            await self._publish(user, await self._blocks())

    async def tick(self) -> None:
        """Refresh those who have waited longest, if anything changed since. Raises DatabaseError."""
        now = self._clock()
        self._forget(now)
        overdue = self._looked_at is None or now - self._looked_at >= _UNASKED
        if not self._viewers or not (self._changed or overdue):
            return
        self._changed, self._looked_at = False, now
        blocks = await self._blocks()
        content = identity(blocks)
        stale = [user for user, viewer in self._viewers.items() if viewer.shown != content]
        ripe = [user for user in stale if now - self._viewers[user].shown_at >= _AT_LEAST]
        ripe.sort(key=lambda user: self._viewers[user].shown_at)
        for user in ripe[:_AT_ONCE]:
            try:
                await self._publish(user, blocks)
            except SlackApiError as error:
                log.info("home_not_shown", user=user, reason=str(error.response.get("error")))
        if any(self._viewers[user].shown != content for user in stale if user in self._viewers):
            self._changed = True  # the others come next, and those Slack refused

    def _forget(self, now: datetime) -> None:
        for user in [user for user, each in self._viewers.items() if now - each.opened_at > _WATCHES]:
            del self._viewers[user]

    async def _publish(self, user: str, blocks: list[Block]) -> None:
        viewer = self._viewers.get(user)
        if viewer is not None:
            viewer.shown_at = self._clock()  # also when Slack refuses: not again at once
        await self._client.views_publish(user_id=user, view={"type": "home", "blocks": blocks})
        if viewer is not None:
            viewer.shown = identity(blocks)

    async def _blocks(self) -> list[Block]:
        now = self._clock()
        rotations = rotations_of(self._settings)
        coming = sorted(
            ((each.name, each.schedule.next_after(now)) for each in self._scheduled), key=lambda each: each[1]
        )
        state = HomeState(
            overview=await self._reporting.overview(),
            silences=(await self._silencing.listing()).active,
            duties={name: duty(rotation, now) for name, rotation in rotations.items()},
            coming=coming,
        )
        return render_home(state, self._settings.slack.command_prefix)


def identity(blocks: Sequence[Block]) -> str:
    """Equal for Homes that say the same, whenever they were made: the last block tells the time."""
    content = json.dumps(list(blocks[:-1]), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()
