"""Which way a drill goes: the places that alerts of a severity, or of one route, are told in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.alert import Alert, Firing
from bot.domain.observation import Source, SourceKind
from bot.domain.plan import Plan
from bot.domain.route import DIGEST, Place, Targets
from bot.domain.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where a drill goes, in words why, and what lies on the way that cannot be tried."""

    severity: Severity
    about: str
    places: tuple[Place, ...]
    notes: tuple[str, ...] = ()


class NoSuchRoute(LookupError):
    """The plan has no route of that number."""


def way_of_severity(plan: Plan, severity: Severity, now: datetime) -> Way:
    """The way of an alert that is known for nothing but its severity."""
    alert = _sample(severity, now)
    routing = plan.route(alert, now)
    said = "; ".join(routing.reasons)
    return Way(
        severity=severity,
        about=f"The way of a {severity.priority} alert: {said}",
        places=routing.places,
        notes=_about_digest(routing.targets),
    )


def way_of_route(plan: Plan, number: int, severity: Severity, now: datetime) -> Way:
    """The way of one route, by its place in the file from 1, whatever it takes. Raises NoSuchRoute."""
    if not 1 <= number <= len(plan.routes):
        raise NoSuchRoute(f"there is no route {number}")
    route = plan.routes[number - 1]
    targets = plan.targets(_sample(severity, now))
    found = dict.fromkeys(place for target in route.to if (place := targets.place(target)) is not None)
    condition = "every alert" if route.condition is None else route.condition.source
    return Way(
        severity=severity,
        about=f"Route {number} ({condition}) → {', '.join(route.to)}",
        places=tuple(found),
        notes=_notes(targets, route.to),
    )


def _notes(reach: Targets, targets: tuple[str, ...]) -> tuple[str, ...]:
    """The targets of a way that nothing was sent to, and why."""
    lost = [target for target in targets if target != DIGEST and reach.place(target) is None]
    notes = [f"{name} was left out: nothing can be sent to it" for name in lost]
    return (*notes, *_about_digest(targets))


def _about_digest(targets: tuple[str, ...]) -> tuple[str, ...]:
    return ("The digest is no place to send to; its alerts are listed there",) if DIGEST in targets else ()


def _sample(severity: Severity, now: datetime) -> Alert:
    firing = Firing(
        rule="drill",
        source=Source(kind=SourceKind.CHECK, name="drill"),
        resource="drill",
        severity=severity,
        category="drill",
        title="Drill",
        message="",
        reason="",
    )
    return Alert(firing=firing, opened_at=now, last_seen=now)
