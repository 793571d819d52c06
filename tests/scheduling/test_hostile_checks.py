"""A check that hangs, blocks, floods or crashes harms no other: real hostile checks beside good ones."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from checks._threads import in_thread
from checks.deadline import Supervised, run_within
from checks.result import CannotRun, CheckResult, Diagnostic, State
from checks.threads import Threads
from tests.scheduling.playing import Doing, Good, playing, probe_of

TENTH = timedelta(milliseconds=100)
FAR = timedelta(minutes=1)


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """What blocks until the test ends waits for this."""
    event = threading.Event()
    yield event
    event.set()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def ok(**parts: Any) -> CheckResult:
    return CheckResult(**({"state": State.OK, "summary": "well"} | parts))


def raising(error: BaseException) -> Callable[[], Awaitable[Any]]:
    async def deed() -> None:
        raise error

    return deed


def giving(result: Any) -> Callable[[], Awaitable[Any]]:
    async def deed() -> Any:
        return result

    return deed


def blocking(threads: Executor, released: threading.Event) -> Callable[[], Awaitable[Any]]:
    """A driver that does not come back, as on a mount whose server is gone."""

    async def deed() -> Any:
        await in_thread(threads, lambda _: released.wait())
        return ok()

    return deed


def deaf(released: threading.Event) -> Callable[[], Awaitable[Any]]:
    """Goes on whatever it is told, until the test ends."""

    async def deed() -> Any:
        while not released.is_set():
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                continue
        return ok()

    return deed


async def hanging() -> None:
    await asyncio.Event().wait()


async def swallowing() -> CheckResult:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return ok(summary="as if nothing had been")


class Mute(Exception):
    """An error that cannot even be told."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Endless(dict[str, Any]):
    """Fields that fail when they are read."""

    def items(self) -> Any:
        raise RuntimeError("not readable")


def flood() -> CheckResult:
    megabyte = "x" * 1_000_000
    return ok(
        summary="y" * 50_000_000,
        fields={f"field_{number}": number for number in range(100_000)},
        diagnostics=tuple(Diagnostic(title="t", text=megabyte) for _ in range(100)),
        parts=tuple(ok(resource=f"part {number}") for number in range(5_000)),
    )


# Together


async def test_good_checks_keep_their_pace_beside_every_kind_of_hostile_one(
    tmp_path: Path, released: threading.Event
) -> None:
    threads = Threads(4)
    hostile: dict[str, Callable[[], Awaitable[Any]]] = {
        "hanging": hanging,
        "swallowing": swallowing,
        "deaf": deaf(released),
        "crashing": raising(ZeroDivisionError("by nothing")),
        "leaving": raising(SystemExit(1)),
        "interrupting": raising(KeyboardInterrupt()),
        "closing": raising(GeneratorExit()),
        "cancelling": raising(asyncio.CancelledError()),
        "mute": raising(Mute()),
        "nothing": giving(None),
        "stateless": giving(ok(state="fine")),
        "unreadable": giving(ok(fields=Endless())),
        **{f"blocking {n}": blocking(threads.lane(f"blocking {n}", 0.05), released) for n in range(8)},
    }
    good = Good(), Good()
    probes = [probe_of(f"good {n}", each, every=TENTH * 2) for n, each in enumerate(good)]
    probes += [probe_of(name, Doing(deed), every=TENTH * 2, timeout=TENTH) for name, deed in hostile.items()]
    async with playing(tmp_path, *probes) as stage:
        await until(lambda: min(len(each.starts) for each in good) >= 12)
        found = await stage.found()
        released.set()
    assert max(each.longest_pause for each in good) < 1.0
    assert {found[name].state for name in hostile if name in found} == {"unknown"}
    assert set(hostile) - set(found) == {
        "deaf"
    }  # it has five seconds to end in, which others do not wait for
    said = {name: row.summary for name, row in found.items()}
    assert said["hanging"] == said["swallowing"] == "not finished within 0.1 s"
    assert said["crashing"] == "the check itself failed: ZeroDivisionError: by nothing"
    assert said["leaving"] == "the check itself failed: SystemExit: 1"
    assert said["cancelling"] == "the check itself failed: it cancelled itself"
    assert said["mute"] == "the check itself failed: Mute: a Mute"
    assert said["nothing"].endswith("it gave a NoneType instead of a result")
    assert said["stateless"].endswith("it gave 'fine' instead of a state")


async def test_a_flood_is_stored_within_bounds_and_holds_nobody_up(tmp_path: Path) -> None:
    good, result = Good(), flood()
    probes = [
        probe_of("good", good, every=TENTH * 2),
        probe_of("flood", Doing(giving(result)), every=timedelta(seconds=1)),
    ]
    async with playing(tmp_path, *probes) as stage:
        await until(lambda: len(good.starts) >= 8)
        found = await stage.found()
    assert good.longest_pause < 1.5
    assert len(found["flood"].fields) <= 200
    assert len(found["flood"].summary) <= 2000


async def test_lag_counts_from_the_planned_start(tmp_path: Path) -> None:
    """Not from when the job began: a loop that was blocked has made everything late."""
    good = Good()

    async def block_the_loop() -> CheckResult:
        end = perf_counter() + 0.5
        while perf_counter() < end:
            pass
        return ok()

    probes = [
        probe_of("blocker", Doing(block_the_loop), every=FAR),
        probe_of("good", good, every=FAR),  # planned a quarter of a second after it
    ]
    async with playing(tmp_path, *probes) as stage:
        await until(lambda: good.starts)
        assert stage.scheduler.lag >= timedelta(milliseconds=200)


