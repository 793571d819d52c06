"""Killed at any instant and started again, Tocsin loses nothing and says nothing twice."""

from pathlib import Path

import pytest

from bot.domain.clock import system_clock
from tests.e2e.harness import ALEX, SHOP, Story, shown, story
from tests.e2e.process import running

pytestmark = pytest.mark.faults

# Deliveries count from one: the alert's message, its edit after the acknowledgement, the line in its thread.
FIRST = ("before_commit", "after_commit", "after_claim", "before_post", "after_post", "after_record")
LATER = ("after_post:2", "after_post:3")


async def killed(told: Story, tmp_path: Path, place: str, *, acknowledged: bool) -> None:
    """Let a process run until it is killed at this place."""
    config = tmp_path / "tocsin.yml"
    config.write_text(told.config)
    async with running(config, told.workspace, {"TOCSIN_FAILPOINT": place}) as process:
        if acknowledged:
            await process.logs("slack_connected")
            messages = await told.workspace.wait_for(lambda: told.alerts("backend"), timeout=20)
            await told.press(messages[0], "acknowledge")
        assert await process.ended() == -9, process.lines[-5:]


@pytest.mark.parametrize("place", [*FIRST, *LATER])
async def test_after_a_kill_everything_is_told_once_and_true(tmp_path: Path, place: str) -> None:
    later = place in LATER
    async with story(tmp_path, SHOP, start=system_clock(), every="1h", begin=False) as told:
        told.service.status = 503
        await killed(told, tmp_path, place, acknowledged=later)

        await told.start()

        message = await told.alert("backend is down")
        if later:
            message = await told.becomes(message, f"acknowledged by <@{ALEX}>")
        await told.settle()
        assert len(told.workspace.messages("alerts")) == 1
        lines = [f":eyes: <@{ALEX}> acknowledged this"] if later else []
        assert told.thread(message) == lines
        await told.change(200)
        message = await told.becomes(message, "Resolved: backend is down")
        await told.settle()
        assert len(told.workspace.messages("alerts")) == 1
        assert told.thread(message)[: len(lines)] == lines
        assert ["Recovered" in line for line in told.thread(message)[len(lines) :]] == [True]
        assert "Seen" not in shown(message) or "Seen\n2" in shown(message).replace("*", "")
