"""Use case: lists of tasks posted at their time and ticked by people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.blocks.checklist import render_checklist
from bot.blocks.message import Message
from bot.config.settings import Settings
from bot.config.telling import Checklist
from bot.domain.audit import Deed, via_of
from bot.domain.clock import Clock
from bot.occasions import PRIORITY, Queue
from storage import audit, checklists, outbox
from storage.checklists import PostedList, Tick
from storage.database import Connection, Database
from storage.outbox import Lane

KIND = "checklist"


class UnknownChecklist(LookupError):
    """The database knows no checklist of that number (any more)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklists:
    """Posts lists and remembers ticks. Every method raises DatabaseError."""

    database: Database
    settings: Settings
    clock: Clock
    wake: Callable[[], None]
    mention: Callable[[Sequence[str]], str]

    async def prepare(self, name: str, wanted: Checklist, due_at: datetime) -> Queue:
        """What stores a list that fell due."""
        posted = PostedList(
            title=wanted.title or f"{name[:1].upper()}{name[1:]} checklist"[:200],
            channel=wanted.channel or self.settings.slack.channel,
            due_at=due_at,
            items=wanted.items,
            mention=wanted.mention,
        )

        async def queue(database: Database, connection: Connection, now: datetime) -> None:
            number = await checklists.add(connection, posted)
            await self._show(connection, number, posted.channel, now)

        return queue

    async def view(self, number: int) -> Message | None:
        """The list as it is to be shown."""
        async with self.database.snapshot() as connection:
            found = await checklists.get(connection, number)
        if found is None:
            return None
        ticks = {item: (tick.by, tick.at) for item, tick in found.ticks.items()}
        return render_checklist(
            found.id, found.title, found.items, ticks, found.due_at, self.mention(found.mention)
        )

    async def tick(
        self, number: int, added: Iterable[int], removed: Iterable[int], who: str
    ) -> list[tuple[str, Tick]]:
        """Remember what somebody ticked, and forget what they took back.

        Returns the tasks that somebody else had ticked before, with that tick, which stays. Raises
        UnknownChecklist.
        """
        now = self.clock()
        async with self.database.transaction() as connection:
            found = await checklists.get(connection, number)
            if found is None:
                raise UnknownChecklist(f"there is no checklist {number}")
            places = range(len(found.items))
            others: list[tuple[str, Tick]] = []
            for item in sorted(set(added) & set(places)):
                if not await checklists.tick(self.database, connection, number, item, who, now):
                    before = found.ticks.get(item)
                    others += [(found.items[item], before)] if before and before.by != who else []
                else:
                    await self._note(connection, who, "ticked", found.items[item], now)
            for item in sorted(set(removed) & set(places)):
                await checklists.untick(connection, number, item)
                await self._note(connection, who, "unticked", found.items[item], now)
            await self._show(connection, number, found.channel, now)
        self.wake()
        return others

    @staticmethod
    async def _note(connection: Connection, who: str, act: str, item: str, now: datetime) -> None:
        await audit.add(connection, Deed(who=who[:64], at=now, act=act, via=via_of(who), subject=item))

    async def _show(self, connection: Connection, number: int, channel: str, now: datetime) -> None:
        await outbox.mark_card_stale(
            self.database,
            connection,
            key=outbox.card_key(KIND, number),
            lane=Lane(destination="slack", channel=channel),
            priority=PRIORITY - 5,  # somebody looks at it
            now=now,
        )
