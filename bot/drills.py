"""Use case: a drill, a marked test alert through every destination of a route, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.announcing import lane_of, view_priority
from bot.blocks.drill import Arrival, in_words, render_drill, render_test_alert
from bot.blocks.message import Message
from bot.domain.audit import Deed, via_of
from bot.domain.clock import Clock
from bot.domain.drill import Way
from bot.occasions import PRIORITY, post_payload
from storage import audit, drills, outbox
from storage.database import Connection, Database
from storage.drills import Drill, DrillPlace
from storage.outbox import Fate, Lane

KIND = "drill"
_PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drills:
    """Starts drills and follows them. Every method raises DatabaseError."""

    database: Database
    clock: Clock
    wake: Callable[[], None]

    async def start(self, way: Way, by: str, channel: str) -> Drill:
        """Send the test alert everywhere at once, by the priority that such alerts have, and post the result."""
        now, lanes = self.clock(), [lane_of(place) for place in way.places]
        drill = Drill(
            by=by,
            channel=channel,
            severity=way.severity,
            about="\n".join([way.about, *way.notes]),
            started_at=now,
            shown={},
            ended_at=None if lanes else now,
        )
        async with self.database.transaction() as connection:
            number = await drills.add(connection, drill)
            places = tuple(
                DrillPlace(name=_name(lane), key=f"drill:{number}:{lane.destination}:{lane.channel}"[:300])
                for lane in lanes
            )
            drill = replace(drill, id=number, places=places)
            await drills.update(connection, drill)
            for lane, place in zip(lanes, places, strict=True):
                await self._send(connection, drill, lane, place, now)
            subject = f"drill #{number}: {way.about}"
            await audit.add(
                connection, Deed(who=by[:64], at=now, act="started", via=via_of(by), subject=subject)
            )
            await self._show(connection, drill, now)
        self.wake()
        return drill

    async def tick(self) -> None:
        """Show what arrived since the last look; a drill ends when all did, or after ten minutes."""
        async with self.database.snapshot() as connection:
            running = await drills.running(connection)
        for drill in running:
            await self._follow(drill)

    async def view(self, number: int) -> Message | None:
        """The result as it is to be shown."""
        async with self.database.snapshot() as connection:
            drill = await drills.get(connection, number)
            if drill is None:
                return None
            arrivals = await self._arrivals(connection, drill)
        about, *notes = drill.about.split("\n")
        return render_drill(drill.id, about, drill.by, drill.started_at, arrivals, notes)

    async def _follow(self, drill: Drill) -> None:
        now = self.clock()
        async with self.database.transaction() as connection:
            arrivals = await self._arrivals(connection, drill)
            is_over = all(each.is_over for each in arrivals)
            if in_words(arrivals) == drill.shown and not is_over:
                return
            ended = now if is_over else None
            await drills.update(connection, replace(drill, shown=in_words(arrivals), ended_at=ended))
            await self._show(connection, drill, now)
        self.wake()

    async def _send(
        self, connection: Connection, drill: Drill, lane: Lane, place: DrillPlace, now: datetime
    ) -> None:
        message = render_test_alert(drill.id, drill.severity, drill.by, now)
        await outbox.add_post(
            self.database,
            connection,
            key=place.key,
            lane=lane,
            # Only here: a drill that arrives elsewhere instead has found what it looked for.
            payload={**post_payload(message, lane.channel), "only_here": True},
            priority=view_priority(drill.severity, urgent=True),
            now=now,
        )

    async def _show(self, connection: Connection, drill: Drill, now: datetime) -> None:
        await outbox.mark_card_stale(
            self.database,
            connection,
            key=outbox.card_key(KIND, drill.id),
            lane=Lane(destination="slack", channel=drill.channel),
            priority=PRIORITY - 5,
            now=now,
        )

    async def _arrivals(self, connection: Connection, drill: Drill) -> list[Arrival]:
        fates = await outbox.fates(connection, [place.key for place in drill.places])
        given_up = self.clock() - drill.started_at > _PATIENCE
        return list(_arrivals(drill, fates.get, given_up=given_up))


def _arrivals(drill: Drill, fate_of: Callable[[str], Fate | None], *, given_up: bool) -> Iterable[Arrival]:
    for place in drill.places:
        fate = fate_of(place.key)
        if fate is None or (given_up and fate.arrived_at is None):
            error = fate.error if fate is not None else None
            yield Arrival(place=place.name, error=error or "nothing came of it in 10 minutes", is_over=True)
        elif fate.arrived_at is not None:
            yield Arrival(place=place.name, after=fate.arrived_at - drill.started_at, is_over=True)
        else:
            yield Arrival(place=place.name, error=fate.error, is_over=fate.is_over)


def _name(lane: Lane) -> str:
    return f"{lane.destination} {lane.channel}".strip()
