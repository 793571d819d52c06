"""An escalation step is said once, also when Tocsin is killed while it says it."""

from pathlib import Path

import pytest

from bot.domain.clock import system_clock
from tests.e2e.harness import SAM, SHOP, story
from tests.e2e.process import running

pytestmark = pytest.mark.faults

CONFIG = (
    SHOP
    + """
people: {sam: U0SAM}
routes: [{to: [slack, "#general"], escalation: page}]
escalation: {page: {steps: [{after: 1s, mention: "@sam"}]}}
"""
)


# Deliveries in the order of their lanes: two messages, then their two edits and the line.
@pytest.mark.parametrize("place", ["after_claim:4", "after_post:4", "after_post:5", "after_record:4"])
async def test_a_step_is_told_once_across_a_kill(tmp_path: Path, place: str) -> None:
    async with story(tmp_path, CONFIG, start=system_clock(), every="1h", begin=False) as told:
        told.service.status = 503
        config = tmp_path / "tocsin.yml"
        config.write_text(told.config)
        async with running(config, told.workspace, {"TOCSIN_FAILPOINT": place}) as process:
            assert await process.ended() == -9, process.lines[-5:]

        await told.start()
        await told.tocsin.escalating.tick()
        message = await told.alert("backend is down")
        other = await told.alert("backend is down", "general")
        await told.settle()

        assert [line for line in told.thread(message) if f"<@{SAM}>" in line] == told.thread(message)
        assert len(told.thread(message)) == 1
        assert told.thread(other) == []
        assert len(told.alerts()) == len(told.alerts(channel="general")) == 1
