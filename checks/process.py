"""Processes of this host: how many run, what they use, whether they grow or keep being restarted."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from checks._processes import Pattern, PidFileError, Seen, find
from checks._ranges import RangesSetting, parse_ranges
from checks._secrets import masked
from checks._threads import Looks
from checks._trend import slope
from checks.options import CheckContext, CheckOptions
from checks.result import CheckResult, Diagnostic, State, Value

_FIRST_SAMPLE = 0.2  # seconds; later runs measure processor time since the one before
_TREND_FROM = timedelta(minutes=5)  # a shorter window shows start-up, not a leak
_TREND_OVER = timedelta(hours=1)
_TREND_STEP = timedelta(seconds=30)  # bounds the window to 120 points however often the check runs
_SHOWN = 10


class Expectation(BaseModel):
    """How many processes there must be."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    count: RangesSetting = Field(
        default_factory=lambda: parse_ranges(">=1"),
        description="How many: `1`, `>=1`, `2-8`, or 0 for none",
    )


class Options(CheckOptions):
    """`match`, a regular expression on name and command line, or `pidfile`; `user` narrows either."""

    match: re.Pattern[str] | None = Field(
        default=None, description="A regular expression on the name and the command line"
    )
    pidfile: str | None = Field(default=None, description="A file that holds the number of the process")
    user: str | None = Field(default=None, description="Only processes of this user")
    expect: Expectation = Field(default=Expectation(), description="How many processes there must be")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.match is None and self.pidfile is None and self.user is None:
            raise ValueError("write match (a regular expression on name or command line), pidfile or user")
        return self

    def field_names(self) -> frozenset[str]:
        """Sums over the processes; `cpu_percent` is of one processor and may pass 100."""
        return frozenset(
            {"up", "count", "rss_mb", "rss_growth_mb_per_hour", "cpu_percent", "open_files", "threads"}
            | {"restarts", "oldest_age_hours"}
        )

    def build(self, context: CheckContext) -> ProcessCheck:
        """The measurement, which remembers the last hour of memory and who ran."""
        return ProcessCheck(self, context)


