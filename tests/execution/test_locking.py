"""A job never runs twice at once, and a lock of the dead never blocks."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from bot.execution.lock import file_name
from tests.execution.machine import Machine, ended, is_alive, until


def counting(others: int) -> str:
    """A job that counts itself and goes on until so many others were refused, or counted too."""
    return (
        "echo x >> count; n=0; while [ $(cat refusals count | wc -l) -le "
        f"{others} ] && [ $((n += 1)) -lt 400 ]; do sleep 0.02; done"
    )


async def start_all(machine: Machine, count: int, *options: str) -> list[int]:
    """The exit codes of so many starts of one job at once."""
    (machine.folder / "refusals").touch()

    async def start() -> int:
        done = await machine.job(counting(count - 1), *options)
        if done.code == 1:
            with (machine.folder / "refusals").open("a") as file:
                file.write("x\n")
        return done.code

    return sorted(await asyncio.gather(*(start() for _ in range(count))))


async def test_a_second_start_is_refused_and_logged(machine: Machine) -> None:
    first = await machine.start(
        "nightly", "--log", str(machine.log), "--", "sh", "-c", "echo on; read line", stdin=-1
    )
    assert first.stdout is not None
    await first.stdout.readline()
    second = await machine.job("echo never")
    assert (second.code, second.out) == (1, b"")
    assert f"already (process {first.pid}): not started a second time" in second.err
    (run,) = machine.runs()
    assert (run["status"], run["error"], run["exit_code"]) == ("ERROR", "duplicate_run", 1)
    assert run["lock_holder_pid"] == first.pid
    assert 0 < run["lock_age_seconds"] < 30
    await ended(first)
    assert (await machine.job("echo again")).out == b"again\n"


async def test_of_many_starts_at_once_one_runs(machine: Machine) -> None:
    assert await start_all(machine, 6) == [0, 1, 1, 1, 1, 1]
    assert (machine.folder / "count").read_text() == "x\n"


async def test_where_no_lock_file_can_be_had_one_runs_too(machine: Machine) -> None:
    (machine.folder / "file").touch()
    machine.environ["TOCSIN_LOCK_DIR"] = str(machine.folder / "file/locks")
    assert await start_all(machine, 3) == [0, 1, 1]


async def test_without_a_lock_several_run(machine: Machine) -> None:
    assert await start_all(machine, 2, "--no-lock") == [0, 0]


async def test_other_jobs_have_other_locks(machine: Machine) -> None:
    done = await asyncio.gather(
        *(machine.job("sleep 0.1", name=name) for name in ("a/b", "a_b", "a%b", "../a b", "é"))
    )
    assert [each.code for each in done] == [0] * 5
    assert all(path.is_file() for path in (machine.folder / "locks").iterdir())


async def test_a_dead_start_does_not_block_and_its_run_is_not_forgotten(machine: Machine) -> None:
    first = await machine.start("nightly", "--", "sh", "-c", "echo $$; exec sleep 60")
    assert first.stdout is not None
    command = int(await first.stdout.readline())
    first.kill()
    os.kill(command, signal.SIGKILL)
    await ended(first)
    await until(lambda: not is_alive(command))
    done = await machine.job("echo again")
    assert (done.code, done.out) == (0, b"again\n")
    lost, run = machine.runs()
    assert (lost["status"], lost["error"], run["status"]) == ("ERROR", "run_lost", "SUCCESS")
    assert lost["run_id"] != run["run_id"]
    assert lost["started_at"] < run["started_at"]


async def test_a_command_that_outlives_its_killed_watcher_still_counts_as_running(machine: Machine) -> None:
    first = await machine.start("nightly", "--", "sh", "-c", "echo $$; exec sleep 60")
    assert first.stdout is not None
    command = int(await first.stdout.readline())
    first.kill()
    await first.wait()
    assert is_alive(command)
    try:
        second = await machine.job("echo never")
        assert (second.code, machine.runs()[0]["lock_holder_pid"]) == (1, command)
    finally:
        os.kill(command, signal.SIGKILL)
    await ended(first)
    await until(lambda: not is_alive(command))
    assert (await machine.job("true")).code == 0


async def test_what_a_job_leaves_behind_does_not_hold_the_lock(machine: Machine) -> None:
    left = int((await machine.job("sleep 60 >/dev/null 2>&1 & echo $!")).out)
    try:
        assert (await machine.job("true")).code == 0
        assert [run["status"] for run in machine.runs()] == ["SUCCESS", "SUCCESS"]
    finally:
        os.kill(left, signal.SIGKILL)


async def test_a_damaged_lock_file_is_only_a_file(machine: Machine) -> None:
    locks = machine.folder / "locks"
    locks.mkdir()
    for text in ("junk", '{"pid": "x"}', "[]", '{"pid": 1, "run_id": "a", "command_pid": 1}'):
        (locks / "nightly.lock").write_text(text)
        assert (await machine.job("true")).code == 0


@pytest.mark.parametrize("name", [".", "..", "../../etc/passwd", "a/b", "x" * 200, "ü" * 200, "con.", "-rf"])
def test_every_name_makes_one_safe_file(name: str) -> None:
    made = file_name(name)
    assert made == Path(made).name
    assert not made.startswith(".")
    assert len(made.encode()) < 255
    assert made != file_name(name + "x")
