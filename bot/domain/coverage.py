"""What a condition over alerts would cover: tried on what is open, and on what the rules could raise."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.alert import Alert
from bot.domain.alert_names import names_of
from bot.domain.condition import compile_condition
from bot.domain.observation import Source
from bot.domain.severity import Severity
from bot.domain.silence import Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What a silence covers: open alerts, and of `total` checks and jobs those it covers in some way."""

    open: tuple[Alert, ...] = ()
    sources: tuple[Source, ...] = ()
    total: int = 0
    critical: bool = False

    @property
    def is_everything(self) -> bool:
        """Whether no check and no job, or none that matters, would be heard."""
        return self.critical and self.total > 1 and len(self.sources) == self.total


def covered(silence: Silence, samples: Sequence[Alert], open_ones: Sequence[Alert]) -> Coverage:
    """What a silence would keep quiet now."""
    found = [sample for sample in samples if silence.covers(sample)]
    hit = tuple(alert for alert in open_ones if silence.covers(alert))
    return Coverage(
        open=hit,
        sources=tuple(dict.fromkeys(each.firing.source for each in [*found, *hit])),
        total=len({each.firing.source for each in [*samples, *open_ones]}),
        critical=any(each.severity is Severity.CRITICAL for each in [*found, *hit]),
    )


def misspelled(match: str, samples: Sequence[Alert], fields: frozenset[str]) -> tuple[str, str] | None:
    """A name in a condition that nothing has, and the one that was probably meant."""
    if not samples:
        return None
    known = {name for sample in samples for name in names_of(sample)} | fields
    for name in sorted(compile_condition(match).variables - known):
        if near := difflib.get_close_matches(name, known, n=1, cutoff=0.75):
            return name, near[0]
    return None