class ProcessCheck:
    """Finds the processes each run, and follows their memory, their processor time and their restarts."""

    def __init__(self, options: Options, context: CheckContext) -> None:
        self._options = options
        self._context = context
        self._pattern = Pattern(match=options.match, pidfile=options.pidfile, user=options.user)
        self._look = Looks(context.threads)
        self._before: tuple[float, list[Seen]] | None = None
        self._memory: deque[tuple[datetime, float]] = deque()
        self._gone = 0
        self._restarts = 0

    async def run(self) -> CheckResult:
        """Judge the number of processes; measure the rest."""
        if self._look.is_hanging:
            return self._unknown("the look before this one has not come back: the host is overloaded")
        try:
            if self._before is None:
                self._before = perf_counter(), await self._find()
                await asyncio.sleep(_FIRST_SAMPLE)
            seen, missing = await self._find(), None
        except PermissionError:
            return self._unknown(
                f"the pid file {self._options.pidfile} may not be read",
                remedy="Let Tocsin's user read the pid file, or use match instead of pidfile",
            )
        except PidFileError as error:
            seen, missing = [], str(error)
        return self._judge(seen, missing)

    def timed_out(self, seconds: float) -> CheckResult:
        """Nothing is known of the processes when they could not be looked at in time."""
        return self._unknown(f"the processes could not be read within {seconds:g} s: the host is overloaded")

    async def _find(self) -> list[Seen]:
        return await self._look(lambda: find(self._pattern))

    def _judge(self, seen: list[Seen], missing: str | None) -> CheckResult:
        now, expected = self._context.clock(), self._options.expect.count
        fits = len(seen) in expected
        fields: dict[str, Value] = {"up": int(fits), "count": len(seen)}
        if seen:
            fields |= self._use(seen, now)
        self._follow(seen)
        fields["restarts"] = self._restarts
        told = _count(len(seen), str(self._pattern), missing)
        return CheckResult(
            state=State.OK if fits else State.CRITICAL,
            summary=masked(told + (_use_summary(fields) if fits else f", expected {expected}")),
            fields=fields,
            diagnostics=_table(seen, now),
        )

    def _use(self, seen: list[Seen], now: datetime) -> dict[str, Value]:
        rss = sum(one.rss_mb for one in seen)
        fields: dict[str, Value] = {
            "rss_mb": round(rss, 1),
            "rss_growth_mb_per_hour": self._growth(rss, seen, now),
            "cpu_percent": self._cpu_percent(seen),
            "threads": sum(one.threads for one in seen),
            "oldest_age_hours": round(_age(seen[0], now) / timedelta(hours=1), 3),
            "open_files": None,
        }
        counted = [one.open_files for one in seen if one.open_files is not None]
        if len(counted) == len(seen):
            fields["open_files"] = sum(counted)
        return fields

    def _growth(self, rss: float, seen: list[Seen], now: datetime) -> float | None:
        """Megabytes an hour; the window begins anew when none of the processes is one of before."""
        if not _identities(seen) & _identities(self._before[1] if self._before else []):
            self._memory.clear()
        while self._memory and now - self._memory[0][0] > _TREND_OVER:
            self._memory.popleft()
        points = [*self._memory, (now, rss)]
        if not self._memory or now - self._memory[-1][0] >= _TREND_STEP:
            self._memory.append((now, rss))
        if now - points[0][0] < _TREND_FROM:
            return None
        return round(slope([((at - now) / timedelta(hours=1), size) for at, size in points]), 2)

    def _cpu_percent(self, seen: list[Seen]) -> float | None:
        if self._before is None:
            return None
        at, before = self._before
        spent_before = {one.identity: one.cpu_seconds for one in before}
        spent = sum(one.cpu_seconds - spent_before.get(one.identity, 0.0) for one in seen)
        return round(max(0.0, spent) / max(perf_counter() - at, 1e-6) * 100, 1)

    def _follow(self, seen: list[Seen]) -> None:
        """Count a restart for each process that came where one had gone, now or in an earlier run."""
        if self._before is not None:
            then, now = _identities(self._before[1]), _identities(seen)
            self._gone += len(then - now)
            replaced = min(self._gone, len(now - then))
            self._restarts += replaced
            self._gone -= replaced
        self._before = perf_counter(), seen

    def _unknown(self, what: str, remedy: str | None = None) -> CheckResult:
        return CheckResult(state=State.UNKNOWN, summary=what, remedy=remedy)


def _identities(seen: list[Seen]) -> set[tuple[int, float]]:
    return {one.identity for one in seen}


def _age(one: Seen, now: datetime) -> timedelta:
    return now - datetime.fromtimestamp(one.born, UTC)


def _count(number: int, pattern: str, missing: str | None) -> str:
    if missing:
        return missing
    if number == 0:
        return f"no process matches {pattern}"
    return f"{number} process matches {pattern}" if number == 1 else f"{number} processes match {pattern}"


def _use_summary(fields: dict[str, Value]) -> str:
    if not fields["count"]:
        return ""
    growth = fields.get("rss_growth_mb_per_hour")
    trend = f" ({growth:+.1f} MB/h)" if isinstance(growth, float) else ""
    cpu = f", CPU {fields['cpu_percent']}%" if fields.get("cpu_percent") is not None else ""
    return f": {fields['rss_mb']} MB{trend}{cpu}"


def _table(seen: list[Seen], now: datetime) -> tuple[Diagnostic, ...]:
    if not seen:
        return ()
    lines = [f"{'PID':>7} {'User':<12} {'Age h':>8} {'RSS MB':>9} {'Files':>6}  Command"]
    for one in sorted(seen, key=lambda one: one.rss_mb, reverse=True)[:_SHOWN]:
        hours = _age(one, now) / timedelta(hours=1)
        files = "-" if one.open_files is None else str(one.open_files)
        command = masked(one.command or one.name)[:120]
        lines.append(
            f"{one.pid:>7} {one.user[:12]:<12} {hours:>8.2f} {one.rss_mb:>9.1f} {files:>6}  {command}"
        )
    if len(seen) > _SHOWN:
        lines.append(f"and {len(seen) - _SHOWN} more")
    return (Diagnostic(title="Processes", text="\n".join(lines)),)
