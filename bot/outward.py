"""What an outbox entry comes to for a destination beside Slack, and what becomes of it when it was sent or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from bot.blocks.destinations import render_refused, render_works_again
from bot.blocks.message import Message
from bot.blocks.plain import Letter, letter_of, message_letter
from bot.channels.delivery import DeliveryFailed
from bot.channels.outlet import Outlet
from bot.domain.alert import Alert
from bot.domain.clock import Clock
from bot.domain.news import Heard, NewsKind, heard_after, next_news
from bot.domain.route import SLACK, Place
from bot.rendering import event_of, is_loud
from storage import alerts, decisions, destinations, outbox
from storage.database import Connection, Database
from storage.outbox import Entry, EntryKind, Lane, Sent

_NOTICE = 12  # after the message of a P1, before that of a P2


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Something to send now. `heard`: what the place has heard after it; `more`: there is more to tell then.

    `together`: the lines that are said with it.
    """

    letter: Letter
    key: str
    heard: Heard | None = None
    more: bool = False
    together: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outward:
    """Decides by the state at delivery. `outlets` by their names in the file; `channel` is Slack's default one.

    `people`: names by Slack ids. Raises DatabaseError.
    """

    database: Database
    clock: Clock
    zone: tzinfo
    system: str
    channel: str
    outlets: Mapping[str, Outlet] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)

    async def begin(self) -> None:
        """Before the first delivery: try again what was refused, and let go of what the file has no more."""
        async with self.database.transaction() as connection:
            await destinations.abandon(connection, [SLACK, *self.outlets])
            await destinations.revive(connection, list(self.outlets), self.clock())

    async def dispatch(self, entry: Entry) -> Dispatch | None:
        """What is to be sent for an entry now; None when there is nothing to say any more."""
        if entry.alert_id is None:
            return self._message(entry)
        now = self.clock()
        async with self.database.snapshot() as connection:
            alert = await alerts.get(connection, entry.alert_id)
            if alert is None:
                return None
            if entry.kind is EntryKind.VIEW:
                return await self._news(connection, entry, alert, now)
        return self._line(entry, alert, now)

    async def _news(
        self, connection: Connection, entry: Entry, alert: Alert, now: datetime
    ) -> Dispatch | None:
        understands = self.outlets[entry.lane.destination].understands
        sent = await outbox.sent(connection, entry.key)
        heard = None if sent is None else Heard.read(sent.shown)
        kind = next_news(heard, alert, understands, now, in_doubt=entry.in_doubt_since is not None)
        if kind is None:
            return None
        note = entry.payload.get("note") if heard is None else None
        if note and alert.id not in await destinations.unheard(connection, SLACK):
            return None  # Slack has said it meanwhile
        told = await decisions.told(connection, alert.id)
        place = told.place(entry.lane.destination, entry.lane.channel)
        called = list(place.mentions) if place is not None else []
        lines = await destinations.lines_waiting(connection, entry.key) if heard is None else []
        for _, payload in lines:
            note = ". ".join(filter(None, [note, payload["event"]["text"]]))
            called += payload.get("mentions", ())
        after = heard_after(kind, heard, alert)
        return Dispatch(
            letter=self._letter(kind, alert, note=note, called=called),
            key=f"{alert.id}-{alert.opened_at:%Y%m%d%H%M%S}:{entry.lane.destination}:{kind}:{after}",
            heard=after,
            more=next_news(after, alert, understands, now) is not None,
            together=tuple(number for number, _ in lines),
        )

    def _line(self, entry: Entry, alert: Alert, now: datetime) -> Dispatch | None:
        """An escalation, unless somebody took the alert meanwhile."""
        event = event_of(entry.payload["event"])
        understands = self.outlets[entry.lane.destination].understands
        if NewsKind.ESCALATED not in understands or not is_loud(event, alert, now):
            return None
        called = entry.payload.get("mentions", ())
        letter = self._letter(NewsKind.ESCALATED, alert, note=event.text, called=called)
        return Dispatch(letter=letter, key=entry.key)

    def _letter(self, kind: NewsKind, alert: Alert, *, note: str | None, called: Sequence[str]) -> Letter:
        return letter_of(
            kind,
            alert,
            zone=self.zone,
            system=self.system,
            note=note,
            called=tuple(dict.fromkeys(called)),
            people=self.people,
        )

    def _message(self, entry: Entry) -> Dispatch | None:
        """A text that was written when it was queued."""
        if NewsKind.MESSAGE not in self.outlets[entry.lane.destination].understands:
            return None
        text = entry.payload["text"]
        if names := entry.payload.get("mentions"):
            text = f"{text}\nFor: {', '.join(names)}"
        return Dispatch(letter=message_letter(text, system=self.system), key=entry.key)

    async def nothing_to_say(self, entry: Entry) -> None:
        """An entry came to nothing; nor do the lines of an alert that ended before its place was told."""
        async with self.database.transaction() as connection:
            await outbox.record(self.database, connection, entry, None, self.clock())
            if entry.kind is EntryKind.VIEW and entry.alert_id is not None:
                await outbox.settle_lines(connection, entry.alert_id, entry.key)

    async def sent(self, entry: Entry, dispatch: Dispatch) -> None:
        """It was taken."""
        now, name = self.clock(), entry.lane.destination
        sent = Sent(
            key=entry.key,
            alert_id=entry.alert_id,
            destination=name,
            channel=entry.lane.channel,
            ts=now.isoformat(),
            shown="" if dispatch.heard is None else str(dispatch.heard),
        )
        async with self.database.transaction() as connection:
            await outbox.record(self.database, connection, entry, sent, now, more=dispatch.more)
            await destinations.settle(connection, dispatch.together)
            if await destinations.works(connection, name):
                await destinations.revive(connection, [name], now)
                await self._notice(connection, f"works:{name}:{now.isoformat()}", render_works_again(name))

    async def refused(self, entry: Entry, dispatch: Dispatch, failed: DeliveryFailed) -> None:
        """It will never be taken as things are: keep it as a dead letter, and tell Slack once.

        An alert that is told in no channel of Slack is told there from now on.
        """
        now, name, alert = self.clock(), entry.lane.destination, dispatch.letter.alert
        async with self.database.transaction() as connection:
            await outbox.bury(connection, entry, failed.reason)
            if await destinations.refuses(self.database, connection, name, failed.reason, now):
                notice = render_refused(name, failed.reason, failed.remedy, alert)
                await self._notice(connection, f"refused:{name}:{now.isoformat()}", notice)
            if alert is not None and alert.status.is_open:
                await self._tell_in_slack(connection, alert, f"{name} refuses it: {failed.reason}", now)

    async def _tell_in_slack(self, connection: Connection, alert: Alert, why: str, now: datetime) -> None:
        told = await decisions.told(connection, alert.id)
        if any(place.is_slack for place in told.places):
            return
        place = Place(destination=SLACK, channel=alert.firing.channel or self.channel)
        reason = f"{why}, so it is told in {place.channel}"
        await decisions.add_escalation(connection, alert.id, now, [reason], [place])
        await outbox.mark_stale(
            self.database,
            connection,
            alert_id=alert.id,
            lane=Lane(destination=SLACK, channel=place.channel),
            priority=int(alert.severity) * 10,
            now=now,
            due_at=now,
        )

    async def _notice(self, connection: Connection, key: str, message: Message) -> None:
        await outbox.add_post(
            self.database,
            connection,
            key=key,
            lane=Lane(destination=SLACK, channel=self.channel),
            payload={"text": message.text, "blocks": list(message.blocks), "channel": self.channel},
            priority=_NOTICE,
            now=self.clock(),
        )
