"""What the file says of who is told: routes, escalations, quiet hours, together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.alert import Alert
from bot.domain.escalation import Policy
from bot.domain.quiet import QuietHours
from bot.domain.route import Route, Routing, Targets, route


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`channel` is Slack's default one; `deliverable` are the destinations beside Slack that can be sent to.

    `critical_only` are those of them that a route without a condition means for critical alerts alone.
    """

    channel: str
    routes: tuple[Route, ...] = ()
    policies: Mapping[str, Policy] = field(default_factory=dict)
    quiet_hours: tuple[QuietHours, ...] = ()
    deliverable: frozenset[str] = frozenset()
    critical_only: frozenset[str] = frozenset()

    def route(self, alert: Alert, now: datetime) -> Routing:
        """Where an alert goes, and why."""
        return route(
            alert,
            self.routes,
            channel=self.channel,
            deliverable=self.deliverable,
            critical_only=self.critical_only,
            respond_within={name: policy.respond_within for name, policy in self.policies.items()},
            quiet_hours=self.quiet_hours,
            now=now,
        )

    def policy(self, name: str | None) -> Policy | None:
        """The escalation of a name, if the file still has it."""
        return None if name is None else self.policies.get(name)

    def targets(self, alert: Alert) -> Targets:
        """What target names come to for an alert."""
        return Targets(slack=alert.firing.channel or self.channel, deliverable=self.deliverable)
