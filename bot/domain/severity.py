"""One scale of severity, with the teams' own words as aliases."""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum


class Severity(IntEnum):
    """How urgent an alert is; the lower the number, the sooner somebody must look."""

    CRITICAL = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4

    @property
    def word(self) -> str:
        """`critical`, `high`, `medium` or `low`."""
        return self.name.lower()

    @property
    def priority(self) -> str:
        """`P1` to `P4`."""
        return f"P{self.value}"


RESPONSE_TIME = {
    Severity.CRITICAL: timedelta(minutes=5),
    Severity.HIGH: timedelta(minutes=30),
    Severity.MEDIUM: timedelta(hours=2),
    Severity.LOW: timedelta(hours=24),
}

_ALIASES = {
    "critical": Severity.CRITICAL, "p1": Severity.CRITICAL, "fatal": Severity.CRITICAL, "page": Severity.CRITICAL,
    "high": Severity.HIGH, "p2": Severity.HIGH, "error": Severity.HIGH,
    "medium": Severity.MEDIUM, "p3": Severity.MEDIUM, "warning": Severity.MEDIUM, "warn": Severity.MEDIUM,
    "low": Severity.LOW, "p4": Severity.LOW,
}  # fmt: skip


def parse_severity(value: object) -> Severity:
    """A severity from any team's word for it. Raises ValueError naming the words there are."""
    if isinstance(value, Severity):
        return value
    severity = _ALIASES.get(str(value).strip().lower())
    if severity is None:
        raise ValueError(
            f"{value!r} is not a severity; write critical (P1), high (P2, ERROR), medium (P3, WARNING) or low (P4)"
        )
    return severity
