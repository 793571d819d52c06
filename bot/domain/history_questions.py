"""What rules ask of the past: whether a figure is unusual, and whether a limit will be reached soon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.domain.anomaly import SUCCESS, USUAL, Usual
from bot.domain.condition import Outcome
from bot.domain.forecast import TRENDS, outlook_of
from bot.domain.observation import Observation
from bot.domain.rule import Verdict
from bot.domain.severity import Severity
from bot.domain.template import format_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusual:
    """True when a field is outside its usual range. `label` and `unit` are how people call it."""

    field: str
    label: str
    unit: str = ""

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        value = names.get(self.field)
        found: Usual | None = names.get(USUAL, {}).get(self.field)
        if found is None or isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            return Verdict(outcome=Outcome.NOT_APPLICABLE)
        if found.bottom <= value <= found.top:
            return Verdict(outcome=Outcome.FALSE)
        much = "low" if value < found.bottom else "high"
        shown = f"{format_value(value, '')}{self.unit}"
        return Verdict(
            outcome=Outcome.TRUE,
            title=f"{observation.source.name}: {self.label} is unusually {much} at {shown}",
            reason=f"{self.field} is {shown}; {found.when} it is usually {_brief(found.low)} to {_brief(found.high)}"
            f"{self.unit} (60% of {found.values:,} earlier {'days' if self.field == SUCCESS else 'values'})",
            field=self.field,
        )


def _brief(value: float) -> str:
    return format_value(float(f"{value:.3g}"), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class WillBreach:
    """True when a field that is still on the right side of its limit will pass it within `ahead`."""

    field: str
    limit: float
    ahead: timedelta
    label: str
    unit: str = ""
    below: bool = False

    def ask(self, observation: Observation, names: Mapping[str, Any]) -> Verdict:
        value = names.get(self.field)
        if isinstance(value, bool) or not isinstance(value, int | float) or TRENDS not in names:
            return Verdict(outcome=Outcome.NOT_APPLICABLE)
        found = outlook_of(names, self.field, self.limit, observation.at, below=self.below)
        if found is None or found.after > self.ahead:
            return Verdict(outcome=Outcome.FALSE)
        limit = f"{format_value(self.limit, '')}{self.unit}"
        return Verdict(
            outcome=Outcome.TRUE,
            title=f"{observation.source.name}: {self.label} will reach {limit} {found.words().partition(' (')[0]}",
            reason=f"{self.field} is {format_value(value, '')}{self.unit}. "
            f"At this rate it reaches {limit} {found.words()}",
            severity=Severity.MEDIUM if found.after <= self.ahead / 4 else Severity.LOW,
            field=self.field,
        )
