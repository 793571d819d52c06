"""The health report's figures: alerts that began in the last 24 hours and 7 days, against the same time before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.alert import Alert
from bot.domain.severity import Severity
from bot.reports.overview import Overview

DAY, WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCount:
    """Alerts that began in some time, by severity, and how many did in as much time before."""

    by_severity: Mapping[Severity, int]
    before: int

    @property
    def total(self) -> int:
        return sum(self.by_severity.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How everything stands, and the alerts of a day and a week."""

    overview: Overview
    day: AlertCount
    week: AlertCount


def alert_count(alerts: Sequence[Alert], now: datetime, length: timedelta) -> AlertCount:
    """Of alerts that began in twice the length before now: those of the last length, and how many before."""
    recent = [alert for alert in alerts if now - length <= alert.opened_at < now]
    before = sum(now - 2 * length <= alert.opened_at < now - length for alert in alerts)
    return AlertCount(
        by_severity={level: sum(alert.severity is level for alert in recent) for level in Severity},
        before=before,
    )
