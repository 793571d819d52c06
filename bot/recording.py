"""Use case: what a batch of observations, runs and starts changes, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from bot.announcing import Announcer
from bot.domain.clock import Clock
from bot.domain.decision import Decision, Memory, evaluate, fingerprints
from bot.domain.inhibition import Inhibition
from bot.domain.jobs import Terms
from bot.domain.observation import Observation, Source, variables
from bot.domain.rule import RuleGroup, baselines_of
from bot.domain.run import Run, Start
from bot.domain.standing import Standing
from bot.hindsight import Hindsight
from bot.job_book import JobBook, JobPages
from bot.ledger import Ledger, Standings
from bot.silence_book import SilenceBook
from checks.result import State, Value
from storage import alerts, baselines
from storage.database import Connection, Database

_BASELINE_KEPT = timedelta(minutes=10)
_MOST_PLANS = 10_000


class Rulebook(Protocol):
    """Which rules are asked of a source's observations, and what is expected of jobs."""

    @property
    def inhibitions(self) -> tuple[Inhibition, ...]: ...

    def groups_for(self, source: Source, *, watch: bool = False) -> tuple[RuleGroup, ...]: ...

    def terms_of(self, job: str) -> Terms: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Something to record: what a check found, or what a job tells of a run's end or start.

    One that brings its own `rules` makes alerts and leaves nothing else behind. A run that is `past` ended long
    before anybody listened: it is kept and shown, and no rule is asked.
    """

    observation: Observation
    run: Run | None = None
    start: Start | None = None
    rules: tuple[RuleGroup, ...] | None = None
    past: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a source's rules need to know, worked out once. `rules` says whose it is."""

    rules: tuple[RuleGroup, ...]
    is_templated: bool
    needed: frozenset[str]
    compared: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a batch: False for each run or start that was known before."""

    new: list[bool]
    ledger: Ledger
    pages: JobPages


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Judges observations in the order in which they came, each by all that those before it have changed."""

    database: Database
    rulebook: Rulebook
    standings: Standings
    announcer: Announcer
    silences: SilenceBook
    jobs: JobBook
    hindsight: Hindsight
    clock: Clock
    _plans: dict[int, _Plan] = field(default_factory=dict)
    _baselines: dict[tuple[Source, str], tuple[datetime, float | None]] = field(default_factory=dict)

    async def record(self, connection: Connection, batch: Sequence[Report]) -> Recorded:
        """Store a batch with all it changes; call `committed` once the transaction is.

        Raises DatabaseError and StaleAlert; then the caller's transaction must not be committed.
        """
        now = self.clock()
        observed = [each.observation for each in batch if each.start is None and each.rules is None]
        ledger = await Ledger.open(self.standings, connection, observed, now)
        unjudged = {id(each.run) for each in batch if each.past or ledger.is_late(each.observation)}
        pages = await self.jobs.open(
            connection,
            [each.run for each in batch if each.run is not None],
            [each.start for each in batch if each.start is not None],
            lambda run: id(run) not in unjudged,
            now,
        )
        await ledger.alerts(self._likely_keys(ledger, batch))
        stored = [await self._record(ledger, pages, each) for each in batch]
        await pages.write()
        await ledger.write()
        return Recorded(new=stored, ledger=ledger, pages=pages)

    def committed(self, recorded: Recorded) -> None:
        """Remember for the next batch what is stored now."""
        self.jobs.committed(recorded.pages)
        recorded.ledger.committed(self.standings)

    def _likely_keys(self, ledger: Ledger, batch: Sequence[Report]) -> Iterator[str]:
        """Fingerprints of the alerts that a batch may be about, so that they are read together."""
        for report in batch:
            if report.start is None:
                known = _fields_of(ledger.standing(report.observation))
                groups = self._groups(report)
                yield from _keys(self._plan(groups), report.observation, known, {})

    def _groups(self, report: Report) -> tuple[RuleGroup, ...]:
        if report.rules is not None:
            return report.rules
        observation = report.observation
        return self.rulebook.groups_for(observation.source, watch=observation.watch)

    def _plan(self, groups: tuple[RuleGroup, ...]) -> _Plan:
        known = self._plans.get(id(groups))
        if known is None or known.rules is not groups:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            known = self._plans[id(groups)] = _plan_of(groups)
        return known

    async def _record(self, ledger: Ledger, pages: JobPages, report: Report) -> bool:
        observation, run, begun = report.observation, report.run, None
        if report.start is not None:
            return await pages.begin(report.start)
        if report.rules is not None:
            await self._store(
                ledger, observation, await self._decide(ledger, observation, report.rules, None)
            )
            return True
        if run is not None:
            if not await pages.end(run):
                return False
            begun = pages.close(run)
        if not observation.watch:
            ledger.heard(observation)
        if ledger.is_late(observation):
            self._keep(ledger, report, observation.state)
            return True  # late news: kept, but the last word stands
        if report.past:
            before = ledger.standing(observation)
            ledger.stand(observation, before.streaks if before is not None else {})
            return True
        if run is not None:
            observation = pages.look_back(run, begun, observation)
        before = ledger.standing(observation)
        decision = await self._decide(ledger, observation, self._groups(report), before)
        self._keep(ledger, report, decision.state)
        ledger.stand(_in_state(observation, decision.state), decision.streaks)
        await self._store(ledger, observation, decision)
        return True

    async def _store(self, ledger: Ledger, observation: Observation, decision: Decision) -> None:
        for change in decision.changes:
            ledger.changed(await self.announcer.store(ledger.connection, change, observation.at))

    @staticmethod
    def _keep(ledger: Ledger, report: Report, state: State) -> None:
        if report.run is None and not report.observation.watch:
            ledger.keep(_in_state(report.observation, state))

    async def _decide(
        self,
        ledger: Ledger,
        observation: Observation,
        groups: tuple[RuleGroup, ...],
        before: Standing | None,
    ) -> Decision:
        known = _fields_of(before)
        plan = self._plan(groups)
        baseline = await self._baseline(ledger.connection, observation, plan) if plan.compared else {}
        keys = _keys(plan, observation, known, baseline)
        memory = Memory(
            streaks=before.streaks if before is not None else {},
            previous=known,
            baseline=baseline,
            open=await ledger.alerts(keys),
            failing=await ledger.failing(plan.needed) if plan.needed else frozenset(),
            past=await self.hindsight.of(ledger.connection, observation, groups),
        )
        decision = evaluate(groups, observation, memory)
        past = await self._past(ledger.connection, observation, keys, decision, memory)
        return decision if past is memory else evaluate(groups, observation, past)

    async def _past(
        self,
        connection: Connection,
        observation: Observation,
        keys: Sequence[str],
        decision: Decision,
        memory: Memory,
    ) -> Memory:
        """With what bears on the changes of a first decision: the past where an alert begins, and explanations."""
        if decision.changes and self.rulebook.inhibitions:
            others = tuple(await alerts.list_open(connection))
            memory = replace(memory, inhibitions=self.rulebook.inhibitions, open_alerts=others)
        if all(change.alert.id for change in decision.changes):
            return memory
        return replace(
            memory,
            closed=await alerts.latest_closed(connection, keys),
            silences=await self.silences.active(connection, self.clock()),
        )

    async def _baseline(
        self, connection: Connection, observation: Observation, plan: _Plan
    ) -> dict[str, float]:
        """What the fields that rules compare usually are; asked of the database every few minutes."""
        usual: dict[str, float] = {}
        for name in plan.compared:
            key = (observation.source, name)
            known = self._baselines.get(key)
            if known is None or observation.at - known[0] > _BASELINE_KEPT:
                mean = await baselines.mean(
                    self.database, connection, observation.source, name, observation.at
                )
                known = self._baselines[key] = (observation.at, mean)
            if known[1] is not None:
                usual[name] = known[1]
        return usual


def _fields_of(before: Standing | None) -> Mapping[str, Value]:
    return before.fields if before is not None else {}


def _plan_of(groups: tuple[RuleGroup, ...]) -> _Plan:
    rules = [rule for group in groups for rule in group.rules]
    return _Plan(
        rules=groups,
        is_templated=any(rule.resource for rule in rules),
        needed=frozenset(name for rule in rules for name in rule.depends_on),
        compared=baselines_of(groups),
    )


def _keys(
    plan: _Plan, observation: Observation, known: Mapping[str, Any], baseline: Mapping[str, float]
) -> tuple[str, ...]:
    """The fingerprints that an observation is about; few rules need its fields for them."""
    names = variables(observation, known, baseline) if plan.is_templated else {}
    return fingerprints(plan.rules, observation, names)


def _in_state(observation: Observation, state: State) -> Observation:
    return observation if observation.state is state else replace(observation, state=state)
