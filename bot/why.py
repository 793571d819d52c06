"""Use cases: find the alert somebody means, and gather all about it and why it is so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from bot.domain.alert import Alert
from bot.domain.alert_search import alerts_meant, number_meant
from bot.domain.clock import Clock
from bot.domain.observation import Source
from bot.domain.plan import Plan
from bot.domain.recurrence import WINDOW, recurrence
from bot.domain.rule import Rule, RuleGroup, Streak
from bot.domain.why import Decided, Why
from bot.reports.alert_detail import AlertDetail
from storage import alerts, decisions, escalations, history, sources
from storage.database import Connection, Database

_MOST_SIMILAR = 5


class Rules(Protocol):
    """The rules that hold now."""

    def groups_for(self, source: Source, *, watch: bool = False) -> tuple[RuleGroup, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Explaining:
    """Reads what was decided about alerts. Raises DatabaseError."""

    database: Database
    rules: Rules
    plan: Plan
    clock: Clock

    async def why(self, alert: Alert) -> Why:
        """Everything that explains an alert."""
        rule = self.rule_of(alert)
        async with self.database.snapshot() as connection:
            events = await alerts.history(connection, alert.id)
            decided = await decisions.of_alert(connection, alert.id)
            told = await decisions.told(connection, alert.id)
            escalation = await escalations.find(connection, alert.id)
            is_held = await escalations.is_held(connection, alert.id)
            streak = await self._streak(connection, alert)
        name = None if told.routing is None else told.routing.escalation
        return Why(
            alert=alert,
            now=self.clock(),
            rule=rule,
            streak=streak,
            events=events,
            decided=[Decided(kind=each.kind, at=each.at, reasons=each.reasons) for each in decided],
            routing=told.routing,
            places=told.places,
            escalation=escalation,
            policy=self.plan.policy(name if escalation is None else escalation.policy),
            is_held=is_held,
        )

    def rule_of(self, alert: Alert) -> Rule | None:
        """The rule that made an alert, as the configuration has it now."""
        source = alert.firing.source
        groups = (*self.rules.groups_for(source), *self.rules.groups_for(source, watch=True))
        found = (rule for group in groups for rule in group.rules if rule.name == alert.firing.rule)
        return next(found, None)

    async def _streak(self, connection: Connection, alert: Alert) -> Streak | None:
        found = await sources.of_source(connection, alert.firing.source)
        own = [each for each in found if each.resource == alert.firing.resource] or found
        return next(
            (each.streaks[alert.firing.rule] for each in own if alert.firing.rule in each.streaks), None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Finds alerts and reads all about them; `zone` is the team's. Raises DatabaseError."""

    database: Database
    clock: Clock
    zone: ZoneInfo
    changed: Callable[[Alert], tuple[str, ...]] = lambda _alert: ()
    """What was changed of an alert's rule at run time, in words."""

    async def get(self, number: int) -> Alert | None:
        """An alert by its number."""
        async with self.database.snapshot() as connection:
            return await alerts.get(connection, number)

    async def meant(self, text: str) -> list[Alert]:
        """The alerts somebody means, best first: by number, or by words of their names."""
        number = number_meant(text)
        async with self.database.snapshot() as connection:
            if number is not None:
                found = await alerts.get(connection, number)
                return [] if found is None else [found]
            return alerts_meant(text, await alerts.candidates(connection))

    async def detail(self, alert: Alert) -> AlertDetail:
        """All that is known of an alert."""
        now = self.clock()
        async with self.database.snapshot() as connection:
            began = await history.beginnings(connection, alert.fingerprint, now - WINDOW)
            before, times_before = await alerts.same_before(connection, alert, _MOST_SIMILAR)
            elsewhere, times_elsewhere = await alerts.same_rule(connection, alert, _MOST_SIMILAR)
            return AlertDetail(
                alert=alert,
                at=now,
                recurrence=recurrence(began, self.zone),
                changed=self.changed(alert),
                events=await alerts.history(connection, alert.id),
                before=before,
                times_before=times_before,
                elsewhere=elsewhere,
                times_elsewhere=times_elsewhere,
            )
