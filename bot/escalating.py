"""Use case: what falls due by time while nobody acknowledges, and what quiet hours held back.

Everything is a row with a due time; the step, its line in the outbox and its reason commit together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.announcing import Announcer, lane_of
from bot.blocks.held import render_held
from bot.domain.alert import Alert, Event, EventKind
from bot.domain.clock import Clock
from bot.domain.escalation import Call, Escalation, follow, take_next, take_step
from bot.domain.route import DIGEST, SLACK, Place, Routing
from storage import alerts, decisions, escalations, outbox
from storage.database import Connection, Database

_SUMMARY = 29  # before the messages of the lesser alerts it sums up, after what is urgent


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalating:
    """Takes the steps that are due. Raises DatabaseError; then nothing happened and the next tick tries again."""

    database: Database
    announcer: Announcer
    clock: Clock
    wake: Callable[[], None]

    async def tick(self) -> None:
        """Take each step that is due, and tell what quiet hours held back."""
        now = self.clock()
        async with self.database.snapshot() as connection:
            due = await escalations.due(connection, now)
            held = await escalations.held_until(connection, now)
        for escalation in due:
            async with self.database.transaction() as connection:
                await self._step(connection, escalation.alert_id, now)
        if held:
            async with self.database.transaction() as connection:
                await self._release(connection, now)
        if due or held:
            self.wake()

    async def hasten(self, connection: Connection, alert: Alert, now: datetime) -> None:
        """A recovery failed: take the next step at once, in the caller's transaction."""
        current = await escalations.get(connection, alert.id)
        policy = self.announcer.rules.policy(current.policy) if current is not None else None
        if current is None or policy is None:
            return
        hours = self.announcer.rules.quiet_hours
        after, call = take_next(current, alert, policy, hours, now, "The recovery failed")
        if call is not None:
            await escalations.put(self.database, connection, after)
            await self._say(connection, alert, current, call, now)

    async def _step(self, connection: Connection, alert_id: int, now: datetime) -> None:
        current = await escalations.get(connection, alert_id)
        alert = await alerts.get(connection, alert_id)
        if current is None or alert is None:
            return
        policy = self.announcer.rules.policy(current.policy)
        followed, reason = follow(current, alert, policy, now)
        if followed is None or policy is None:
            await escalations.end(connection, alert_id)
            await decisions.add_escalation(connection, alert_id, now, [reason])
            return
        after, call = take_step(followed, alert, policy, self.announcer.rules.quiet_hours, now)
        if after == current:
            return
        await escalations.put(self.database, connection, after)
        if call is None:
            await self.announcer.mark_stale(connection, alert, now, urgent=False)  # it says when it escalates
        else:
            await self._say(connection, alert, current, call, now)

    async def _say(
        self, connection: Connection, alert: Alert, current: Escalation, call: Call, now: datetime
    ) -> None:
        """Queue the line of a step, in every place it goes to; where the alert is not yet shown it is now."""
        told = await decisions.told(connection, alert.id)
        places, lost = self._places(alert, call, told.places)
        new = [place for place in places if told.place(place.destination, place.channel) is None]
        names = list(call.mentions)
        if call.names_alerted and told.routing is not None:
            names = list(dict.fromkeys((*told.routing.mentions, *names)))
        text = call.text + (
            f". Meant for {', '.join(lost)} as well, which nothing can be sent to" if lost else ""
        )
        where = ", ".join(place.channel or place.destination for place in places)
        named = f" (naming {', '.join(names)})" if names else ""
        reason = f"{current.policy}: {text} → {where}{named}"
        await decisions.add_escalation(connection, alert.id, now, [reason], new)
        event = Event(kind=EventKind.ESCALATED, at=now, text=text)
        await alerts.add_events(connection, alert.id, [event])
        await self.announcer.mark_stale(connection, alert, now)
        key = f"escalation:{alert.id}:{current.round}:{current.done}"
        for number, place in enumerate(places):
            await self.announcer.add_line(
                connection, alert, event, place, key, now, mentions=names if number == 0 else (), loud=True
            )

    def _places(self, alert: Alert, call: Call, shown: Sequence[Place]) -> tuple[list[Place], list[str]]:
        """Where a step is told, each place once, and the destinations that nothing can be sent to."""
        targets = self.announcer.rules.targets(alert)
        found: dict[tuple[str, str], Place] = {}
        lost = []
        for target in call.targets:
            place = targets.place(target)
            if place is not None:
                found[place.destination, place.channel] = place
            elif target != DIGEST:
                lost.append(target)
        if not found:
            place = next((each for each in shown if each.is_slack), None) or targets.place(SLACK)
            assert place is not None
            return [Place(destination=place.destination, channel=place.channel)], lost
        return list(found.values()), lost

    async def _release(self, connection: Connection, now: datetime) -> None:
        """Tell what was held back: one message a place for all of it, and each that is still open."""
        held: dict[tuple[str, str], list[Alert]] = defaultdict(list)
        names: dict[tuple[str, str], list[str]] = defaultdict(list)
        ended_at = now
        for alert_id, until in await escalations.held_until(connection, now):
            if not await escalations.release(connection, alert_id):
                continue
            ended_at = min(ended_at, until)
            alert = await alerts.get(connection, alert_id)
            routing = (await decisions.told(connection, alert_id)).routing
            if alert is None or routing is None:
                continue
            await self._tell(connection, alert, routing, now)
            if alert.is_silenced(now) or alert.firing.held_by is not None:
                continue  # it has reasons of its own to be quiet
            for place in routing.places:
                held[place.destination, place.channel].append(alert)
                names[place.destination, place.channel] += place.mentions if alert.status.is_open else ()
        for (destination, channel), found in held.items():
            place = Place(
                destination=destination, channel=channel, mentions=tuple(names[destination, channel])
            )
            await self._sum_up(connection, place, found, ended_at, now)

    async def _tell(self, connection: Connection, alert: Alert, routing: Routing, now: datetime) -> None:
        """Show an alert that is still open from now on; those it names are named by the summary."""
        told = routing.told_quietly("quiet hours are over")
        if not alert.status.is_open:
            return
        await decisions.add_routing(connection, alert.id, now, told)
        await self.announcer.mark_stale(connection, alert, now)

    async def _sum_up(
        self, connection: Connection, place: Place, found: Sequence[Alert], ended_at: datetime, now: datetime
    ) -> None:
        message = render_held(sorted(found, key=lambda alert: (not alert.status.is_open, alert.severity)))
        await outbox.add_post(
            self.database,
            connection,
            key=f"held:{ended_at.isoformat()}:{min(alert.id for alert in found)}:{place.destination}:{place.channel}",
            lane=lane_of(place),
            payload={
                "text": message.text,
                "blocks": [*message.blocks, *message.body],
                "channel": place.channel,
                "mentions": list(dict.fromkeys(place.mentions)),
            },
            priority=_SUMMARY,
            now=now,
        )
