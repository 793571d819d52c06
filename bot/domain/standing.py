"""How a check or a job stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.observation import Source
from bot.domain.rule import Streak
from checks.result import State, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The last word of a source about one resource. `since` is when its state last changed."""

    source: Source
    resource: str
    state: State
    summary: str
    since: datetime
    at: datetime
    fields: Mapping[str, Value]
    streaks: Mapping[str, Streak]
