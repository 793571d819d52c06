"""From one observation and what is remembered to the changes it makes: pure, and the heart of it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain import alert as lifecycle
from bot.domain.alert import Alert, Change, Firing, fingerprint
from bot.domain.condition import Outcome
from bot.domain.inhibition import Inhibition, explaining, reference
from bot.domain.observation import Observation, variables
from bot.domain.recommendation import recommend
from bot.domain.rule import CannotRun, Judgement, Rule, RuleGroup, Streak, judge
from bot.domain.severity import Severity
from bot.domain.silence import Silence, covering, hush
from bot.domain.template import render
from checks.result import State, Value

_MOST_FIELDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is known already that bears on an observation; alerts by fingerprint.

    `silences` are those active now, of any problem.
    `failing` are the checks, among those its rules depend on, that are critical now. `past` holds usual ranges
    and trends, for the rules that ask of them. `open_alerts` are all
    that are open, where `inhibitions` ask for them.
    """

    streaks: Mapping[str, Streak] = field(default_factory=dict)
    previous: Mapping[str, Value] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    open: Mapping[str, Alert] = field(default_factory=dict)
    closed: Mapping[str, Alert] = field(default_factory=dict)
    silences: Sequence[Silence] = ()
    failing: frozenset[str] = frozenset()
    past: Mapping[str, Any] = field(default_factory=dict)
    inhibitions: tuple[Inhibition, ...] = ()
    open_alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an observation changes. `state` is how its source stands with what the rules found."""

    state: State
    streaks: Mapping[str, Streak]
    changes: tuple[Change, ...]


def fingerprints(
    groups: tuple[RuleGroup, ...], observation: Observation, names: Mapping[str, Any]
) -> tuple[str, ...]:
    """Of every alert that these rules could raise for this observation."""
    return tuple(
        fingerprint(rule.name, rule.resource_of(observation, names))
        for group in groups
        for rule in group.rules
    )


def evaluate(groups: tuple[RuleGroup, ...], observation: Observation, memory: Memory) -> Decision:
    """Judge an observation by its rules and say what becomes of each alert."""
    names = {**variables(observation, memory.previous, memory.baseline), **memory.past}
    judgements = judge(groups, observation, names, memory.streaks)
    return Decision(
        state=_standing(observation.state, judgements),
        streaks=_streaks(groups, judgements, memory.streaks),
        changes=_changes(judgements, observation, names, memory),
    )


def _streaks(
    groups: tuple[RuleGroup, ...], judgements: tuple[Judgement, ...], before: Mapping[str, Streak]
) -> dict[str, Streak]:
    """A rule that was not asked, since one before it matched, keeps its streak."""
    kept = {rule.name for group in groups for rule in group.rules} & before.keys()
    asked = {judgement.rule.name: judgement.streak for judgement in judgements}
    return {name: before[name] for name in kept} | asked


def _changes(
    judgements: tuple[Judgement, ...],
    observation: Observation,
    names: Mapping[str, Any],
    memory: Memory,
) -> tuple[Change, ...]:
    """At most one change a fingerprint: where rules share one, bad news goes before good."""
    found: dict[str, Change] = {}
    for judgement in sorted(judgements, key=lambda each: each.verdict.outcome is not Outcome.TRUE):
        key = fingerprint(judgement.rule.name, judgement.rule.resource_of(observation, names))
        if key not in found:
            change = _change(key, judgement, observation, names, memory)
            if change is not None:
                found[key] = change
    return tuple(found.values())


_WORSE = (State.OK, State.PENDING, State.UNKNOWN, State.WARNING, State.CRITICAL)


def _standing(own: State, judgements: tuple[Judgement, ...]) -> State:
    """A source is as bad as the worst of what it reports and what its rules say of that."""
    found = [own]
    for judgement in judgements:
        rule = judgement.rule
        tells = not (rule.advisory or isinstance(rule.question, CannotRun))
        if judgement.verdict.outcome is Outcome.TRUE and tells:
            severity = rule.severity or judgement.verdict.severity
            found.append(State.CRITICAL if severity is Severity.CRITICAL else State.WARNING)
    return max(found, key=_WORSE.index)


def _change(
    key: str, judgement: Judgement, observation: Observation, names: Mapping[str, Any], memory: Memory
) -> Change | None:
    current = memory.open.get(key)
    if current is not None:
        return _continue(current, judgement, observation, names, memory)
    if not judgement.raises:
        return None
    firing = _explained(None, _firing(judgement, observation, names, memory), observation.at, memory)
    change = _begin(firing, judgement, observation.at, memory.closed.get(key))
    return _hushed(change, memory.silences, observation.at)


def _continue(
    current: Alert,
    judgement: Judgement,
    observation: Observation,
    names: Mapping[str, Any],
    memory: Memory,
) -> Change | None:
    if judgement.verdict.outcome is Outcome.TRUE:
        firing = _firing(judgement, observation, names, memory)
        firing = _explained(current, firing, observation.at, memory)
        return lifecycle.repeat(current, firing, observation.at)
    # Where several sources raise one alert, only the one that was bad last can say that it is over.
    if judgement.clears and current.firing.source == observation.source:
        if (how := _flapping(judgement)) is not None:
            return lifecycle.waver(current, how, observation.at)
        return lifecycle.recover(current, observation.summary, observation.at)
    return None


def _begin(firing: Firing, judgement: Judgement, now: datetime, last: Alert | None) -> Change | None:
    """A new alert, or the last one again when it ended within the rule's window."""
    if last is None or last.closed_at is None:
        return lifecycle.fire(firing, now)
    ago = now - last.closed_at
    since = judgement.streak.since
    steady = since is not None and since <= last.closed_at
    resolved_by_hand = last.closed_by is not None and last.status is lifecycle.Status.RESOLVED
    never_stopped = resolved_by_hand and (steady or judgement.streak.recent.flapping)
    if never_stopped:
        if ago < judgement.rule.dedupe:
            return None  # somebody resolved it; the window is theirs to make that true
        return lifecycle.reopen(last, firing, now, f"still failing {spell(ago)} after it was resolved")
    if ago < judgement.rule.dedupe:
        return lifecycle.reopen(last, firing, now, f"came back after {spell(ago)}")
    return lifecycle.fire(firing, now)


