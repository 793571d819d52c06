"""From settings to the plan of who is told, and to the rotations of who is on call."""

from __future__ import annotations

from collections.abc import Mapping

from bot.config.acting import EscalationPolicy, Route
from bot.config.duty import OnCall, QuietHoursSettings
from bot.config.settings import Settings
from bot.domain import escalation
from bot.domain import route as routing
from bot.domain.condition import compile_condition
from bot.domain.oncall import Override, Rotation
from bot.domain.plan import Plan
from bot.domain.quiet import QuietHours


def plan_of(
    settings: Settings,
    *,
    deliverable: frozenset[str] = frozenset(),
    critical_only: frozenset[str] = frozenset(),
) -> Plan:
    """What the file says of who is told. `deliverable` are the destinations that something can be sent to.

    Those of them in `critical_only` take lesser alerts only from a route that asks for it.
    """
    return Plan(
        channel=settings.slack.channel,
        routes=tuple(_route(each) for each in settings.routes),
        policies={name: _policy(name, each) for name, each in settings.escalation.items()},
        quiet_hours=tuple(_quiet(each, settings) for each in settings.quiet_hours),
        critical_only=critical_only,
        deliverable=frozenset(
            name for name in deliverable if (found := settings.destinations.get(name)) and found.enabled
        ),
    )


def rotations_of(settings: Settings) -> Mapping[str, Rotation]:
    """Who takes turns, by name."""
    return {name: _rotation(each, settings) for name, each in settings.oncall.items()}


def _route(each: Route) -> routing.Route:
    return routing.Route(
        to=each.to,
        condition=None if each.match is None else compile_condition(each.match),
        escalation=each.escalation,
        mention=each.mention,
        goes_on=each.continue_,
    )


def _policy(name: str, each: EscalationPolicy) -> escalation.Policy:
    return escalation.Policy(
        name=name,
        steps=tuple(
            escalation.Step(after=step.after, to=step.to, mention=step.mention, note=step.note)
            for step in each.steps
        ),
        respond_within=each.respond_within,
        counts_from=escalation.CountsFrom(each.since),
    )


def _quiet(each: QuietHoursSettings, settings: Settings) -> QuietHours:
    return QuietHours(
        start=each.between.start,
        end=each.between.end,
        zone=each.timezone or settings.timezone,
        below=each.below,
        days=None if each.days is None else frozenset(each.days),
        hold=each.hold,
    )


def _rotation(each: OnCall, settings: Settings) -> Rotation:
    starts = {} if each.starts is None else {"starts": each.starts}
    return Rotation(
        people=each.rotation,
        at=each.handover.at,
        weekday=each.handover.weekday,
        zone=each.timezone or settings.timezone,
        overrides=tuple(Override(who=one.who, start=one.from_, end=one.until) for one in each.overrides),
        **starts,
    )
