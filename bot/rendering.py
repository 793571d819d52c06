"""What an outbox entry comes to at the moment of its delivery: read from the database, not from the entry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot.blocks.alert import AlertContext, render_alert, render_event
from bot.blocks.incidents import render_view
from bot.blocks.message import Message, context, section
from bot.channels.delivery import Upload
from bot.domain.alert import Alert, Event, EventKind, Status
from bot.domain.clock import Clock
from bot.domain.recurrence import WINDOW, recurrence
from bot.domain.route import mention_names
from bot.domain.severity import Severity
from storage import alerts, decisions, escalations, history, incidents, outbox, remedies
from storage.database import Connection, Database
from storage.decisions import Told
from storage.outbox import Entry, EntryKind, Sent

Mentioner = Callable[[Sequence[str]], str]
"""Slack's way to call people by their names in the file, whoever is on call at this moment among them."""


Card = Callable[[int], Awaitable[Message | None]]
"""Renders a card as it is now, by its number; None when there is nothing to show any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What an entry comes to when it is rendered now. `existing`: edit this instead of posting."""

    message: Message
    key: str
    alert_id: int | None
    existing: Sent | None = None
    thread_ts: str | None = None
    channel: str
    broadcast: bool = False
    file: Upload | None = None

    def is_shown(self) -> bool:
        """Whether the message that stands shows this already."""
        return self.existing is not None and self.existing.shown == self.message.identity()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """Renders entries. Raises DatabaseError."""

    database: Database
    clock: Clock
    mention: Mentioner
    zone: ZoneInfo
    cards: Mapping[str, Card] = field(default_factory=dict)
    """What is edited in place and is not an alert, by the kind in the key."""

    async def render(self, entry: Entry) -> Delivery | None:
        """What the entry comes to now; None when there is nothing to say any more."""
        if entry.kind is EntryKind.VIEW:
            return await self._other_view(entry) if entry.alert_id is None else await self._view(entry)
        return await self._message(entry) if entry.alert_id is None else await self._line(entry)

    async def _view(self, entry: Entry) -> Delivery | None:
        assert entry.alert_id is not None
        now = self.clock()
        async with self.database.snapshot() as connection:
            alert = await alerts.get(connection, entry.alert_id)
            standing = await outbox.sent(connection, entry.key)
            if alert is None or (standing is None and _never_to_be_seen(alert, now)):
                return None
            around = await self._around(connection, alert, entry, now)
        message = _rerouted(render_alert(alert, around), entry)
        return Delivery(
            message=message, key=entry.key, alert_id=alert.id, existing=standing, channel=entry.lane.channel
        )

    async def _other_view(self, entry: Entry) -> Delivery | None:
        return await self._incident(entry) if "incident" in entry.payload else await self._card(entry)

    async def _card(self, entry: Entry) -> Delivery | None:
        _, kind, number = entry.key.split(":")
        message = await self.cards[kind](int(number)) if kind in self.cards else None
        if message is None:
            return None
        return Delivery(
            message=_rerouted(message, entry),
            key=entry.key,
            alert_id=None,
            existing=await self._standing(entry.key),
            channel=entry.lane.channel,
        )

    async def _standing(self, key: str | None) -> Sent | None:
        """Where the message of a key stands."""
        if key is None:
            return None
        async with self.database.snapshot() as connection:
            return await outbox.sent(connection, key)

    async def _around(
        self, connection: Connection, alert: Alert, entry: Entry, now: datetime
    ) -> AlertContext:
        told = await decisions.told(connection, alert.id)
        escalation = await escalations.find(connection, alert.id)
        standing = await incidents.standing(connection, alert.id)
        here = standing.incident is not None and standing.incident.channel_id == entry.lane.channel
        began = await history.beginnings(connection, alert.fingerprint, now - WINDOW)
        return AlertContext(
            now=now,
            recurrence=recurrence(began, self.zone),
            mention=self.mention(_names_in(told, entry, alert)),
            respond_within=None if told.routing is None else told.routing.respond_within,
            escalates_at=None if escalation is None else escalation.due_at,
            offers=await remedies.offers(connection, alert.id),
            instead_of=() if told.routing is None else told.routing.instead_of,
            incident=None if here else standing,
        )

    async def _incident(self, entry: Entry) -> Delivery | None:
        """A message about an incident as it stands now."""
        async with self.database.snapshot() as connection:
            found = await incidents.whole(connection, int(entry.payload["incident"]))
            standing = await outbox.sent(connection, entry.key)
        if found is None:
            return None
        message = render_view(str(entry.payload["what"]), found, self.clock())
        return Delivery(
            message=message, key=entry.key, alert_id=None, existing=standing, channel=entry.lane.channel
        )

    async def _message(self, entry: Entry) -> Delivery:
        """A post that is an event in time, written when it was queued; only whom it names is decided now."""
        payload = entry.payload
        message = Message(text=payload["text"], blocks=tuple(payload["blocks"]), body=())
        if called := self.mention(payload.get("mentions", ())):
            message = replace(
                message, text=f"{message.text}\n{called}", blocks=(*message.blocks, section(called))
            )
        root = await self._standing(payload.get("under"))  # not there, it is said outside a thread
        return Delivery(
            message=_rerouted(message, entry) if root is None else message,
            key=entry.key,
            alert_id=None,
            thread_ts=payload.get("thread_ts") if root is None else root.ts,
            channel=entry.lane.channel if root is None else root.channel,
            file=Upload(**payload["file"]) if "file" in payload else None,
        )

    async def _line(self, entry: Entry) -> Delivery | None:
        assert entry.alert_id is not None
        async with self.database.snapshot() as connection:
            alert = await alerts.get(connection, entry.alert_id)
            root = await outbox.sent(connection, entry.root_key or "")
        if alert is None or root is None:
            return None
        event = event_of(entry.payload["event"])
        wanted = entry.payload.get("loud", event.kind is EventKind.REOPENED)
        loud = bool(wanted) and _is_loud(event, alert, self.clock())
        names = entry.payload.get("mentions", mention_names(alert.firing.mention))
        broadcast = entry.payload.get("broadcast", alert.severity <= Severity.HIGH)
        return Delivery(
            message=render_event(event, alert, self.mention(names) if loud else ""),
            key=entry.key,
            alert_id=alert.id,
            thread_ts=root.ts,
            channel=root.channel,
            broadcast=loud and broadcast,
        )


