"""The disk is full: people and machines are told, nothing is half done, and nothing is lost once there is room."""

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.e2e.harness import ALEX, TOKEN, Story, buttons, shown, story

pytestmark = pytest.mark.faults


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small disk can only be mounted by root: {error}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave no byte free; the file to delete for room."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


async def test_a_full_disk_is_told_everywhere_and_loses_nothing(tmp_path: Path, disk: Path) -> None:
    async with story(tmp_path, database=f"sqlite:///{disk}/tocsin.db") as told:
        await told.change(503)
        message = await told.alert("backend")
        await told.settle()
        filler = fill(disk)

        await refused_run(told)
        await told.press(message, "acknowledge")
        said = shown(await told.told(ALEX, "cannot use its database"))
        assert "disk" in said
        assert "Nothing was changed; try again." in said
        window = await told.pick(message, "resolve")
        await told.workspace.submit(window["id"], {"note": "Done"})
        await told.workspace.wait_for(lambda: len(told.workspace.ephemerals(ALEX, "alerts")) == 2)
        status, health = await told.health()
        assert (status, health["status"]) == (503, "unhealthy")
        assert "disk" in health["parts"]["database"]
        assert "Tocsin itself:" in await told.ask("/tocsin-status")  # reading still works
        await told.change(200)  # what the check finds now must wait for room
        await emergency(told)
        assert buttons(told.again(message)) == ["Acknowledge", "Resolve", "Silence…", "Open incident"]

        filler.unlink()

        message = await told.becomes(message, "Resolved: backend is down")
        assert (await told.health())[1]["status"] == "healthy"
        await told.tocsin._check_itself()
        assert any("can write its database again" in shown(m) for m in told.workspace.messages("alerts"))
        await told.run("sync", "ERROR", run_id="kept-by-its-sender")
        await told.alert("sync failed")


async def refused_run(told: Story) -> None:
    """A run that cannot be kept is its sender's to send again."""
    async with told.http.post(
        f"http://127.0.0.1:{told.tocsin.http.port}/api/v1/runs",
        json={"job_name": "sync", "status": "ERROR", "run_id": "kept-by-its-sender"},
        headers={"Authorization": f"Bearer {TOKEN}"},
    ) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert "try again" in (await answer.json())["error"]


async def emergency(told: Story) -> None:
    """After a while Slack is told past the database, once."""
    await told.tocsin._check_itself()
    told.clock.skip(timedelta(minutes=1))
    await told.tocsin._check_itself()
    await told.tocsin._check_itself()
    (found,) = [m for m in told.workspace.messages("alerts") if "cannot write its database" in shown(m)]
    assert "disk" in shown(found)


async def test_what_was_posted_as_the_disk_filled_is_not_posted_again(tmp_path: Path, disk: Path) -> None:
    async with story(tmp_path, database=f"sqlite:///{disk}/tocsin.db") as told:
        await told.looked()
        told.workspace.faults.stall("chat.postMessage", 0.3)
        await told.run("sync", "ERROR", exit_code=1)
        await told.workspace.wait_for(lambda: not told.workspace.faults.waiting)
        filler = fill(disk)  # claimed and under way: it will be posted, but cannot be recorded
        message = await told.alert("sync failed")
        await told.press(message, "acknowledge")
        await told.told(ALEX, "cannot use its database")

        filler.unlink()
        told.skip(timedelta(minutes=2))
        await told.press(message, "acknowledge")

        await told.becomes(message, "acknowledged by")
        await told.settle()
        assert len(told.alerts()) == 1
        assert len(told.thread(message)) == 1