def _hushed(change: Change | None, silences: Sequence[Silence], now: datetime) -> Change | None:
    """What begins under a silence begins silenced."""
    cover = None if change is None else covering(silences, change.alert)
    if change is None or cover is None or cover.ends_at <= now:
        return change
    quiet = hush(change.alert, cover, now)
    return replace(change, alert=quiet.alert, events=(*change.events, *quiet.events))


def _firing(
    judgement: Judgement, observation: Observation, names: Mapping[str, Any], memory: Memory
) -> Firing:
    rule, verdict = judgement.rule, judgement.verdict
    return Firing(
        rule=rule.name,
        source=observation.source,
        resource=rule.resource_of(observation, names),
        severity=rule.severity or verdict.severity or Severity.MEDIUM,
        category=rule.category,
        title=verdict.title or render(rule.title, names),
        message=render(rule.message, names) if rule.message else "",
        reason=verdict.reason,
        fields=dict(list(observation.fields.items())[:_MOST_FIELDS]),
        diagnostics=observation.diagnostics,
        recommendations=_recommendations(rule, judgement, observation),
        runbook=rule.runbook,
        mention=rule.mention,
        channel=rule.channel,
        expire_after=rule.expire,
        tags=rule.tags,
        held_by=next((name for name in rule.depends_on if name in memory.failing), None),
        flapping=_flapping(judgement),
    )


def _explained(current: Alert | None, firing: Firing, now: datetime, memory: Memory) -> Firing:
    """Held where another open alert explains it."""
    if firing.held_by is not None or not memory.inhibitions:
        return firing
    alert = Alert(firing=firing, opened_at=now, last_seen=now)
    if current is not None:
        alert = replace(current, firing=firing)
    cause = explaining(alert, memory.inhibitions, memory.open_alerts)
    return firing if cause is None else replace(firing, held_by=reference(cause))


def _flapping(judgement: Judgement) -> str | None:
    """How a rule goes back and forth, or None when it does not."""
    recent = judgement.streak.recent
    if not recent.flapping:
        return None
    return f"changed between bad and good {recent.changes} times in the last {len(recent.answers)} looks"


def _recommendations(rule: Rule, judgement: Judgement, observation: Observation) -> tuple[str, ...]:
    own = rule.recommendations or recommend(rule.category, judgement.verdict.field, judgement.verdict.reason)
    return (observation.remedy, *own) if observation.remedy else own


def spell(length: timedelta) -> str:
    """A length of time in the two largest units: `4 min 12 s`, `3 h`, `2 d 5 h`."""
    seconds = max(0, round(length.total_seconds()))
    parts = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"
