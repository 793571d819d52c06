"""`tocsin check`: run checks once, now, and say how they stand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bot.config.rulebook import Rulebook, rulebook
from bot.config.settings import Settings
from bot.domain.clock import Clock
from bot.domain.observation import clean
from bot.judging import judged
from bot.probe import Probe, probes_of
from checks.result import State

_WORST = (State.OK, State.PENDING, State.WARNING, State.UNKNOWN, State.CRITICAL)
_MOST_AT_ONCE = 200
_EXIT = {State.OK: 0, State.PENDING: 0, State.WARNING: 1, State.CRITICAL: 2, State.UNKNOWN: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one execution of a check came to, its rules included."""

    name: str
    state: State
    summary: str
    fields: dict[str, Any]
    duration_ms: float
    parts: tuple[tuple[str, State, str], ...] = ()
    """What it found of each resource or member: its name, its state and why."""

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": self.state.value,
            "summary": self.summary,
            "fields": self.fields,
            "duration_ms": round(self.duration_ms, 1),
        }


def exit_code(checked: Sequence[Checked]) -> int:
    """0 ok, 1 warning, 2 critical, 3 unknown; the worst wins, and critical is worse than unknown."""
    return _EXIT[max((item.state for item in checked), key=_WORST.index, default=State.OK)]


async def check_now(
    settings: Settings, names: Sequence[str], clock: Clock, done: Callable[[Checked], None]
) -> list[Checked]:
    """Run the named checks (all without names) together; `done` hears of each as it ends."""
    rules, slots = rulebook(settings), asyncio.Semaphore(_MOST_AT_ONCE)
    async with probes_of(settings, clock) as probes:
        wanted = [probe for probe in probes if not names or probe.name in names]

        async def run(probe: Probe) -> Checked:
            async with slots:
                checked = await _check(probe, rules)
            done(checked)
            return checked

        return await asyncio.gather(*(run(probe) for probe in wanted))


async def _check(probe: Probe, rules: Rulebook) -> Checked:
    start = perf_counter()
    observations = await probe.observe()
    duration_ms = (perf_counter() - start) * 1000
    found = [judged(observation, rules) for observation in observations]
    state, summary = max(found, key=lambda each: _WORST.index(each[0]))
    fields = {name: clean(value) for name, value in observations[0].fields.items()}
    return Checked(
        name=probe.name,
        state=state,
        summary=summary,
        fields=fields,
        duration_ms=duration_ms,
        parts=tuple(
            (
                observation.source.name if observation.source.name != probe.name else observation.resource,
                *each,
            )
            for observation, each in zip(observations[1:], found[1:], strict=True)
        ),
    )
