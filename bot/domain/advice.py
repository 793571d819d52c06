"""Which threshold the past speaks for: what 95 % of the values stay within, and 20 % of room (requirement MH10)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.rollup import Rollup, together
from bot.domain.severity import Severity

SHARE, HEADROOM = 0.95, 0.20
FEWEST_VALUES, FEWEST_DAYS = 100, 3
_FULL = 99.0  # a percentage that is usually there leaves no room for a limit
_DAY = timedelta(days=1)

Limits = tuple[tuple[Severity | None, float], ...]
"""Each limit of one direction with its severity, the mildest first; None leaves it to the overage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A field with limits in one direction. `path` leads to its check in the file; `bounded`: it ends at 100."""

    path: tuple[str, ...]
    field: str
    limits: Limits
    below: bool = False
    bounded: bool = False

    @property
    def check(self) -> str:
        return self.path[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is set, what the past speaks for, and in how many of the hours either would have been passed.

    `advised` is None where nothing can be advised; `why` says why, or how it was found. Hours are those of a
    resource with values.
    """

    about: Measured
    advised: Limits | None
    why: str
    values: int = 0
    days: int = 0
    hours: int = 0
    passed: int = 0
    passed_if_advised: int | None = None


def advise(about: Measured, past: Sequence[tuple[datetime, Rollup]]) -> Advice:
    """Judge a field's limits by its hourly roll-ups."""
    whole = together(rollup for _, rollup in past)
    if whole is None:
        return Advice(about=about, advised=None, why="nothing was measured yet")
    days = len({at.date() for at, _ in past})
    counted = Advice(
        about=about,
        advised=None,
        why="",
        values=whole.count,
        days=days,
        hours=len(past),
        passed=_passed(about, about.limits[0][1], past),
    )
    limits, why = _judged(about, whole, days)
    if limits is None:
        return _with(counted, None, why, None)
    return _with(counted, limits, why, _passed(about, limits[0][1], past))


def _with(found: Advice, limits: Limits | None, why: str, passed: int | None) -> Advice:
    return Advice(
        about=found.about,
        advised=limits,
        why=why,
        values=found.values,
        days=found.days,
        hours=found.hours,
        passed=found.passed,
        passed_if_advised=passed,
    )


def _judged(about: Measured, whole: Rollup, days: int) -> tuple[Limits | None, str]:
    if whole.count < FEWEST_VALUES or days < FEWEST_DAYS:
        values = "value" if whole.count == 1 else "values"
        return None, f"too little to say: {whole.count} {values} on {days} day{'' if days == 1 else 's'}"
    usual = whole.quantile(1 - SHARE if about.below else SHARE)
    shown = f"{usual:.3g}"
    if usual == 0:
        return None, "it is 0 nearly always, which says nothing about how much is too much"
    if about.bounded and not about.below and usual >= _FULL:
        return None, f"it reaches {shown} often, so no limit below 100 has room"
    base = _base(usual, below=about.below, bounded=about.bounded)
    within = "at least" if about.below else "at most"
    return _scaled(about, base), f"95% of the values are {within} about {shown}"


def _base(usual: float, *, below: bool, bounded: bool) -> float:
    """The usual value with headroom; a percentage near 100 gets half of what is left to it."""
    room = abs(usual) * HEADROOM
    limit = usual - room if below else usual + room
    if bounded and not below:
        limit = min(limit, (100 + usual) / 2)
    return round(2 * limit) / 2 if bounded and limit > 90 else rounded(limit)


def rounded(value: float) -> float:
    """The nearest number of the two to three digits that people write; off by 2.5 % at most."""
    if not value:
        return 0.0
    size = math.floor(math.log10(abs(value)))
    step = 10.0 ** (size - 1) if abs(value) / 10.0**size >= 2 else 5 * 10.0 ** (size - 2)
    return float(f"{round(value / step) * step:.6g}")


def _scaled(about: Measured, base: float) -> Limits:
    """The mildest limit becomes the advised one; the worse ones keep their distance to it."""
    mildest = about.limits[0][1]
    found = [(about.limits[0][0], base)]
    for severity, limit in about.limits[1:]:
        if about.bounded and not about.below and mildest < 100:
            scaled = 100 - (100 - base) * (100 - limit) / (100 - mildest)
        else:
            scaled = base * limit / mildest if mildest else base + limit
        found.append((severity, float(f"{scaled:.3g}")))
    return tuple(found)


def _passed(about: Measured, limit: float, past: Sequence[tuple[datetime, Rollup]]) -> int:
    """In how many hours some value was past a limit; known exactly from each hour's least and most."""
    return sum(hour.minimum < limit if about.below else hour.maximum > limit for _, hour in past)


def as_yaml(advices: Sequence[Advice]) -> str:
    """What can be advised, to paste into the file. Empty when nothing can."""
    tree: dict[str, object] = {}
    for advice in advices:
        if advice.advised is not None:
            place = tree
            for number, name in enumerate(advice.about.path):
                place = _inner(_inner(place, "checks"), name)
                if number == len(advice.about.path) - 1:
                    fields = _inner(place, "thresholds")
                    _add(_inner(fields, advice.about.field), advice)
    return "\n".join(_lines(tree, 0))


def _inner(tree: dict[str, object], name: str) -> dict[str, object]:
    found = tree.setdefault(name, {})
    assert isinstance(found, dict)
    return found


def _add(place: dict[str, object], advice: Advice) -> None:
    assert advice.advised is not None
    side = _inner(place, "below") if advice.about.below else place
    for severity, limit in advice.advised:
        side[severity.priority if severity is not None else ""] = limit


def _lines(tree: Mapping[str, object], depth: int) -> list[str]:
    found: list[str] = []
    for name, inner in tree.items():
        assert isinstance(inner, dict)
        is_field = depth >= 1 and all(_is_limit(value, key) for key, value in inner.items())
        text = _limits_text(inner) if is_field else ""
        found.append(f"{'  ' * depth}{_key(name)}:{' ' + text if text else ''}")
        if not text:
            found += _lines(inner, depth + 1)
    return found


def _is_limit(value: object, key: str) -> bool:
    return isinstance(value, float) or key == "below"


def _limits_text(limits: Mapping[str, object]) -> str:
    """`80`, `{below: 10}`, `{P2: 80, P1: 95, below: {P1: 5}}`."""
    if list(limits) == [""]:
        return f"{limits['']:g}"
    parts = []
    for name, value in limits.items():
        if isinstance(value, dict):
            parts.append(f"{name}: {_limits_text(value)}")
        else:
            parts.append(f"{name or 'above'}: {value:g}")
    return "{" + ", ".join(parts) + "}"


def _key(name: str) -> str:
    plain = name.replace("_", "").replace("-", "").isalnum() and not name[0].isdigit() and name.isascii()
    return (
        name
        if plain and name.lower() not in ("yes", "no", "on", "off", "true", "false", "null")
        else _quoted(name)
    )


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
