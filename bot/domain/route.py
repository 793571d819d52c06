"""Which alert goes where, who is named there, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.alert import Alert
from bot.domain.alert_names import names_of
from bot.domain.condition import Condition, ConditionError, Outcome
from bot.domain.quiet import QuietHours, quiet_until
from bot.domain.severity import RESPONSE_TIME, Severity

SLACK, DIGEST = "slack", "digest"
"""Targets that are always there: the alert's own channel, and not being told before the digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An entry of `routes:`. No condition takes every alert; `goes_on`: ask the routes after it too."""

    to: tuple[str, ...]
    condition: Condition | None = None
    escalation: str | None = None
    mention: tuple[str, ...] = ()
    goes_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A channel of a destination where an alert is told, and the names that are called there.

    `incident`: it is the channel of that incident, where lines stand in the channel itself.
    """

    destination: str
    channel: str
    mentions: tuple[str, ...] = ()
    incident: int | None = None

    @property
    def is_slack(self) -> bool:
        return self.destination == SLACK

    def same_as(self, other: Place) -> bool:
        return (self.destination, self.channel) == (other.destination, other.channel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What target names come to: a channel for `slack`, and the destinations that can be sent to."""

    slack: str
    deliverable: Collection[str] = ()

    def place(self, target: str) -> Place | None:
        """Where a target is; None for the digest, and for what nothing can be sent to."""
        if target == SLACK:
            return Place(destination=SLACK, channel=self.slack)
        if target.startswith("#"):
            return Place(destination=SLACK, channel=target)
        return Place(destination=target, channel="") if target in self.deliverable else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """A decision: where an alert is told, what happens when nobody acknowledges, and why.

    `targets` are as the routes name them, `digest` among them. `instead_of` are the destinations that cannot be
    sent to, when there was nowhere else and the alert is told in Slack for that. `held_until`: nothing is told
    before, since these are quiet hours.
    """

    targets: tuple[str, ...]
    places: tuple[Place, ...]
    reasons: tuple[str, ...]
    escalation: str | None = None
    respond_within: timedelta | None = None
    instead_of: tuple[str, ...] = ()
    held_until: datetime | None = None

    @property
    def mentions(self) -> tuple[str, ...]:
        """Everybody named, wherever."""
        return tuple(dict.fromkeys(name for place in self.places for name in place.mentions))

    def told_quietly(self, reason: str) -> Routing:
        """The same, told at once, with nobody named."""
        places = tuple(replace(place, mentions=()) for place in self.places)
        return replace(self, places=places, held_until=None, reasons=(*self.reasons, reason))


def route(
    alert: Alert,
    routes: Sequence[Route],
    *,
    channel: str,
    deliverable: Collection[str] = (),
    critical_only: Collection[str] = (),
    respond_within: Mapping[str, timedelta | None] | None = None,
    quiet_hours: Sequence[QuietHours] = (),
    now: datetime,
) -> Routing:
    """Where an alert goes by the routes in their order; to `channel` of Slack when none takes it.

    `channel` is the default one, which the alert's own replaces. `deliverable` are the destinations beside Slack
    that can be sent to, and `respond_within` what each escalation expects. A route without a condition means
    those of `critical_only` for critical alerts alone, unless it names nothing else.
    """
    taken, reasons = _matching(alert, routes)
    taken, spared = _sparing(taken, alert.severity, critical_only)
    targets = Targets(slack=alert.firing.channel or channel, deliverable=deliverable)
    if not taken:
        taken = [Route(to=(SLACK,))]
        reasons = [*reasons, "no route takes it" if routes else "there are no routes"]
    places, lost = _places(taken, targets)
    instead_of: tuple[str, ...] = ()
    if lost and not places:
        instead_of = lost
        names = tuple(dict.fromkeys(name for each in taken for name in each.mention))
        places = [Place(destination=SLACK, channel=targets.slack, mentions=names)]
    places = _with_own_mentions(places, alert)
    escalation = next((each.escalation for each in taken if each.escalation is not None), None)
    expected = (respond_within or {}).get(escalation or "") or RESPONSE_TIME[alert.severity]
    routing = Routing(
        targets=tuple(dict.fromkeys(target for each in taken for target in each.to)),
        places=tuple(places),
        reasons=(*reasons, *spared, *_about_lost(lost, instead_of), *_about_places(places)),
        escalation=escalation,
        respond_within=expected,
        instead_of=instead_of,
    )
    return _hushed(routing, alert, quiet_hours, now)


