"""Use case: check-in cards, posted at their time and kept true while something on them is pending."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.blocks.checkin import render_checkin, render_turned_wrong
from bot.blocks.message import Message
from bot.config.probing import CheckSettings
from bot.config.settings import Settings
from bot.config.telling import Checkin
from bot.domain.checkin import Awaited, CheckinLine, live_until, since_midnight, wrong_since
from bot.domain.clock import Clock
from bot.domain.schedule import Cron
from bot.occasions import PRIORITY, Queue, post_payload
from bot.reporting import Reporting
from bot.reports.overview import Line
from checks.result import State
from storage import checkins, outbox
from storage.checkins import CheckinCard
from storage.database import Connection, Database
from storage.outbox import Lane

KIND = "checkin"
_USUAL_INTERVAL = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkins:
    """Posts and follows cards. Every method raises DatabaseError.

    `mention` turns names of the file into Slack's way to call people; `wake` is called after each commit.
    """

    database: Database
    settings: Settings
    reporting: Reporting
    clock: Clock
    wake: Callable[[], None]
    mention: Callable[[Sequence[str]], str]

    async def prepare(self, wanted: Checkin, due_at: datetime) -> Queue:
        """Look how things stand, and give what stores the card."""
        now = self.clock()
        found = await self._lines(wanted.checks or tuple(self.settings.checks))
        card = CheckinCard(
            title=wanted.title,
            channel=wanted.channel or self.settings.slack.channel,
            due_at=due_at,
            as_of=now,
            lines=tuple(found),
            checks=tuple(line.name for line in found),
            mention=wanted.mention,
            live_until=self._live_until(found, now),
        )

        async def queue(database: Database, connection: Connection, now: datetime) -> None:
            number = await checkins.add(connection, card)
            await self._show(connection, number, card.channel, now)

        return queue

    async def tick(self) -> None:
        """Bring the cards that are still followed up to date, and let go of those that are decided."""
        async with self.database.snapshot() as connection:
            cards = await checkins.live(connection)
        for card in cards:
            await self._follow(card)

    async def view(self, number: int) -> Message | None:
        """The card as it is to be shown."""
        async with self.database.snapshot() as connection:
            card = await checkins.get(connection, number)
        if card is None:
            return None
        return render_checkin(
            card.title,
            card.lines,
            due_at=card.due_at,
            as_of=card.as_of,
            live_until=card.live_until,
            dashboard=self.settings.http.url,
            mention=self.mention(card.mention),
        )

    async def _follow(self, card: CheckinCard) -> None:
        now = self.clock()
        found = await self._lines(card.checks)
        assert card.live_until is not None
        is_over = now >= card.live_until or not _pending(found)
        if not is_over and _seen(found) == _seen(card.lines):
            return
        fresh = replace(card, as_of=now, lines=tuple(found), live_until=None if is_over else card.live_until)
        async with self.database.transaction() as connection:
            if not await checkins.update(connection, fresh, card.as_of):
                return  # another replica was faster
            await self._show(connection, card.id, card.channel, now)
            if (turned := wrong_since(card.lines, found)) and (called := self.mention(card.mention)):
                await self._call(connection, fresh, turned, called)
        self.wake()

    async def _show(self, connection: Connection, number: int, channel: str, now: datetime) -> None:
        await outbox.mark_card_stale(
            self.database,
            connection,
            key=outbox.card_key(KIND, number),
            lane=Lane(destination="slack", channel=channel),
            priority=PRIORITY,
            now=now,
        )

    async def _call(
        self, connection: Connection, card: CheckinCard, turned: Sequence[CheckinLine], called: str
    ) -> None:
        """An edit reaches nobody: those whom the card names are called in its thread."""
        message = render_turned_wrong(card.title, turned, card.as_of, called)
        under = outbox.card_key(KIND, card.id)
        await outbox.add_post(
            self.database,
            connection,
            key=f"{under}:{card.as_of.isoformat()}",
            lane=Lane(destination="slack", channel=card.channel),
            payload={**post_payload(message, card.channel), "under": under},
            priority=PRIORITY + 1,
            now=card.as_of,
        )

    async def _lines(self, names: Iterable[str]) -> list[CheckinLine]:
        """How some checks stand, in their order; one that left the configuration is left out."""
        overview = await self.reporting.overview()
        by_name = {line.name: line for line in overview.checks}
        return [_line(by_name[name]) for name in names if name in by_name]

    def _live_until(self, lines: Sequence[CheckinLine], now: datetime) -> datetime | None:
        awaited = [self._awaited(self.settings.checks[line.name], now) for line in _pending(lines)]
        return live_until(now, awaited, self.settings.timezone)

    def _awaited(self, check: CheckSettings, now: datetime) -> Awaited:
        times = [since_midnight(at) for at in (check.due, *(check.at or ())) if at is not None]
        if (missing_after := getattr(check.options, "missing_after", None)) is not None:
            times.append(since_midnight(missing_after, check.due))
        if check.between is not None:
            times.append(since_midnight(check.between.start))
        every = check.every or _USUAL_INTERVAL
        if check.cron is not None:
            every = (Cron(check.cron, self.settings.timezone).next_after(now) - now) / 2
        return Awaited(times=tuple(times), every=min(every, _LONGEST_WAIT))


def _line(line: Line) -> CheckinLine:
    standing = line.standing
    if standing is None:
        return CheckinLine(name=line.name, state=State.PENDING, summary="", at=None)
    return CheckinLine(name=line.name, state=line.state, summary=standing.summary[:300], at=standing.at)


def _pending(lines: Iterable[CheckinLine]) -> list[CheckinLine]:
    return [line for line in lines if line.state is State.PENDING]


def _seen(lines: Iterable[CheckinLine]) -> list[tuple[str, State, str]]:
    """What of the lines is worth an edit: not that a check looked again and found the same."""
    return [(line.name, line.state, line.summary) for line in lines]
