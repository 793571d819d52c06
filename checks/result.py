"""What one execution of a check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Value = str | float | int | bool | None | list["Value"] | dict[str, "Value"]


class State(StrEnum):
    """How a check or a job stands. `unknown`: the check itself could not run. `pending`: not due yet."""

    OK = "ok"
    PENDING = "pending"
    UNKNOWN = "unknown"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """Something a person would fetch first: a title over preformatted text."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The outcome of one execution.

    `fields` carry units in their names (`response_time_ms`, `age_hours`). `reason` says why the state is not
    ok and `remedy` what would mend it, where the check knows. `parts` are further observations of the same
    execution, one a resource (a mount, a series, a member of a group).
    """

    state: State
    summary: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    remedy: str | None = None
    resource: str | None = None
    parts: tuple[CheckResult, ...] = ()


class CannotRun(Exception):
    """The check cannot run. The message says why and `remedy` what would mend it."""

    def __init__(self, why: str, *, remedy: str | None = None) -> None:
        super().__init__(why)
        self.remedy = remedy
