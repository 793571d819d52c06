"""What every kind of check shares: its settings' base, durations, and the means it may use."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from checks.client import ProbeClient
from checks.result import CheckResult

# The keys of a check in tocsin.yml that are the same for every kind, and never reach a kind's own settings
# unless those declare them (`due`).
COMMON_KEYS = frozenset(
    {
        "type", "every", "cron", "at", "timeout", "between", "due", "failures", "recoveries", "resource", "tags",
        "condition", "states", "thresholds", "depends_on", "dedupe", "expire", "for", "flapping",
        "anomaly", "forecast", "report", "checks",
        "severity", "category", "title", "message", "mention", "channel", "runbook", "recommendations",
    }
)  # fmt: skip

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def parse_duration(value: Any) -> timedelta:
    """`30s`, `5m`, `1h30m`, `7d`. Raises ValueError with an example when it is not one."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip().replace(" ", "")
    parts = _DURATION.findall(text)
    if isinstance(value, bool) or not parts or "".join(n + u for n, u in parts) != text:
        raise ValueError(f"{value!r} is not a duration; write one such as 30s, 5m, 1h30m or 7d")
    try:
        return timedelta(seconds=sum(float(n) * _UNITS[u] for n, u in parts))
    except OverflowError:
        raise ValueError(f"{value!r} is longer than any clock runs; write one such as 30s or 7d") from None


def format_duration(value: timedelta) -> str:
    """The shortest way to write it: `90s` stays `1m30s`, `5m`, `24h` becomes `1d`."""
    milliseconds = round(value.total_seconds() * 1000)
    out = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        out += f"{count}{unit}" if count else ""
    return out or "0s"


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """The means a check may use: one shared HTTP client, threads for blocking work, the zone."""

    http: ProbeClient
    threads: Executor
    timezone: tzinfo
    clock: Callable[[], datetime]


class Check(Protocol):
    """A probe ready to run. `run` never raises for a failing target: that is a result.

    An exception means the check itself could not run, and the caller makes it `unknown`.
    """

    async def run(self) -> CheckResult: ...


@runtime_checkable
class TimesOut(Protocol):
    """A check that can say what a run found that was cancelled after `seconds` (`checks.deadline`)."""

    def timed_out(self, seconds: float) -> CheckResult: ...


class CheckOptions(BaseModel):
    """The settings of one kind of check, without the keys common to all kinds."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, coerce_numbers_to_str=True
    )

    def field_names(self) -> frozenset[str] | None:
        """The fields its results can carry; None when the target decides them (a query's columns)."""
        return None

    def percent_fields(self) -> frozenset[str]:
        """Those of its fields that stop at 100, whose priority follows the headroom used."""
        return frozenset()

    @abstractmethod
    def build(self, context: CheckContext) -> Check:
        """The check itself; must not touch the network or the disk."""
