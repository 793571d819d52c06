"""What a batch of observations is judged by, read at once, and what it leaves behind, written at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from bot.domain.alert import Alert
from bot.domain.observation import Observation, Place, Source, SourceKind
from bot.domain.rule import Streak
from bot.domain.standing import Standing, stands_now
from checks.result import State
from storage import alerts, rollups, sources
from storage.database import Connection, Database

_MOST_KEPT = 10_000


@dataclass(slots=True, kw_only=True, eq=False)
class Standings:
    """How sources stand by what was committed; kept on SQLite only, where nobody but this process writes.

    A batch takes out those it needs and gives them back once it is committed: see bot.records.
    """

    database: Database
    _kept: dict[Place, Standing | None] = field(default_factory=dict)

    async def take(self, connection: Connection, places: Iterable[Place]) -> dict[Place, Standing]:
        """Those of some places that are known. Raises DatabaseError."""
        wanted = set(places)
        kept = {place: self._kept.pop(place) for place in wanted & self._kept.keys()}
        found = await sources.find(connection, unknown) if (unknown := wanted - kept.keys()) else {}
        return {**{place: each for place, each in kept.items() if each is not None}, **found}

    def committed(self, places: Iterable[Place], standings: Mapping[Place, Standing]) -> None:
        """Keep how some places stand, now that it is stored."""
        if not self.database.is_sqlite:
            return
        if len(self._kept) > _MOST_KEPT:
            self._kept.clear()
        self._kept.update((place, standings.get(place)) for place in places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """How sources stand and which alerts are open, as it changes from one observation of a batch to the next.

    Lives within one transaction, and counts on nobody but this batch to change sources meanwhile; somebody
    else's change of an alert shows when it is saved. Nothing but alerts is stored before `write`.
    """

    database: Database
    connection: Connection
    now: datetime
    _places: frozenset[Place]
    _standings: dict[Place, Standing]
    _changed: dict[Place, Standing] = field(default_factory=dict)
    _results: list[Observation] = field(default_factory=list)
    _heard: list[tuple[Source, datetime]] = field(default_factory=list)
    _alerts: dict[str, Alert | None] = field(default_factory=dict)
    _critical: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    async def open(
        cls, standings: Standings, connection: Connection, batch: Iterable[Observation], now: datetime
    ) -> Self:
        """Read how the sources of a batch stand. Raises DatabaseError."""
        places = frozenset(each.place for each in batch)
        known = await standings.take(connection, places)
        return cls(
            database=standings.database, connection=connection, now=now, _places=places, _standings=known
        )

    def committed(self, standings: Standings) -> None:
        """Remember for the next batch what is stored now."""
        standings.committed(self._places, self._standings)

    def standing(self, observation: Observation) -> Standing | None:
        """The last word before this one."""
        return self._standings.get(observation.place)

    def is_late(self, observation: Observation) -> bool:
        """Whether the last word is newer."""
        before = self.standing(observation)
        return before is not None and before.at > observation.at

    async def alerts(self, fingerprints: Iterable[str]) -> dict[str, Alert]:
        """The open alerts of some fingerprints; asked of the database once for each."""
        wanted = set(fingerprints)
        if unknown := wanted - self._alerts.keys():
            self._alerts.update(dict.fromkeys(unknown))
            self._alerts.update(await alerts.open_ones(self.connection, sorted(unknown)))
        return {key: alert for key in wanted if (alert := self._alerts[key]) is not None}

    async def failing(self, names: Iterable[str]) -> frozenset[str]:
        """Those of some checks that are critical now."""
        wanted = set(names)
        if unknown := wanted - self._critical.keys():
            self._critical.update({name: set() for name in unknown})
            for name, resource in await sources.critical(self.connection, sorted(unknown)):
                self._critical[name].add(resource)
            for standing in self._changed.values():
                self._note_critical(standing)
        return frozenset(name for name in wanted if self._critical[name])

    def changed(self, alert: Alert) -> None:
        """An alert was stored as it is now."""
        self._alerts[alert.fingerprint] = alert if alert.status.is_open else None

    def heard(self, observation: Observation) -> None:
        """Something was observed or reported, however late."""
        self._heard.append((observation.source, observation.at))

    def keep(self, observation: Observation) -> None:
        """Have a check's result stored."""
        self._results.append(observation)

    def stand(self, observation: Observation, streaks: Mapping[str, Streak]) -> None:
        """An observation is its source's last word."""
        place = observation.place
        standing = stands_now(observation, streaks, self._standings.get(place))
        self._standings[place] = self._changed[place] = standing
        self._note_critical(standing)

    async def write(self) -> None:
        """Store what was kept and changed. Raises DatabaseError."""
        await rollups.mark_late(self.database, self.connection, self._heard, self.now)
        await sources.add_results(self.connection, self._results)
        await sources.put_all(self.database, self.connection, self._changed)

    def _note_critical(self, standing: Standing) -> None:
        if standing.source.kind is not SourceKind.CHECK or standing.source.name not in self._critical:
            return
        resources = self._critical[standing.source.name]
        if standing.state is State.CRITICAL:
            resources.add(standing.resource)
        else:
            resources.discard(standing.resource)
