"""How a check or a job stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.observation import Observation, Place, Source
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


def stands_now(observation: Observation, streaks: Mapping[str, Streak], before: Standing | None) -> Standing:
    """How a source stands once an observation is its last word."""
    unchanged = before is not None and before.state is observation.state
    return Standing(
        source=observation.source,
        resource=observation.resource,
        state=observation.state,
        summary=observation.summary,
        since=before.since if unchanged and before is not None else observation.at,
        at=observation.at,
        fields=observation.fields,
        streaks=streaks,
    )


__all__ = ["Place", "Standing", "stands_now"]
