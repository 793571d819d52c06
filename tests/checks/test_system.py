"""The system check on the host the tests run on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from time import perf_counter, sleep

import psutil
import pytest
from pydantic import ValidationError

from checks import _host
from checks._host import CpuTimes
from checks.deadline import run_within
from checks.options import CheckContext
from checks.result import State
from checks.system import Options
from tests.checks.means import means, text_of


@pytest.fixture
async def context() -> AsyncIterator[CheckContext]:
    async with means() as context:
        yield context


def await_cpu(process: psutil.Process, seconds: float) -> None:
    """Wait until a process has used this much more processor time."""
    before = process.cpu_times().user
    while process.cpu_times().user - before < seconds:
        sleep(0.01)


async def test_a_host_is_measured_in_every_field_announced(context: CheckContext) -> None:
    options = Options()
    result = await options.build(context).run()
    assert result.state is State.OK
    assert set(result.fields) == options.field_names()
    for name in options.percent_fields():
        assert 0 <= float(str(result.fields[name])) <= 100
    assert result.fields["cpu_count"] == psutil.cpu_count()
    assert float(str(result.fields["uptime_hours"])) > 0
    assert "CPU " in result.summary
    assert f"({result.fields['disk_mount']})" in result.summary


async def test_the_disk_of_the_fields_is_the_fullest_and_agrees_with_df(context: CheckContext) -> None:
    result = await Options().build(context).run()
    usage = psutil.disk_usage(str(result.fields["disk_mount"]))
    assert result.fields["disk_percent"] == pytest.approx(usage.percent, abs=1)
    assert result.fields["disk_free_gb"] == pytest.approx(usage.free / 1e9, abs=1)
    assert str(result.fields["disk_mount"]) in text_of(result)


async def test_load_averages_are_always_at_hand(context: CheckContext) -> None:
    result = await Options().build(context).run()
    assert [d.title for d in result.diagnostics if d.title != "Top processes"] == ["Load averages", "Mounts"]


async def test_the_busiest_processes_are_shown_on_demand(context: CheckContext) -> None:
    result = await Options(processes=True).build(context).run()
    table = next(d.text for d in result.diagnostics if d.title == "Top processes")
    by_cpu, by_memory = (part.splitlines()[1:6] for part in table.split("By ")[1:])
    assert by_cpu[0].split() == by_memory[0].split() == ["Name", "PID", "CPU", "%", "RSS", "MB"]
    for line in by_cpu[1:] + by_memory[1:]:
        *_, pid, cpu, rss = line.split()
        assert pid.isdecimal()
        assert float(cpu) >= 0
        assert float(rss) >= 0
    assert len(table) < 1500


def test_a_busy_process_is_found_with_its_share_of_a_processor() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        earlier = _host.process_times()
        await_cpu(psutil.Process(busy.pid), seconds=0.2)
        used = _host.process_use(earlier, _host.process_times(), seconds=1.0)
    finally:
        busy.kill()
        busy.wait()
    assert [use.cpu_percent for use in used] == sorted((use.cpu_percent for use in used), reverse=True)
    assert next(use for use in used if use.pid == busy.pid).cpu_percent >= 19


async def test_processor_time_is_measured_between_runs(context: CheckContext) -> None:
    check = Options().build(context)
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        began = perf_counter()
        await check.run()
        await_cpu(psutil.Process(busy.pid), seconds=0.3)
        result = await check.run()
        took = perf_counter() - began
    finally:
        busy.kill()
        busy.wait()
    least = 0.28 / took / (psutil.cpu_count() or 1) * 100
    assert float(str(result.fields["cpu_percent"])) >= least * 0.9


def test_no_time_between_two_looks_gives_no_percentage() -> None:
    assert CpuTimes(5, 10).percent_since(CpuTimes(5, 10)) is None
    assert CpuTimes(6, 12).percent_since(CpuTimes(5, 10)) == 50
    assert CpuTimes(4, 12).percent_since(CpuTimes(5, 10)) == 0  # the kernel's idle counters may step back


async def test_a_mount_that_was_named_but_is_absent_is_critical(context: CheckContext) -> None:
    options = Options.model_validate({"mounts": {"include": ["/", "/no/such/mount"]}})
    result = await options.build(context).run()
    assert result.state is State.CRITICAL
    assert result.summary.startswith("nothing is mounted at /no/such/mount; ")
    assert result.fields["disk_mount"] == "/"


async def test_excluded_mounts_are_left_out_by_pattern(context: CheckContext) -> None:
    result = await Options.model_validate({"mounts": {"exclude": ["/*"]}}).build(context).run()
    assert "disk_percent" not in result.fields
    assert result.state is State.OK


def test_kernel_and_memory_file_systems_are_no_disks() -> None:
    found, missing = _host.mounts()
    assert found
    assert not missing
    assert not {mount.kind for mount in found} & {"proc", "sysfs", "tmpfs", "devtmpfs", "cgroup2", "squashfs"}
    assert len({os.stat(mount.path).st_dev for mount in found}) == len(found)


async def test_a_look_that_hangs_is_unknown_and_holds_one_thread_only(context: CheckContext) -> None:
    check = Options().build(context)
    release = threading.Event()
    for _ in range(4):  # what occupies the threads here is what a mount that hangs would
        context.threads.submit(release.wait)
    first = await run_within(check, timedelta(seconds=0.05))
    second = await run_within(check, timedelta(seconds=0.05))
    release.set()
    assert first.state is second.state is State.UNKNOWN
    assert first.summary.startswith("no measurement within 0.05 s")
    assert second.summary.startswith("the look before this one has not come back")
    assert "exclude" in (first.remedy or "")


async def test_a_host_that_answers_again_is_measured_again(context: CheckContext) -> None:
    check = Options().build(context)
    release = threading.Event()
    waiting = [context.threads.submit(release.wait) for _ in range(4)]
    await run_within(check, timedelta(seconds=0.05))
    release.set()
    for occupied in waiting:
        await asyncio.wrap_future(occupied)
    async with asyncio.timeout(5):
        while (result := await check.run()).state is State.UNKNOWN:
            await asyncio.sleep(0.01)
    assert result.state is State.OK


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"mounts": {"only": ["/"]}})