def _names_in(told: Told, entry: Entry, alert: Alert) -> Sequence[str]:
    """Who is named where this entry's message stands."""
    wanted = entry.payload.get("channel", entry.lane.channel)
    place = told.place(entry.lane.destination, wanted)
    if place is None:
        return mention_names(alert.firing.mention) if told.routing is None else ()
    return place.mentions


def _is_loud(event: Event, alert: Alert, now: datetime) -> bool:
    """Whether a line is to reach people, since its problem still needs somebody and may be heard."""
    if alert.is_silenced(now) or alert.firing.held_by is not None:
        return False
    if event.kind is EventKind.ESCALATED:
        taken_since = alert.acknowledged_at is not None and alert.acknowledged_at > event.at
        return alert.status.is_open and not taken_since
    if event.kind is EventKind.REMEDY_FAILED:
        return alert.status.is_open  # also when somebody acknowledged it while the recovery was tried
    return alert.status is Status.ACTIVE


def _rerouted(message: Message, entry: Entry) -> Message:
    """Say so when a message stands in the default channel because its own cannot be used."""
    wanted = entry.payload.get("channel")
    if wanted is None or wanted == entry.lane.channel:
        return message
    note = f":warning: Meant for {wanted}, which cannot be posted to"
    return replace(message, text=f"{message.text}\n{note}", body=(*message.body, context(note)))


def _never_to_be_seen(alert: Alert, now: datetime) -> bool:
    """It was silenced or held from its beginning, and is still, or ended so."""
    if alert.firing.held_by is not None:
        return True
    until = now if alert.closed_at is None else alert.closed_at
    return alert.silenced_until is not None and until < alert.silenced_until


def event_of(row: Mapping[str, Any]) -> Event:
    """An event from the payload that keeps it."""
    return Event(
        kind=EventKind(row["kind"]),
        at=datetime.fromisoformat(row["at"]),
        text=row["text"],
        actor=row["actor"],
    )