def _matching(alert: Alert, routes: Sequence[Route]) -> tuple[list[Route], list[str]]:
    """The routes that take the alert, and what was found of each that was asked."""
    names = names_of(alert) if routes else {}
    taken: list[Route] = []
    reasons: list[str] = []
    for number, each in enumerate(routes, 1):
        matches, why = _matches(each, names)
        if why:
            reasons.append(f"route {number} {why}")
        if matches:
            taken.append(each)
            if not each.goes_on:
                break
    return taken, reasons


def _sparing(
    taken: Sequence[Route], severity: Severity, critical_only: Collection[str]
) -> tuple[list[Route], list[str]]:
    """The routes without the places that are not meant for an alert of this severity, and which those are."""
    if severity is Severity.CRITICAL or not critical_only:
        return list(taken), []
    found: list[Route] = []
    left_out: dict[str, None] = {}
    for each in taken:
        kept = tuple(target for target in each.to if target not in critical_only)
        if each.condition is None and kept and kept != each.to:
            left_out |= dict.fromkeys(target for target in each.to if target in critical_only)
            each = replace(each, to=kept)
        found.append(each)
    why = (
        [f"{', '.join(left_out)} takes critical alerts, and others where a match asks for it"]
        if left_out
        else []
    )
    return found, why


def _matches(each: Route, names: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a route takes the alert, and why; nothing to say of one that plainly does not match."""
    to = ", ".join(each.to)
    if each.condition is None:
        return True, f"takes every alert → {to}"
    try:
        outcome = each.condition.evaluate(names)
    except ConditionError as error:
        return False, f"was passed over: {error}"
    if outcome is Outcome.TRUE:
        return True, f"matched ({each.condition.source}) → {to}"
    return False, ""


def _places(taken: Sequence[Route], targets: Targets) -> tuple[list[Place], tuple[str, ...]]:
    """Each place once, and the destinations that nothing can be sent to.

    Those a route names are called at the first place of that route, nobody in two places.
    """
    places: list[Place] = []
    lost: list[str] = []
    called: set[str] = set()
    homeless: list[str] = []
    for each in taken:
        found = [place for target in each.to if (place := targets.place(target)) is not None]
        lost += [target for target in each.to if target != DIGEST and targets.place(target) is None]
        names = tuple(name for name in dict.fromkeys(each.mention) if name not in called)
        called.update(names)
        if not found:
            homeless += names
        for number, place in enumerate(sorted(found, key=lambda place: not place.is_slack)):
            _add(places, replace(place, mentions=names if number == 0 else ()))
    if places and homeless:
        _add(places, replace(places[0], mentions=tuple(homeless)))
    return places, tuple(dict.fromkeys(lost))


def _add(places: list[Place], new: Place) -> None:
    for index, place in enumerate(places):
        if place.same_as(new):
            names = dict.fromkeys((*place.mentions, *new.mentions))
            places[index] = replace(place, mentions=tuple(names))
            return
    places.append(new)


def mention_names(mention: str | None) -> tuple[str, ...]:
    """The names in a rule's mention."""
    return tuple(dict.fromkeys((mention or "").replace("@", " ").split()))


def _with_own_mentions(places: Sequence[Place], alert: Alert) -> list[Place]:
    """Those the rule itself names are called at the first place."""
    if not places:
        return []
    called = {name for place in places for name in place.mentions}
    own = [name for name in mention_names(alert.firing.mention) if name not in called]
    first, *others = places
    return [replace(first, mentions=(*own, *first.mentions)), *others]


def _about_lost(lost: Sequence[str], instead_of: Sequence[str]) -> list[str]:
    if not lost:
        return []
    names = ", ".join(lost)
    return [f"nothing can be sent to {names}" + (", so it is told in Slack" if instead_of else "")]


def _about_places(places: Sequence[Place]) -> list[str]:
    if not places:
        return ["it is told in the digest only"]
    shown = [
        (place.channel or place.destination)
        + (f" (naming {', '.join(place.mentions)})" if place.mentions else "")
        for place in places
    ]
    return [f"told in {', '.join(shown)}"]


def _hushed(routing: Routing, alert: Alert, hours: Sequence[QuietHours], now: datetime) -> Routing:
    """In quiet hours nobody is named, and where they hold alerts back nothing is told before their end."""
    found = quiet_until(hours, alert.severity, now)
    if found is None or not routing.places:
        return routing
    quiet, until = found
    end = f"{until.astimezone(quiet.zone):%H:%M}"
    if quiet.hold:
        reason = f"quiet hours ({quiet}): held back until {end}"
        return replace(routing, held_until=until, reasons=(*routing.reasons, reason))
    if not routing.mentions:
        return routing
    return routing.told_quietly(f"quiet hours ({quiet}) until {end}: nobody is named")
