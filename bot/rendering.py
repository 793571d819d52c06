"""What an outbox entry comes to at the moment of its delivery: read from the database, not from the entry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot.blocks.alert import AlertContext, render_alert, render_event
from bot.blocks.group import about, render_group, render_joined, render_together
from bot.blocks.incidents import render_view
from bot.blocks.message import Message, context, section
from bot.blocks.story import closing_story
from bot.channels.delivery import Upload
from bot.domain.alert import Alert, Event, EventKind, Status
from bot.domain.clock import Clock
from bot.domain.grouping import Standing
from bot.domain.recurrence import WINDOW, recurrence
from bot.domain.route import mention_names
from bot.domain.severity import Severity
from storage import alerts, decisions, escalations, groups, history, incidents, outbox, remedies
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
    prefix: str = "tocsin"
    changed: Callable[[Alert], tuple[str, ...]] = lambda _alert: ()
    """What was changed of an alert's rule at run time, in words."""

    async def render(self, entry: Entry) -> Delivery | None:
        """What the entry comes to now; None when there is nothing to say any more."""
        if entry.kind is EntryKind.VIEW:
            return await self._other_view(entry) if entry.alert_id is None else await self._view(entry)
        if entry.kind is EntryKind.GROUP:
            return await self._group(entry)
        return await self._message(entry) if entry.alert_id is None else await self._line(entry)

    async def _view(self, entry: Entry) -> Delivery | None:
        assert entry.alert_id is not None
        now = self.clock()
        async with self.database.snapshot() as connection:
            alert = await alerts.get(connection, entry.alert_id)
            standing = await outbox.sent(connection, entry.key)
            root = None if entry.root_key is None else await outbox.sent(connection, entry.root_key)
            if alert is None or (root is None and standing is None and _never_to_be_seen(alert, now)):
                return None
            if root is None and standing is None and await groups.member(connection, entry.key) is not None:
                return None
            around = await self._around(connection, alert, entry, now)
        if root is not None:  # somebody opened it: the group's message has called whom it names
            around = replace(around, mention="")
        return Delivery(
            message=_rerouted(render_alert(alert, around), entry),
            key=entry.key,
            alert_id=alert.id,
            existing=standing,
            thread_ts=None if root is None else root.ts,
            channel=entry.lane.channel if root is None else root.channel,
        )

    async def _group(self, entry: Entry) -> Delivery | None:
        """The message of many alerts; it names people when it is posted, never when it is edited."""
        now = self.clock()
        async with self.database.snapshot() as connection:
            state = await groups.state(connection, entry.payload["group"], now)
            standing = await outbox.sent(connection, entry.key)
        if state is None or (standing is None and state.is_unheard):
            return None
        calls = standing is None and state.count(Standing.OPEN)
        message = render_group(state, now, self.mention(state.names) if calls else "", self.prefix)
        return Delivery(
            message=_rerouted(message, entry),
            key=entry.key,
            alert_id=None,
            existing=standing,
            channel=entry.lane.channel,
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
            changed=self.changed(alert),
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
            story = "" if alert is None else await self._story(connection, alert, entry)
        if alert is None or root is None:
            return None
        if "joined" in entry.payload:
            return self._joined(entry, alert, root)
        if "together" in entry.payload:
            return await self._together(entry, alert, root)
        event = event_of(entry.payload["event"])
        wanted = entry.payload.get("loud", event.kind is EventKind.REOPENED)
        loud = bool(wanted) and is_loud(event, alert, self.clock())
        names = entry.payload.get("mentions", mention_names(alert.firing.mention))
        broadcast = entry.payload.get("broadcast", alert.severity <= Severity.HIGH)
        message = render_event(event, alert, self.mention(names) if loud else "", story)
        return Delivery(
            message=about(alert, message) if root.key.startswith("group:") else message,
            key=entry.key,
            alert_id=alert.id,
            thread_ts=root.ts,
            channel=root.channel,
            broadcast=loud and broadcast,
        )

    async def _story(self, connection: Connection, alert: Alert, entry: Entry) -> str:
        """Who did what, told at the end of what was urgent."""
        if "event" not in entry.payload:
            return ""
        event = event_of(entry.payload["event"])
        if event.kind not in (EventKind.RESOLVED, EventKind.RECOVERED) or alert.severity > Severity.HIGH:
            return ""
        return closing_story(alert, await alerts.history(connection, alert.id), event)

    async def _together(self, entry: Entry, alert: Alert, root: Sent) -> Delivery:
        """Many lines of a group's thread as one; it calls nobody when all are taken or over meanwhile."""
        async with self.database.snapshot() as connection:
            number = int(root.key.split(":")[1])
            state = await groups.state(connection, number, self.clock(), most=1)
        needed = state is not None and state.count(Standing.OPEN) > 0
        called = self.mention(entry.payload["mentions"]) if needed else ""
        return Delivery(
            message=render_together(alert, entry.payload["together"], called),
            key=entry.key,
            alert_id=alert.id,
            thread_ts=root.ts,
            channel=root.channel,
            broadcast=needed and entry.payload["broadcast"],
        )

    def _joined(self, entry: Entry, alert: Alert, root: Sent) -> Delivery:
        """That alerts joined a group whose message stands, to those they name."""
        called = self.mention(entry.payload["mentions"])
        return Delivery(
            message=render_joined(alert, entry.payload["joined"], called),
            key=entry.key,
            alert_id=alert.id,
            thread_ts=root.ts,
            channel=root.channel,
            broadcast=entry.payload["broadcast"],
        )


def _names_in(told: Told, entry: Entry, alert: Alert) -> Sequence[str]:
    """Who is named where this entry's message stands."""
    wanted = entry.payload.get("channel", entry.lane.channel)
    place = told.place(entry.lane.destination, wanted)
    if place is None:
        return mention_names(alert.firing.mention) if told.routing is None else ()
    return place.mentions


def is_loud(event: Event, alert: Alert, now: datetime) -> bool:
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
