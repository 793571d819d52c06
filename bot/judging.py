"""How an observation stands by its rules, asked once and remembering nothing."""

from __future__ import annotations

from typing import Protocol

from bot.domain.condition import Outcome
from bot.domain.decision import Memory, evaluate
from bot.domain.observation import Observation, Source, variables
from bot.domain.rule import RuleGroup, judge
from checks.result import State


class Asked(Protocol):
    """Which rules are asked of a source's observations."""

    def groups_for(self, source: Source, *, watch: bool = False) -> tuple[RuleGroup, ...]: ...


def judged(observation: Observation, rules: Asked) -> tuple[State, str]:
    """The state, and why: the reason of the rule that says worse than the check, else the check's summary."""
    groups = rules.groups_for(observation.source)
    state = evaluate(groups, observation, Memory()).state
    remedy = f"; {observation.remedy}" if observation.remedy else ""
    if state is observation.state:
        return state, observation.summary + remedy
    reasons = [
        found.verdict.reason
        for found in judge(groups, observation, variables(observation), {})
        if found.verdict.outcome is Outcome.TRUE
    ]
    return state, "; ".join(reasons) or observation.summary
