"""Decisions about alerts with their reasons: where each is told, and what its escalation did."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.route import Place, Routing
from storage.tables import decisions

ROUTING = "routing"
ESCALATION = "escalation"
INCIDENT = "incident"
_MOST_IDS = 500  # in one question; databases limit its parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about an alert at an instant, and why."""

    kind: str
    at: datetime
    reasons: tuple[str, ...]
    outcome: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Where an alert is told by all that was decided so far, and the last word of its routes.

    A place that a later decision left out stays, so that what stands there goes on being true.
    """

    places: tuple[Place, ...] = ()
    routing: Routing | None = None

    def and_by(self, routing: Routing) -> Told:
        """The same after a further decision of the routes."""
        return Told(places=_together(self.places, routing.places), routing=routing)

    def place(self, destination: str, channel: str) -> Place | None:
        """The place that is a lane."""
        wanted = Place(destination=destination, channel=channel)
        return next((place for place in self.places if place.same_as(wanted)), None)


async def add(connection: AsyncConnection, alert_id: int, decision: Decision) -> None:
    """Keep a decision."""
    await connection.execute(
        sa.insert(decisions).values(
            alert_id=alert_id,
            kind=decision.kind,
            at=decision.at,
            reasons=list(decision.reasons),
            outcome=dict(decision.outcome),
        )
    )


async def add_routing(connection: AsyncConnection, alert_id: int, at: datetime, routing: Routing) -> None:
    """Keep where the routes send an alert."""
    outcome = {
        "targets": list(routing.targets),
        "places": _written(routing.places),
        "escalation": routing.escalation,
        "respond_within": routing.respond_within and routing.respond_within.total_seconds(),
        "instead_of": list(routing.instead_of),
        "held_until": routing.held_until and routing.held_until.isoformat(),
    }
    await add(connection, alert_id, Decision(kind=ROUTING, at=at, reasons=routing.reasons, outcome=outcome))


async def add_escalation(
    connection: AsyncConnection,
    alert_id: int,
    at: datetime,
    reasons: Iterable[str],
    places: Sequence[Place] = (),
) -> None:
    """Keep what an escalation did; `places` are those the alert is told in from now on besides."""
    decision = Decision(kind=ESCALATION, at=at, reasons=tuple(reasons), outcome={"places": _written(places)})
    await add(connection, alert_id, decision)


async def add_incident(connection: AsyncConnection, alert_id: int, at: datetime, place: Place) -> None:
    """Tell an alert in an incident's channel besides, from now on."""
    reasons = (f"it belongs to incident #{place.incident}",)
    await add(
        connection,
        alert_id,
        Decision(kind=INCIDENT, at=at, reasons=reasons, outcome={"places": _written([place])}),
    )


async def of_alert(connection: AsyncConnection, alert_id: int, limit: int | None = 500) -> list[Decision]:
    """Every decision about an alert, oldest first."""
    query = sa.select(decisions).where(decisions.c.alert_id == alert_id).order_by(decisions.c.id)
    return [
        Decision(kind=row.kind, at=row.at, reasons=tuple(row.reasons), outcome=row.outcome)
        for row in await connection.execute(query.limit(limit))
    ]


async def told(connection: AsyncConnection, alert_id: int) -> Told:
    """Where an alert is told."""
    places: tuple[Place, ...] = ()
    routing: Routing | None = None
    for decision in await of_alert(connection, alert_id, limit=None):
        found = _read(decision.outcome.get("places", ()))
        places = _together(places, found)
        if decision.kind == ROUTING:
            routing = _routing(decision, found)
    return Told(places=places, routing=routing)


async def told_nowhere(connection: AsyncConnection, alert_ids: Collection[int]) -> frozenset[int]:
    """Those of some alerts that are told in no place: they wait for the digest."""
    if not alert_ids:
        return frozenset()
    query = sa.select(decisions.c.alert_id, decisions.c.outcome)
    routed: set[int] = set()
    told: set[int] = set()
    wanted = sorted(alert_ids)
    for start in range(0, len(wanted), _MOST_IDS):
        ids = wanted[start : start + _MOST_IDS]
        for row in await connection.execute(query.where(decisions.c.alert_id.in_(ids))):
            routed.add(row.alert_id)
            if row.outcome.get("places"):
                told.add(row.alert_id)
    return frozenset(routed - told)


def _together(before: Iterable[Place], after: Iterable[Place]) -> tuple[Place, ...]:
    """Each place once, as it was decided last."""
    return tuple({(place.destination, place.channel): place for place in (*before, *after)}.values())


def _written(places: Iterable[Place]) -> list[dict[str, Any]]:
    return [
        {
            "destination": place.destination,
            "channel": place.channel,
            "mentions": list(place.mentions),
            **({} if place.incident is None else {"incident": place.incident}),
        }
        for place in places
    ]


def _read(rows: Iterable[Mapping[str, Any]]) -> tuple[Place, ...]:
    return tuple(
        Place(
            destination=row["destination"],
            channel=row["channel"],
            mentions=tuple(row["mentions"]),
            incident=row.get("incident"),
        )
        for row in rows
    )


def _routing(decision: Decision, places: tuple[Place, ...]) -> Routing:
    outcome = decision.outcome
    seconds, held = outcome.get("respond_within"), outcome.get("held_until")
    return Routing(
        targets=tuple(outcome.get("targets", ())),
        places=places,
        reasons=decision.reasons,
        escalation=outcome.get("escalation"),
        respond_within=None if seconds is None else timedelta(seconds=seconds),
        instead_of=tuple(outcome.get("instead_of", ())),
        held_until=None if held is None else datetime.fromisoformat(held),
    )
