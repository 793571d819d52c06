"""This host: processors, memory, disks, load, and who uses them when they run short."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter

import psutil
from pydantic import BaseModel, ConfigDict, Field

from checks._host import CpuTimes, Mount, ProcessUse, cpu_times, mounts, process_times, process_use
from checks._threads import Looks
from checks.options import CheckContext, CheckOptions
from checks.result import CheckResult, Diagnostic, State, Value

_FIRST_SAMPLE = 0.2  # seconds; later runs measure since the one before
_PROCESS_SAMPLE = 0.5
_BUSY = 70.0  # percent; from here on the processes are worth the walk over all of them
_TOP = 5
_MB = 1e6


class MountChoice(BaseModel):
    """Which mounts to look at: with `include` only those; patterns such as `/srv/*`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    include: tuple[str, ...] = Field(default=(), description="Only these mounts")
    exclude: tuple[str, ...] = Field(default=(), description="All but these")


class Options(CheckOptions):
    """`processes: true` shows the busiest processes always, not only when the host is busy."""

    mounts: MountChoice = Field(
        default=MountChoice(), description="Which mounts count; those of real disks unless set"
    )
    processes: bool = Field(default=False, description="Always show the busiest processes")

    def field_names(self) -> frozenset[str]:
        """Percentages, megabytes and gigabytes as named; load is the kernel's, and by processor."""
        loads = {"cpu_count", "load_1m", "load_5m", "load_15m", "load_per_cpu"}
        sizes = {"memory_available_mb", "disk_mount", "disk_free_gb", "inodes_mount", "uptime_hours"}
        return self.percent_fields() | loads | sizes

    def percent_fields(self) -> frozenset[str]:
        """All of which stop at 100."""
        return frozenset({"cpu_percent", "memory_percent", "swap_percent", "disk_percent", "inodes_percent"})

    def build(self, context: CheckContext) -> SystemCheck:
        """The measurement, which remembers the processor times of its last run."""
        return SystemCheck(self, context)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one blocking look at the host gives."""

    cpu: CpuTimes
    cpu_count: int
    load: tuple[float, float, float]
    memory_percent: float
    memory_available_mb: float
    swap_percent: float
    started: datetime
    mounts: list[Mount]
    not_mounted: list[str]


class SystemCheck:
    """Measures the host Tocsin runs on. Judges nothing but that what was named is mounted."""

    def __init__(self, options: Options, context: CheckContext) -> None:
        self._options = options
        self._context = context
        self._cpu: CpuTimes | None = None
        self._look = Looks(context.threads)

    async def run(self) -> CheckResult:
        """Percentages since the last run; the first one takes a short sample."""
        if self._look.is_hanging:
            return self._hangs("the look before this one has not come back")
        earlier = self._cpu
        if earlier is None:
            earlier = await self._look(cpu_times)
            await asyncio.sleep(_FIRST_SAMPLE)
        reading = await self._look(lambda: _read(self._options.mounts))
        cpu_percent = reading.cpu.percent_since(earlier)
        self._cpu = reading.cpu
        fields = _fields(reading, cpu_percent, self._context.clock())
        diagnostics = [_load(reading), _mount_table(reading.mounts)]
        if self._options.processes or max(cpu_percent or 0.0, reading.memory_percent) >= _BUSY:
            diagnostics.insert(0, await self._top_processes())
        absent = ", ".join(reading.not_mounted)
        return CheckResult(
            state=State.CRITICAL if absent else State.OK,
            summary=(f"nothing is mounted at {absent}; " if absent else "") + _summary(reading, cpu_percent),
            fields=fields,
            diagnostics=tuple(d for d in diagnostics if d.text),
        )

    def timed_out(self, seconds: float) -> CheckResult:
        """Nothing is known of the host when it could not be looked at in time."""
        return self._hangs(f"no measurement within {seconds:g} s")

    async def _top_processes(self) -> Diagnostic:
        began, earlier = perf_counter(), await self._look(process_times)
        await asyncio.sleep(_PROCESS_SAMPLE)
        later = await self._look(process_times)
        used = process_use(earlier, later, perf_counter() - began)
        by_memory = sorted(used, key=lambda use: use.rss_mb, reverse=True)[:_TOP]
        text = "By CPU\n" + _process_table(used[:_TOP]) + "\nBy memory\n" + _process_table(by_memory)
        return Diagnostic(title="Top processes", text=text)

    def _hangs(self, what: str) -> CheckResult:
        return CheckResult(
            state=State.UNKNOWN,
            summary=f"{what}: a mount may not answer, or the host is overloaded",
            remedy="Leave out a mount that hangs: mounts: {exclude: [/its/path]}",
        )


def _read(choice: MountChoice) -> _Reading:
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    found, missing = mounts(choice.include, choice.exclude)
    return _Reading(
        cpu=cpu_times(),
        cpu_count=psutil.cpu_count() or 1,
        load=psutil.getloadavg(),
        memory_percent=memory.percent,
        memory_available_mb=round(memory.available / _MB, 1),
        swap_percent=swap.percent,
        started=datetime.fromtimestamp(psutil.boot_time(), UTC),
        mounts=found,
        not_mounted=missing,
    )


def _fields(reading: _Reading, cpu_percent: float | None, now: datetime) -> dict[str, Value]:
    fields: dict[str, Value] = {
        "cpu_count": reading.cpu_count,
        "load_1m": round(reading.load[0], 2),
        "load_5m": round(reading.load[1], 2),
        "load_15m": round(reading.load[2], 2),
        "load_per_cpu": round(reading.load[0] / reading.cpu_count, 2),
        "memory_percent": reading.memory_percent,
        "memory_available_mb": reading.memory_available_mb,
        "swap_percent": reading.swap_percent,
        "uptime_hours": round((now - reading.started) / timedelta(hours=1), 2),
    }
    if cpu_percent is not None:
        fields["cpu_percent"] = round(cpu_percent, 1)
    if reading.mounts:
        fullest = reading.mounts[0]
        fields["disk_percent"] = fullest.percent
        fields["disk_free_gb"] = fullest.free_gb
        fields["disk_mount"] = fullest.path
    counted = [mount for mount in reading.mounts if mount.inodes_percent is not None]
    if crowded := max(counted, key=lambda mount: mount.inodes_percent or 0.0, default=None):
        fields["inodes_percent"], fields["inodes_mount"] = crowded.inodes_percent, crowded.path
    return fields


def _summary(reading: _Reading, cpu_percent: float | None) -> str:
    parts = [] if cpu_percent is None else [f"CPU {cpu_percent:.0f}%"]
    parts.append(f"memory {reading.memory_percent:.0f}%")
    if reading.mounts:
        parts.append(f"disk {reading.mounts[0].percent:.0f}% ({reading.mounts[0].path})")
    return ", ".join([*parts, f"load {reading.load[0]:.2f} on {reading.cpu_count} CPUs"])


def _load(reading: _Reading) -> Diagnostic:
    one, five, fifteen = reading.load
    text = f"{one:.2f} (1 min)  {five:.2f} (5 min)  {fifteen:.2f} (15 min)  on {reading.cpu_count} CPUs"
    return Diagnostic(title="Load averages", text=text)


def _mount_table(found: list[Mount]) -> Diagnostic:
    lines = [f"{'Mount':<24} {'Used':>6} {'Free GB':>9} {'Size GB':>9} {'Inodes':>7}"] if found else []
    for mount in found[:15]:
        inodes = "-" if mount.inodes_percent is None else f"{mount.inodes_percent:.0f}%"
        lines.append(
            f"{mount.path[:60]:<24} {mount.percent:>5.0f}% {mount.free_gb:>9.1f} {mount.total_gb:>9.1f} {inodes:>7}"
        )
    return Diagnostic(title="Mounts", text="\n".join(lines))


def _process_table(used: list[ProcessUse]) -> str:
    lines = [f"{'Name':<24} {'PID':>7} {'CPU %':>6} {'RSS MB':>9}"]
    lines += [f"{use.name[:24]:<24} {use.pid:>7} {use.cpu_percent:>6.1f} {use.rss_mb:>9.1f}" for use in used]
    return "\n".join(lines) + "\n"
