"""What rules see of a check's result or a job's run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from checks.result import Diagnostic, State, Value


class SourceKind(StrEnum):
    """Who an observation can come from."""

    CHECK = "check"
    JOB = "job"
    ALERT = "alert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A check or a job by its name, or an alert raised elsewhere by its type."""

    kind: SourceKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


Place = tuple[Source, str, bool]
"""What one standing is about: who, which resource, and whether between the runs of a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One finding about one resource at one instant (aware UTC).

    A `watch` is a look at a job between its runs: nothing was reported, time passed.
    """

    source: Source
    resource: str
    state: State
    at: datetime
    summary: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    remedy: str | None = None
    watch: bool = False

    @property
    def place(self) -> Place:
        return self.source, self.resource, self.watch


def variables(
    observation: Observation,
    previous: Mapping[str, Value] | None = None,
    baseline: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The names a rule may use: the fields, who reported them, `previous.x`, `baseline.x` and `change.x`.

    `change.x` is how far x is from its baseline, as a share of it: -0.35 for 35 % less.
    """
    source = observation.source
    names: dict[str, Any] = {
        "state": observation.state.value,
        "resource": observation.resource,
        **complete(observation.fields),
        source.kind.value: source.name,
    }
    if source.kind is SourceKind.JOB:
        names.setdefault("job_name", source.name)
    names["previous"] = complete(previous or {})
    names["baseline"] = dict(baseline or {})
    names["change"] = {name: _change(names.get(name), usual) for name, usual in (baseline or {}).items()}
    return names


def _change(value: Any, usual: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not usual:
        return None
    return (value - usual) / abs(usual)


def complete(fields: Mapping[str, Value]) -> dict[str, Value]:
    """The fields with those that follow from them.

    Runs list `error_codes`, rules are written about `error_code`, the first of them; `pct_valid` is what
    `pct_invalid` leaves of 100.
    """
    full = dict(fields)
    codes = full.get("error_codes")
    if "error_code" not in full and isinstance(codes, list) and codes:
        full["error_code"] = codes[0]
    invalid = full.get("pct_invalid")
    if "pct_valid" not in full and isinstance(invalid, int | float) and not isinstance(invalid, bool):
        full["pct_valid"] = 100 - invalid
    return full


_LONGEST_TEXT = 8000
_LONGEST_LIST = 200


def cleaned(observation: Observation) -> Observation:
    """What every database can keep: no NaN, no NUL, no surrogates, no number beyond a double, no text without end."""
    source = observation.source
    return replace(
        observation,
        source=replace(source, name=clean_text(source.name)[:200] or "-"),
        resource=clean_text(observation.resource)[:300] or "-",
        summary=clean_text(observation.summary),
        fields={clean_text(name)[:200]: clean(value) for name, value in observation.fields.items()},
        diagnostics=tuple(
            Diagnostic(title=clean_text(item.title)[:200], text=clean_text(item.text))
            for item in observation.diagnostics
        ),
    )


def clean(value: Any, depth: int = 0) -> Value:
    """One value made fit to be kept as JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else _big(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth < 8 and isinstance(value, Mapping):
        items = list(value.items())[:_LONGEST_LIST]
        return {clean_text(str(key))[:200]: clean(item, depth + 1) for key, item in items}
    if depth < 8 and isinstance(value, list | tuple):
        return [clean(item, depth + 1) for item in value[:_LONGEST_LIST]]
    if isinstance(value, Mapping | list | tuple):
        return "…"  # nested deeper than anybody reads, and maybe than can be written out
    return clean_text(str(value))


def _big(value: int) -> float | None:
    """A whole number that no column holds: as a double, or nothing when it is beyond even that."""
    try:
        return float(value)
    except OverflowError:
        return None


def clean_text(text: str) -> str:
    """Text without NUL and lone surrogates, cut to what anybody reads."""
    return text[:_LONGEST_TEXT].replace("\0", "").encode("utf-8", "replace").decode("utf-8")
