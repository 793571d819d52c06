"""What the past says of a figure, for the rules that ask: usual ranges and trends, read every few minutes at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from bot.domain.anomaly import SUCCESS, USUAL, Usual, by_days, hours_like, usual_range, usual_success
from bot.domain.forecast import TRENDS, Trend, accumulates, find_trend
from bot.domain.history_questions import Unusual, WillBreach
from bot.domain.jobs import Terms
from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.rollup import UP, hour_of
from bot.domain.rule import RuleGroup, Threshold
from storage import history, rollups
from storage.database import Connection, Database

_TREND_KEPT = timedelta(minutes=5)
_MOST_KEPT = 20_000
_MONTH = timedelta(days=28)
_LATELY, _MOST_POINTS = timedelta(hours=6), 720
_SPANS = (timedelta(days=1), timedelta(days=7))
_RUNS = timedelta(days=60)
_MOST_RUNS = 300


class Zoned(Protocol):
    """Knows the zone whose hours and weekdays matter to a source."""

    def terms_of(self, job: str) -> Terms: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Questions:
    """Which fields of a source the past is asked about. `steps`: told of only when past their first limit."""

    unusual: tuple[str, ...]
    ahead: tuple[str, ...]
    steps: tuple[Threshold, ...]


@dataclass(slots=True, eq=False)
class Hindsight:
    """Answers from memory where it can. `of` raises DatabaseError."""

    database: Database
    rulebook: Zoned
    _questions: dict[tuple[Source, bool], tuple[tuple[RuleGroup, ...], _Questions]] = field(
        default_factory=dict
    )
    _usual: dict[tuple[Source, str, str], tuple[datetime, Usual | None]] = field(default_factory=dict)
    _trends: dict[tuple[Source, str, str], tuple[datetime, tuple[Trend, ...]]] = field(default_factory=dict)

    async def of(
        self, connection: Connection, observation: Observation, groups: tuple[RuleGroup, ...]
    ) -> Mapping[str, Any]:
        """Usual ranges and trends by field, under the names that rules look for; empty when none asks."""
        key = (observation.source, observation.watch)
        known = self._questions.get(key)
        if known is None or known[0] is not groups:  # rules can change at run time
            known = self._questions[key] = (groups, _asked(groups))
        asked = known[1]
        past: dict[str, Any] = {}
        if asked.unusual:
            past[USUAL] = {name: await self._range(connection, observation, name) for name in asked.unusual}
        wanted = {*asked.ahead, *(step.field for step in asked.steps if _is_past(step, observation))}
        if wanted:
            past[TRENDS] = {name: await self._trend(connection, observation, name) for name in sorted(wanted)}
        return past

    async def _range(self, connection: Connection, seen: Observation, name: str) -> Usual | None:
        hour = hour_of(seen.at)
        key = (seen.source, seen.resource, name)
        known = self._usual.get(key)
        if known is None or known[0] != hour:
            _make_room(self._usual)
            known = self._usual[key] = (hour, await self._read_range(connection, seen, name))
        return known[1]

    async def _read_range(self, connection: Connection, seen: Observation, name: str) -> Usual | None:
        zone = self.rulebook.terms_of(seen.source.name).zone
        if name == SUCCESS:
            start = hour_of(seen.at) - _MONTH
            return usual_success(
                by_days(await rollups.hours(connection, seen.source, UP, start, seen.at), zone)
            )
        alike = {like.hour: like for like in hours_like(seen.at, zone)}
        found = await history.of_hours(connection, seen.source, seen.resource, name, list(alike))
        return usual_range([(alike[hour], rollup) for hour, rollup in found])

    async def _trend(self, connection: Connection, seen: Observation, name: str) -> tuple[Trend, ...]:
        key = (seen.source, seen.resource, name)
        known = self._trends.get(key)
        if known is None or seen.at - known[0] > _TREND_KEPT:
            _make_room(self._trends)
            found = await trends_of(self.database, connection, seen.source, seen.resource, name, seen.at)
            known = self._trends[key] = (seen.at, found)
        return known[1]


def _make_room(kept: dict[Any, Any]) -> None:
    if len(kept) >= _MOST_KEPT:
        kept.clear()


async def trends_of(
    database: Database, connection: Connection, source: Source, resource: str, name: str, now: datetime
) -> tuple[Trend, ...]:
    """The trends of a field that deserve to be believed, those of the shortest time first. Raises DatabaseError."""
    if source.kind is SourceKind.JOB:
        runs = await history.run_figures(database, connection, source.name, name, now - _RUNS, _MOST_RUNS)
        return tuple(trend for trend in [find_trend(runs)] if trend is not None)
    lately = await history.figures(
        database, connection, source.name, resource, name, now - _LATELY, _MOST_POINTS
    )
    hourly = await history.hourly_means(connection, source, resource, name, hour_of(now - _SPANS[-1]))
    series = [lately, *([point for point in hourly if point[0] >= now - span] for span in _SPANS)]
    return tuple(trend for points in series if (trend := find_trend(points)) is not None)


def _asked(groups: tuple[RuleGroup, ...]) -> _Questions:
    questions = [rule.question for group in groups for rule in group.rules]
    return _Questions(
        unusual=tuple(each.field for each in questions if isinstance(each, Unusual)),
        ahead=tuple(each.field for each in questions if isinstance(each, WillBreach)),
        steps=tuple(each for each in questions if isinstance(each, Threshold) and accumulates(each.field)),
    )


def _is_past(step: Threshold, seen: Observation) -> bool:
    """Whether a field is past a limit and has another before it."""
    value = seen.fields.get(step.field)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return step.is_past(value) and (step.bounded or len(step.steps) > 1)