# One by one


async def test_a_flood_keeps_what_can_be_kept_and_says_what_was_left_out() -> None:
    result = await run_within(Doing(giving(flood())), FAR)
    assert (len(result.fields), len(result.parts), len(result.diagnostics)) == (200, 1000, 10)
    assert all(len(each.text) == 8000 for each in result.diagnostics)
    assert result.summary.endswith(
        "(kept are 1,000 of 5,000 parts, 200 of 100,000 fields, 10 of 100 diagnostics)"
    )
    assert len(result.summary) == 2000


async def test_lists_that_hold_each_other_without_end_are_cut() -> None:
    wide: Any = [0.5] * 200
    for _ in range(12):
        wide = [wide] * 200
    knot: list[Any] = []
    knot.append(knot)
    fields = {"wide": wide, "knot": knot, "huge": 10**5000, "nan": float("nan"), "odd": object(), "after": 1}
    result = await run_within(Doing(giving(ok(fields=fields))), FAR)
    assert (result.fields["huge"], result.fields["nan"], result.fields["after"]) == (None, None, 1)
    assert len(str(result.fields)) < 100_000


async def test_a_secret_in_the_words_of_a_crash_is_not_repeated() -> None:
    error = RuntimeError("cannot reach mysql://app:hunter2secret@db.example.org/x")
    result = await run_within(Doing(raising(error)), FAR)
    assert "hunter2secret" not in result.summary
    assert "db.example.org" in result.summary


async def test_a_check_that_does_not_end_is_left_behind_and_not_begun_again(
    released: threading.Event,
) -> None:
    check = Supervised(Doing(deaf(released)), grace=0.05)
    first = await check.run(TENTH)
    assert (first.state, first.summary) == (State.UNKNOWN, "not finished within 0.1 s")
    second = await check.run(TENTH)
    assert second.summary == "its run of 1s ago has not ended, though it was told to"
    assert second.remedy == "restart Tocsin to be rid of it"
    released.set()
    await until(lambda: check._stray is not None and check._stray.done())
    assert (await check.run(TENTH)).state is State.OK


async def test_who_cancels_the_caller_cancels_the_check_and_waits_for_its_end() -> None:
    ended = []

    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    task = asyncio.create_task(run_within(Doing(tidy), FAR))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


# Threads


async def test_a_blocked_check_holds_one_thread_and_leaves_the_others(released: threading.Event) -> None:
    threads = Threads(2)
    bad, good = threads.lane("nfs", 0.05), threads.lane("csv", 0.05)
    for _ in range(5):
        await run_within(Doing(blocking(bad, released)), TENTH)
    blocked = await run_within(Doing(blocking(bad, released)), FAR)
    assert blocked.state is State.UNKNOWN
    assert blocked.summary.startswith("its last look, begun 1s ago, has not come back")
    assert blocked.remedy == "see whether the mount, the disk or the server it reads answers"
    assert await in_thread(good, lambda _: 7) == 7


async def test_when_all_threads_are_blocked_it_is_said_with_who_holds_them(released: threading.Event) -> None:
    threads = Threads(2)
    for name in ("nfs-a", "nfs-b"):
        await run_within(Doing(blocking(threads.lane(name), released)), TENTH)
    result = await run_within(Doing(blocking(threads.lane("csv", 0.05), released)), FAR)
    assert result.state is State.UNKNOWN
    assert result.summary == ("all 2 threads for blocking work are taken: nfs-a (since 1s), nfs-b (since 1s)")
    assert result.remedy == "see why those checks do not come back, or leave them out and restart Tocsin"
    released.set()
    assert await in_thread(threads.lane("csv"), lambda _: 7) == 7


async def test_work_that_waited_for_a_thread_is_done_when_one_is_free(released: threading.Event) -> None:
    threads = Threads(1)
    first = asyncio.create_task(in_thread(threads.lane("a"), lambda _: released.wait()))
    await asyncio.sleep(0)
    others = [asyncio.create_task(in_thread(threads.lane(name), lambda _: 7)) for name in "bcd"]
    await asyncio.sleep(0)
    released.set()
    assert await asyncio.gather(first, *others) == [True, 7, 7, 7]


async def test_what_a_thread_raises_reaches_who_waits_and_frees_the_thread() -> None:
    lane = Threads(1).lane("a")

    def leave(_: threading.Event) -> None:
        raise SystemExit(3)

    for _ in range(3):
        assert (await run_within(Doing(lambda: in_thread(lane, leave)), FAR)).summary.endswith(
            "SystemExit: 3"
        )


async def test_the_members_of_a_group_have_threads_of_their_own(released: threading.Event) -> None:
    threads = Threads(4)
    group = threads.lane("ready")
    await run_within(Doing(blocking(group.lane("nfs"), released)), TENTH)
    assert await in_thread(group.lane("csv"), lambda _: 7) == 7


async def test_nothing_is_begun_in_threads_that_are_closed(released: threading.Event) -> None:
    threads = Threads(1)
    running = asyncio.create_task(in_thread(threads.lane("a"), lambda _: released.wait()))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(in_thread(threads.lane("b"), lambda _: 7))
    await asyncio.sleep(0)
    threads.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    released.set()
    assert await running


def test_cannot_run_carries_its_remedy() -> None:
    assert CannotRun("no driver", remedy="install it").remedy == "install it"
