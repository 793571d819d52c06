"""Storing an alert's change together with the outbox entries it owes, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.blocks.incidents import render_incident_line
from bot.domain.alert import Alert, Change, Event, EventKind
from bot.domain.audit import Via, deed_of
from bot.domain.escalation import follow
from bot.domain.plan import Plan
from bot.domain.route import Place, Routing
from bot.domain.severity import Severity
from storage import alerts, audit, decisions, escalations, groups, outbox, silences
from storage.database import Connection, Database
from storage.decisions import Told
from storage.outbox import Lane

_REFRESH_AT_LEAST = timedelta(seconds=60)
_REFRESH_AT_MOST = timedelta(minutes=30)
_GROUP_REFRESH = timedelta(seconds=2)
_GROUP_LINES = timedelta(seconds=20)  # so that a thousand escalations at once become one line
_ROUTES_ANEW = frozenset({EventKind.FIRED, EventKind.REOPENED, EventKind.SEVERITY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcer:
    """Knows where alerts are shown. `channel` is the default one; without a `plan` all go there."""

    database: Database
    channel: str
    plan: Plan | None = None
    follow: Callable[[Connection, Alert, Change, datetime], Awaitable[None]] | None = None
    """Told of every change in its transaction, after it is saved."""

    @property
    def rules(self) -> Plan:
        """The plan, or the plan of a file that says nothing."""
        return self.plan or Plan(channel=self.channel)

    async def store(
        self, connection: Connection, change: Change, now: datetime, via: Via = Via.SLACK
    ) -> Alert:
        """Save the alert, its history and the entries for its views; route and escalate it. Raises StaleAlert.

        What a person did goes into the audit history; `via` is from where they did it.
        """
        alert = await alerts.save(connection, change.alert)
        await alerts.add_events(connection, alert.id, change.events)
        for deed in filter(None, (deed_of(event, alert, via) for event in change.events)):
            await audit.add(connection, deed)
        told = await self._route(connection, alert, change.events, now)
        if change.events or change.urgent:
            await self._escalate(connection, alert, told.routing, now)
        places = await self._shown(connection, alert, told)
        await self._mark(connection, alert, places, now, urgent=change.urgent, is_new=change.alert.id == 0)
        if self.follow is not None:
            await self.follow(connection, alert, change, now)
        for number, event in enumerate(change.events):
            if event.kind is EventKind.FIRED:
                continue  # the message itself says so
            if event.kind is EventKind.SILENCED and alert.silence_id is not None:
                await silences.note_hidden(self.database, connection, alert.silence_id, alert.id, now)
            key = f"line:{alert.id}:{alert.version}:{number}"
            for place in places:
                loud = await self._is_loud(connection, alert, event, place)
                names = place.mentions if loud else ()
                await self.add_line(connection, alert, event, place, key, now, mentions=names, loud=loud)
        return alert

    async def add_line(
        self,
        connection: Connection,
        alert: Alert,
        event: Event,
        place: Place,
        key: str,
        now: datetime,
        *,
        mentions: Iterable[str] = (),
        loud: bool = False,
    ) -> bool:
        """Queue a line for the alert's thread in a place; False when its key was queued before.

        A `loud` one names `mentions`, and of a P1 or P2, or a recovery that failed, it shows in the channel as well.
        Where a group's message stands for the alert only loud lines and a new P1 go into its thread; its list
        shows the rest.
        Beside Slack there are no threads: there only an escalation is a line, the rest follows from the alert's state.
        """
        if not place.is_slack and event.kind is not EventKind.ESCALATED:
            return False
        lane = lane_of(place)
        if place.incident is not None:
            return await self._add_incident_line(connection, alert, event, place, key, now, mentions)
        member = await groups.member(connection, outbox.view_key(alert.id, lane))
        worsened = event.kind is EventKind.SEVERITY and alert.severity is Severity.CRITICAL
        if member is not None and not (loud or worsened):
            return True
        payload: dict[str, Any] = {
            "event": {"kind": event.kind.value, "at": event.at.isoformat(), "text": event.text,
                      "actor": event.actor},
            "loud": loud,
        }  # fmt: skip
        if loud:
            seen_by_all = alert.severity <= Severity.HIGH or event.kind is EventKind.REMEDY_FAILED
            payload |= {"mentions": list(mentions), "broadcast": seen_by_all}
        return await outbox.add_post(
            self.database,
            connection,
            key=f"{key}:{lane.destination}:{lane.channel}",
            lane=lane,
            alert_id=alert.id,
            payload=payload,
            priority=view_priority(alert.severity, urgent=True) + 5,
            now=now,
            root_key=None if member is None else member.key,
            due_at=now if member is None else now + _GROUP_LINES,
        )

    async def _add_incident_line(
        self,
        connection: Connection,
        alert: Alert,
        event: Event,
        place: Place,
        key: str,
        now: datetime,
        mentions: Iterable[str],
    ) -> bool:
        """In an incident's channel the line stands in the channel itself: all of it is that incident's thread."""
        line = render_incident_line(event, alert)
        return await outbox.add_post(
            self.database,
            connection,
            key=f"{key}:{place.destination}:{place.channel}",
            lane=lane_of(place),
            payload={"text": line.text, "blocks": list(line.blocks), "channel": place.channel,
                     "thread_ts": None, "only_here": True, "mentions": list(mentions)},
            priority=view_priority(alert.severity, urgent=True) + 5,
            now=now,
        )  # fmt: skip

    async def _is_loud(self, connection: Connection, alert: Alert, event: Event, place: Place) -> bool:
        """Whether a line calls people: a problem came back, or is heard again that they have seen before."""
        if event.kind is EventKind.UNSILENCED:
            key = outbox.view_key(alert.id, lane_of(place))
            member = await groups.member(connection, key)
            return await outbox.sent(connection, key if member is None else member.key) is not None
        return event.kind in (EventKind.REOPENED, EventKind.REMEDY_FAILED)

    async def mark_stale(
        self, connection: Connection, alert: Alert, now: datetime, *, urgent: bool = True
    ) -> None:
        """Say that the alert's messages must be made true again: now, or when its count has waited enough."""
        await self._mark(connection, alert, await self.places(connection, alert), now, urgent=urgent)

    async def places(self, connection: Connection, alert: Alert) -> tuple[Place, ...]:
        """Where an alert is shown; nowhere while quiet hours hold it back."""
        return await self._shown(connection, alert, await decisions.told(connection, alert.id))

    async def _shown(self, connection: Connection, alert: Alert, told: Told) -> tuple[Place, ...]:
        maybe_held = told.routing is not None and told.routing.held_until is not None
        if maybe_held and await escalations.is_held(connection, alert.id):
            return ()
        return told.places

    async def _mark(
        self,
        connection: Connection,
        alert: Alert,
        places: Sequence[Place],
        now: datetime,
        *,
        urgent: bool,
        is_new: bool = False,
    ) -> None:
        for place in places:
            if not place.is_slack and not urgent:
                continue  # nothing is edited there, and a count is no news
            await outbox.mark_stale(
                self.database,
                connection,
                alert_id=alert.id,
                lane=lane_of(place),
                priority=view_priority(alert.severity, urgent=urgent),
                now=now,
                due_at=now if urgent else now + refresh_after(alert, now),
                only_here=place.incident is not None,
            )
            if not is_new:
                await self._mark_group(connection, alert, lane_of(place), now, urgent=urgent)

    async def _mark_group(
        self, connection: Connection, alert: Alert, lane: Lane, now: datetime, *, urgent: bool
    ) -> None:
        """Make the group's message true instead, where one stands for the alert's.

        Asked after the view was marked: that locks the view's row, and a group takes only views it has locked.
        """
        key = outbox.view_key(alert.id, lane)
        member = await groups.member(connection, key)
        if member is None:
            return
        if not member.opened:
            await groups.settle_view(connection, key)
        if urgent:  # its list shows no counts
            await outbox.stale_again(connection, member.key, due_at=now + _GROUP_REFRESH)

    async def _route(
        self, connection: Connection, alert: Alert, events: Sequence[Event], now: datetime
    ) -> Told:
        """Where the alert is told; decided when it begins, begins again, and when its severity changes."""
        told = Told() if alert.version == 1 else await decisions.told(connection, alert.id)
        if told.routing is not None and not any(event.kind in _ROUTES_ANEW for event in events):
            return told
        routing = self.rules.route(alert, now)
        was_held = bool(told.places) and not await self._shown(connection, alert, told)
        if routing.held_until is not None and told.places and not was_held:
            routing = routing.told_quietly("its message stands already: shown there, and nobody is named")
        if routing.held_until is not None:
            await escalations.hold(self.database, connection, alert.id, routing.held_until)
        elif was_held:
            await escalations.release(connection, alert.id)
        if routing != told.routing:
            await decisions.add_routing(connection, alert.id, now, routing)
        return told.and_by(routing)

    async def _escalate(
        self, connection: Connection, alert: Alert, routing: Routing | None, now: datetime
    ) -> None:
        """Begin, stop, pause or resume the alert's escalation."""
        policy = self.rules.policy(routing.escalation) if routing is not None else None
        current = await escalations.get(connection, alert.id)
        if policy is None and current is None:
            return
        after, reason = follow(current, alert, policy, now)
        if after == current:
            return
        if after is None:
            await escalations.end(connection, alert.id)
        else:
            await escalations.put(self.database, connection, after)
        await decisions.add_escalation(connection, alert.id, now, [reason])


def lane_of(place: Place) -> Lane:
    """The outbox's lane to a place."""
    return Lane(destination=place.destination, channel=place.channel)


def view_priority(severity: Severity, *, urgent: bool) -> int:
    """The order of delivery: P1 before all else, a mere count after what is new."""
    return int(severity) * 10 + (0 if urgent else 8)


def refresh_after(alert: Alert, now: datetime) -> timedelta:
    """How soon a risen count must show: a minute at first, more rarely the longer the alert lasts."""
    return min(max((now - alert.opened_at) / 10, _REFRESH_AT_LEAST), _REFRESH_AT_MOST)
