"""The process check against processes started for it."""

from __future__ import annotations

import asyncio
import getpass
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

import psutil
import pytest
from pydantic import ValidationError

from checks._trend import slope
from checks.deadline import run_within
from checks.options import CheckContext
from checks.process import Options, ProcessCheck
from checks.result import State
from tests.checks.means import ShiftedClock, means, text_of

# Says "ready" when it runs, allocates as many megabytes as each line asks, and says so.
PROGRAM = """
import sys
print("ready", flush=True)
kept = []
for line in sys.stdin:
    kept.append(b"x" * (int(line) * 1_000_000))
    print("done", flush=True)
"""


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
async def context(clock: ShiftedClock) -> AsyncIterator[CheckContext]:
    async with means(clock) as context:
        yield context


@pytest.fixture
def mark() -> str:
    """A word no other process has on its command line."""
    return f"probe-{uuid4().hex[:8]}"


@contextmanager
def running(*marks: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *marks], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def grow(process: subprocess.Popen[str], megabytes: int) -> None:
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{megabytes}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def watching(context: CheckContext, **options: Any) -> ProcessCheck:
    return Options.model_validate(options).build(context)


async def test_a_running_process_is_found_by_its_command_line(context: CheckContext, mark: str) -> None:
    with running(mark) as process:
        result = await watching(context, match=mark).run()
    assert result.state is State.OK
    assert result.fields["up"] == result.fields["count"] == 1
    assert 1 < float(str(result.fields["rss_mb"])) < 200
    assert result.fields["threads"] == 1
    assert int(str(result.fields["open_files"])) >= 3
    assert 0 <= float(str(result.fields["oldest_age_hours"])) < 0.1
    assert result.fields["rss_growth_mb_per_hour"] is None
    assert result.fields["restarts"] == 0
    assert set(result.fields) == Options(user="x").field_names()
    assert result.summary.startswith(f"1 process matches /{mark}/: ")
    assert str(process.pid) in text_of(result)


async def test_no_match_is_critical(context: CheckContext, mark: str) -> None:
    result = await watching(context, match=mark).run()
    assert result.state is State.CRITICAL
    assert result.summary == f"no process matches /{mark}/, expected >=1"
    assert result.fields["up"] == result.fields["count"] == 0


async def test_the_number_of_processes_can_be_expected(context: CheckContext, mark: str) -> None:
    with running(mark), running(mark):
        two = await watching(context, match=mark, expect={"count": 2}).run()
        three = await watching(context, match=mark, expect={"count": ">=3"}).run()
        none = await watching(context, match=mark, expect={"count": 0}).run()
    absent = await watching(context, match=mark, expect={"count": 0}).run()
    assert [r.state for r in (two, three, none, absent)] == [
        State.OK,
        State.CRITICAL,
        State.CRITICAL,
        State.OK,
    ]
    assert three.summary == f"2 processes match /{mark}/, expected >=3"


async def test_tocsin_itself_never_matches(context: CheckContext) -> None:
    command = Path(f"/proc/{os.getpid()}/cmdline").read_bytes().split(b"\0")[-2].decode()
    pids = [line.split()[0] for line in text_of(await watching(context, match=".").run()).splitlines()[2:]]
    assert command
    assert str(os.getpid()) not in pids


async def test_a_user_narrows_the_match(context: CheckContext, mark: str) -> None:
    with running(mark):
        mine = await watching(context, match=mark, user=getpass.getuser()).run()
        other = await watching(context, match=mark, user="no-such-user").run()
    assert mine.fields["count"] == 1
    assert other.state is State.CRITICAL
    assert other.summary.startswith(f"no process matches /{mark}/, user no-such-user")


async def test_a_process_that_has_died_but_was_not_reaped_does_not_count(
    context: CheckContext, mark: str
) -> None:
    with running(mark) as process:
        check = watching(context, match=f"{mark}|python")
        process.kill()
        while Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
            await asyncio.sleep(0.001)
        result = await check.run()
    assert str(process.pid) not in [line.split()[0] for line in text_of(result).splitlines() if line.split()]


async def test_a_pid_file_leads_to_its_process(context: CheckContext, mark: str, tmp_path: Path) -> None:
    file = tmp_path / "app.pid"
    check = watching(context, pidfile=str(file))
    absent = await check.run()
    with running(mark) as process:
        file.write_text(f"{process.pid}\n")
        present = await check.run()
    stale = await check.run()
    file.write_text("what?")
    garbage = await check.run()
    assert present.state is State.OK
    assert present.fields["count"] == 1
    for result, words in (
        (absent, f"the pid file {file} is not there"),
        (stale, f"process {process.pid} of the pid file {file} is not running"),
        (garbage, f"the pid file {file} holds no process number"),
    ):
        assert result.state is State.CRITICAL
        assert result.summary == f"{words}, expected >=1"


