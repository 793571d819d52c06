"""The buttons of a message that stands for many alerts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.grouping import Grouping, Opened
from handlers.slack.people import People

_MANY = 200
_UNKNOWN = ":grey_question: Tocsin does not know this alert any more, so it cannot be opened."
_STOOD = ":point_up_2: Alert #{number} stands in this thread already."
Tell = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDesk:
    """Does what people ask of many alerts at once. Raises DatabaseError."""

    grouping: Grouping
    people: People

    async def press(self, name: str, value: str, body: Mapping[str, Any], tell: Tell) -> None:
        """A button or the menu, whose options are `group:alert`."""
        group, _, alert = value.partition(":")
        if name == "open":
            await self._open(_number(group), _number(alert), tell)
        elif name == "acknowledge":
            await self._acknowledge(_number(group), body, tell)

    async def _open(self, group: int, alert: int, tell: Tell) -> None:
        outcome = await self.grouping.open(group, alert)
        if outcome is Opened.UNKNOWN:
            await tell(_UNKNOWN)
        elif outcome is Opened.STOOD:
            await tell(_STOOD.format(number=alert))

    async def _acknowledge(self, group: int, body: Mapping[str, Any], tell: Tell) -> None:
        if no := await self.people.refusal("acknowledge", body):
            await tell(f":lock: {no}")
            return
        waiting = await self.grouping.unacknowledged(group)
        if waiting > _MANY:
            await tell(f":hourglass_flowing_sand: Acknowledging {waiting} alerts; this takes a moment.")
        done = await self.grouping.acknowledge_all(group, str(body["user"]["id"]))
        if done:
            await tell(f":eyes: You acknowledged {done} alert{'' if done == 1 else 's'}.")
        else:
            await tell("Nothing is left to acknowledge here.")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 15 else 0
