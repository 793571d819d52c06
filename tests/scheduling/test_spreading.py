"""When checks start: spread over their interval, each at a phase of its own, all of them within the first one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.config import parse
from bot.probe import probes_of
from bot.scheduler import Phased, triggers
from tests.properties import quick
from tests.scheduling.playing import Good, clock, playing, probe_of
from tests.scheduling.test_hostile_checks import until

START = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def first_starts(count: int, every: timedelta) -> list[datetime]:
    probes = [probe_of(f"check {number}", Good(), every=every) for number in range(count)]
    return [trigger.get_next_fire_time(None, START) for trigger in triggers(probes, START)]


async def test_two_thousand_http_checks_start_evenly_over_their_minute() -> None:
    lines = [
        f"  shop-{n}: {{type: http, url: 'http://shop-{n}.example.org/', every: 60s}}" for n in range(2000)
    ]
    loaded = parse("\n".join(["checks:", *lines]).encode(), "tocsin.yml", {}, tokens_needed=False)
    async with probes_of(loaded, clock) as probes:
        plan = triggers(probes, START)
    first = [trigger.get_next_fire_time(None, START) for trigger in plan]
    assert min(first) == START
    assert max(first) < START + MINUTE  # the first round checks everything within one interval
    assert set(Counter((at - START) // timedelta(milliseconds=300) for at in first).values()) == {10}
    second = [trigger.get_next_fire_time(at, at) for trigger, at in zip(plan, first, strict=True)]
    assert [late - early for early, late in zip(first, second, strict=True)] == [MINUTE] * 2000


def test_few_checks_do_not_wait_for_their_share_of_an_hour() -> None:
    assert max(first_starts(4, timedelta(hours=1))) == START + timedelta(milliseconds=750)


def test_checks_of_one_interval_are_spread_whatever_else_there_is() -> None:
    quickly = [probe_of(f"quick {n}", Good(), every=timedelta(seconds=10)) for n in range(1000)]
    rarely = [probe_of(f"rare {n}", Good(), every=timedelta(hours=1)) for n in range(9000)]
    plan = triggers([*quickly, *rarely], START)
    first = [trigger.get_next_fire_time(None, START) for trigger in plan[:1000]]
    assert set(Counter((at - START) // timedelta(seconds=1) for at in first).values()) == {100}


def test_the_same_file_comes_to_the_same_phases() -> None:
    assert first_starts(300, MINUTE) == first_starts(300, MINUTE)


@settings(quick)
@given(
    interval=st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=1)),
    late=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3)),
)
def test_a_phase_never_comes_to_the_same_instant_twice(interval: timedelta, late: timedelta) -> None:
    trigger = Phased(START, interval)
    previous = trigger.get_next_fire_time(None, START)
    for now in (previous, previous + late, previous - late / 100):
        following = trigger.get_next_fire_time(previous, now)
        assert following > max(previous, now)
        assert following - max(previous, now) <= interval
        assert (following - START) % interval == timedelta(0)
        previous = following


async def test_the_real_scheduler_starts_them_apart_and_all_within_one_interval(tmp_path: Path) -> None:
    checks = [Good() for _ in range(200)]
    every = timedelta(seconds=2)
    began = perf_counter()
    probes = [probe_of(f"check {n}", each, every=every) for n, each in enumerate(checks)]
    async with playing(tmp_path, *probes) as stage:
        began = perf_counter()
        await until(lambda: all(each.starts for each in checks))
        found = await stage.found()
    first = [each.starts[0] - began for each in checks]
    assert first == sorted(first)
    assert first[-1] - first[0] == pytest.approx(1.99, abs=0.5)
    windows = Counter(int(at / 0.5) for at in first)
    assert max(windows.values()) <= 100  # 50 when nothing else keeps the processor
    assert len(found) == 200