async def test_processor_time_is_of_the_time_between_runs(context: CheckContext, mark: str) -> None:
    check = watching(context, match=mark)
    busy = subprocess.Popen([sys.executable, "-c", "print(1, flush=True)\nwhile True: pass", mark], stdout=-1)
    try:
        assert busy.stdout
        busy.stdout.readline()
        began = perf_counter()
        await check.run()
        at_first = psutil.Process(busy.pid).cpu_times().user
        while psutil.Process(busy.pid).cpu_times().user - at_first < 0.2:
            await asyncio.sleep(0.01)
        result = await check.run()
        took = perf_counter() - began
    finally:
        busy.kill()
        busy.communicate()
    assert 0.19 / took * 100 <= float(str(result.fields["cpu_percent"])) < 150


async def test_growing_memory_shows_as_megabytes_an_hour(
    context: CheckContext, clock: ShiftedClock, mark: str
) -> None:
    check = watching(context, match=mark)
    with running(mark) as process:
        for minute in range(12):
            clock.shift = timedelta(minutes=minute)
            result = await check.run()
            growth = result.fields["rss_growth_mb_per_hour"]
            if minute < 5:
                assert growth is None
            grow(process, 2)
    assert growth == pytest.approx(120, rel=0.15)
    assert "MB/h" in result.summary


async def test_steady_memory_with_one_jump_is_no_growth(
    context: CheckContext, clock: ShiftedClock, mark: str
) -> None:
    check = watching(context, match=mark)
    with running(mark) as process:
        for minute in range(12):
            clock.shift = timedelta(minutes=minute)
            result = await check.run()
            if minute == 9:
                grow(process, 50)
    assert abs(float(str(result.fields["rss_growth_mb_per_hour"]))) < 20


async def test_restarts_are_counted_and_the_memory_of_the_old_process_forgotten(
    context: CheckContext, clock: ShiftedClock, mark: str
) -> None:
    check = watching(context, match=mark)
    with running(mark):
        await check.run()
        clock.shift = timedelta(minutes=6)
        before = await check.run()
    with running(mark):
        clock.shift = timedelta(minutes=7)
        at_once = await check.run()
    down = await check.run()
    with running(mark):
        later = await check.run()
        steady = await check.run()
    assert before.fields["rss_growth_mb_per_hour"] is not None
    assert at_once.fields["rss_growth_mb_per_hour"] is None
    counted = [r.fields["restarts"] for r in (before, at_once, down, later, steady)]
    assert counted == [0, 1, 1, 2, 2]


async def test_a_second_process_is_no_restart(context: CheckContext, mark: str) -> None:
    check = watching(context, match=mark)
    with running(mark):
        await check.run()
        with running(mark):
            result = await check.run()
    assert result.fields["count"] == 2
    assert result.fields["restarts"] == 0


async def test_secrets_on_a_command_line_are_masked(context: CheckContext, mark: str) -> None:
    with running(mark, "--password=hunter2secret", "postgres://app:letmein99@db/app"):
        text = text_of(await watching(context, match=mark).run())
    assert mark in text
    assert "hunter2secret" not in text
    assert "letmein99" not in text


async def test_a_look_that_takes_too_long_is_unknown(context: CheckContext, mark: str) -> None:
    release = threading.Event()
    for _ in range(4):
        context.threads.submit(release.wait)
    check = watching(context, match=mark)
    first = await run_within(check, timedelta(seconds=0.05))
    second = await check.run()
    release.set()
    assert first.state is second.state is State.UNKNOWN
    assert "within 0.05 s" in first.summary


def test_a_slope_is_not_moved_by_outliers() -> None:
    points = [(float(x), 3.0 * x) for x in range(20)]
    points[4], points[15] = (4.0, 900.0), (15.0, -900.0)
    assert slope(points) == pytest.approx(3)
    with pytest.raises(ValueError, match="two points"):
        slope([(1, 1), (1, 2)])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "write match"),
        ({"match": "("}, "regular expression"),
        ({"match": "a", "expect": {"count": "many"}}, ">=1"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Options.model_validate(options)
