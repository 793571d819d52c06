"""A remedy whose Tocsin is killed is never run again unseen."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bot.domain.clock import system_clock
from tests.e2e.harness import SHOP, Story, story
from tests.e2e.process import running
from tests.e2e.test_remedies import remedied

pytestmark = pytest.mark.faults

SCRIPT = """
import os, sys, time
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
print("begun", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def ran(tmp_path: Path) -> Iterator[Path]:
    """The file to which each run of the remedy writes its process; those left are ended."""
    file = tmp_path / "ran"
    file.touch()
    yield file
    for line in file.read_text().splitlines():
        with suppress(ProcessLookupError):
            os.kill(int(line), signal.SIGKILL)


def config(tmp_path: Path, ran: Path, seconds: float) -> str:
    script = tmp_path / "restart.py"
    script.write_text(SCRIPT)
    return SHOP + (
        "remedies:\n  restart:\n    when: check == 'backend'\n    attempts: 1\n"
        f"    command: [{sys.executable}, {script}, {ran}, '{seconds}']\n"
    )


async def left_behind(told: Story, tmp_path: Path, ran: Path, place: str) -> None:
    """Let a process run the remedy and be killed there: at a failpoint, or while the command runs."""
    file = tmp_path / "tocsin.yml"
    file.write_text(told.config)
    environ = {} if place == "during" else {"TOCSIN_FAILPOINT": place}
    async with running(file, told.workspace, environ) as process:
        if place == "during":
            async with asyncio.timeout(30):
                while not ran.read_text():
                    await asyncio.sleep(0.02)
            process.kill()
        assert await process.ended() == -9, process.lines[-5:]


@pytest.mark.parametrize(("place", "runs"), [("before_remedy", 0), ("during", 1), ("after_remedy", 1)])
async def test_what_was_killed_on_its_way_is_verified_and_not_run_again(
    tmp_path: Path, ran: Path, place: str, runs: int
) -> None:
    content = config(tmp_path, ran, 60 if place == "during" else 0)
    async with story(tmp_path, content, start=system_clock(), every="1h", begin=False) as told:
        told.service.status = 503
        await left_behind(told, tmp_path, ran, place)
        await told.start()
        message = await told.alert("backend is down")
        await told.see(lambda: any("interrupted" in line for line in told.thread(message)))
        await remedied(told)
        await told.see(lambda: any("Recovery failed" in line for line in told.thread(message)))

        assert len(ran.read_text().splitlines()) == runs
        said = "\n".join(told.thread(message))
        assert said.count("running restart (attempt 1 of 1 in 1 h)") == 1
        assert said.count("interrupted: Tocsin stopped while restart ran") == 1
        assert "1 of 1 attempts in 1 h" in said


async def test_a_service_that_came_back_meanwhile_is_said_to_have_recovered(
    tmp_path: Path, ran: Path
) -> None:
    content = config(tmp_path, ran, 60)
    async with story(tmp_path, content, start=system_clock(), every="1h", begin=False) as told:
        told.service.status = 503
        await left_behind(told, tmp_path, ran, "during")
        told.service.status = 200
        await told.start()
        message = await told.alert("backend is down")
        await remedied(told)
        await told.becomes(message, "Resolved: backend is down")
        await told.settle()
        said = "\n".join(told.thread(message))
        assert "Recovery failed" not in said
        assert "recovered by restart" in said
        assert len(ran.read_text().splitlines()) == 1


async def test_a_tocsin_that_is_stopped_ends_what_it_runs(tmp_path: Path, ran: Path) -> None:
    async with story(tmp_path, config(tmp_path, ran, 60), every="1h") as told:
        await told.change(503)
        message = await told.alert("backend is down")
        await told.tocsin.remedying.tick()
        await told.see(lambda: bool(ran.read_text()))
        await told.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(int(ran.read_text()), 0)
        await told.start()
        await told.see(lambda: any("interrupted" in line for line in told.thread(message)))
        assert len(ran.read_text().splitlines()) == 1
