"""Which limits of the file threshold advice is asked about, and its answer as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bot.config.advice import all_checks
from bot.config.scalars import Threshold
from bot.config.settings import Settings
from bot.domain.advice import Advice, Limits, Measured


def measured_fields(settings: Settings) -> Iterator[Measured]:
    """Each field of each check, members of groups included, that has limits; once a direction."""
    for path, check in all_checks(settings):
        names = tuple(str(part) for part in path if part != "checks")
        bounded = check.options.percent_fields()
        for field, limits in check.thresholds.items():
            for direction in ("above", "below"):
                found = [limit for limit in limits if limit.direction == direction]
                if found:
                    yield Measured(
                        path=names,
                        field=field,
                        limits=_mildest_first(found),
                        below=direction == "below",
                        bounded=field in bounded,
                    )


def _mildest_first(limits: Sequence[Threshold]) -> Limits:
    below = limits[0].direction == "below"
    ordered = sorted(limits, key=lambda limit: -limit.limit if below else limit.limit)
    return tuple((limit.severity, limit.limit) for limit in ordered)


def as_json(advice: Advice) -> dict[str, Any]:
    """One advice for machines."""
    return {
        "check": advice.about.check,
        "field": advice.about.field,
        "direction": "below" if advice.about.below else "above",
        "current": _limits(advice.about.limits),
        "advised": None if advice.advised is None else _limits(advice.advised),
        "why": advice.why,
        "values": advice.values,
        "days": advice.days,
        "hours": advice.hours,
        "hours_past_current": advice.passed,
        "hours_past_advised": advice.passed_if_advised,
    }


def _limits(limits: Limits) -> list[dict[str, Any]]:
    return [
        {"limit": limit, "severity": None if level is None else level.priority} for level, limit in limits
    ]
