"""How one job or one check stands and went lately: what /status shows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.alert import Alert
from bot.domain.forecast import Outlook
from bot.domain.observation import Observation
from bot.domain.rollup import Rollup, Tally
from bot.domain.run import Run
from bot.domain.standing import Standing

SHOWN = 20
"""How many of the last runs or results are shown; a native chart has room for as many points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A threshold of a field, in words: `P1 above 500`."""

    text: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetail:
    """A job. `runs` are its last ones, oldest first; `due_at` is when it is to be heard of next."""

    name: str
    at: datetime
    zone: ZoneInfo
    standing: Standing | None
    runs: Sequence[Run]
    due_at: datetime | None
    budget: timedelta | None
    day: Tally
    week: Tally
    durations: Rollup | None
    alerts: Sequence[Alert]

    @property
    def budget_use(self) -> float | None:
        """The last duration as a share of the budget."""
        last = next((run for run in reversed(self.runs) if run.duration_seconds is not None), None)
        if last is None or last.duration_seconds is None or not self.budget:
            return None
        return last.duration_seconds / self.budget.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDetail:
    """A check. `results` are its last ones, oldest first, of all its resources; `limits` stand by field,
    and `outlooks` tell when the next of them is reached."""

    name: str
    at: datetime
    zone: ZoneInfo
    standings: Sequence[Standing]
    results: Sequence[Observation]
    limits: Mapping[str, Sequence[Limit]]
    day: Tally
    week: Tally
    alerts: Sequence[Alert]
    outlooks: Mapping[str, Outlook] = field(default_factory=dict)
