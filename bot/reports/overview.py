"""How everything stands at one instant: what /status, heartbeats and the dashboard show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.alert import Alert
from bot.domain.severity import Severity
from bot.domain.standing import Standing
from checks.result import State

_WORST_FIRST = {State.CRITICAL: 0, State.WARNING: 1, State.UNKNOWN: 2, State.PENDING: 3, State.OK: 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A configured check or job with its last word; None while nothing was heard of it."""

    name: str
    standing: Standing | None

    @property
    def state(self) -> State:
        return self.standing.state if self.standing is not None else State.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A labelled value from the configuration, formatted, with its change where one is asked for."""

    label: str
    value: str
    change: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything at `at`. `troubles` are Tocsin's own: what it cannot deliver or write."""

    name: str
    at: datetime
    checks: Sequence[Line]
    jobs: Sequence[Line]
    alerts: Sequence[Alert]
    figures: Sequence[Figure] = ()
    troubles: Sequence[str] = ()

    @property
    def loud(self) -> list[Alert]:
        """Open alerts that notify: neither silenced nor explained by another."""
        return [
            alert for alert in self.alerts if not alert.is_silenced(self.at) and alert.firing.held_by is None
        ]

    @property
    def critical(self) -> int:
        return sum(alert.severity is Severity.CRITICAL for alert in self.loud)


def worst_first(lines: Sequence[Line]) -> list[Line]:
    """Bad news on top, the rest by name."""
    return sorted(lines, key=lambda line: (_WORST_FIRST[line.state], line.name))


def lines(names: Sequence[str], standings: Sequence[Standing]) -> list[Line]:
    """One line a configured name, and one for each further name that was heard of.

    A name with several resources shows its worst one.
    """
    found: dict[str, Standing] = {}
    for standing in standings:
        name = standing.source.name
        if name not in found or _WORST_FIRST[standing.state] < _WORST_FIRST[found[name].state]:
            found[name] = standing
    everything = [*names, *(name for name in found if name not in names)]
    return [Line(name=name, standing=found.get(name)) for name in everything]
