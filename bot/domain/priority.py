"""How bad an overrun is."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Overage:
    """A value beyond its threshold. `percent` of the threshold, as people say it ("exceeded by 15.0%")."""

    value: float
    threshold: float
    percent: float
    severity: Severity


def overage(value: float, threshold: float, *, below: bool = False, bounded: bool = False) -> Overage:
    """Severity by how far `value` is past `threshold` (requirement MH3).

    Unbounded: more than 50 % over is critical, more than 20 % high, else medium. Bounded percentages stop at
    100 (or at 0 when too low is the trouble), so theirs is the share of the headroom used: 70 % and up
    critical, 20 % and up high.
    """
    past = threshold - value if below else value - threshold
    percent = 100 * past / abs(threshold) if threshold else 100.0
    if bounded:
        headroom = threshold if below else 100 - threshold
        share = 100 * past / headroom if headroom > 0 else 100.0
        severity = _grade(share >= 70, share >= 20)
    else:
        severity = _grade(percent > 50, percent > 20)
    return Overage(value=value, threshold=threshold, percent=percent, severity=severity)


def _grade(critical: bool, high: bool) -> Severity:
    if critical:
        return Severity.CRITICAL
    return Severity.HIGH if high else Severity.MEDIUM


def application_severity(error_type: str, *, users: int, errors: int) -> Severity:
    """Severity of an application's error (requirement MH3).

    The database at fault, or more than 10 users hit, is critical; more than 5 errors are high; else medium.
    """
    return _grade("database" in error_type.casefold() or users > 10, errors > 5)
