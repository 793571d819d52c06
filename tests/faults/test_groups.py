"""Killed at any instant while many alerts become one message, Tocsin loses none and tells none twice."""

from pathlib import Path

import pytest

from bot.domain.clock import system_clock
from tests.e2e.harness import SHOP, Story, key_of, shown, story
from tests.e2e.process import running

pytestmark = pytest.mark.faults

COUNT = 8
# Eight checks fail in the first seconds, in one commit or in a few.
CONFIG = (
    SHOP.split("checks:")[0]
    + "checks:\n"
    + "".join(
        f"  part_{number}: {{type: http, url: '{{service}}/{number}', every: 1h}}\n"
        for number in range(COUNT)
    )
)
# Deliveries count from one: the group's message, then an edit when it was joined later.
PLACES = ("after_gather", "after_claim", "before_post", "after_post", "after_record")


async def killed(told: Story, tmp_path: Path, place: str) -> None:
    """Let a process run on a database where the alerts wait, until it is killed at this place."""
    config = tmp_path / "tocsin.yml"
    config.write_text(told.config)
    async with running(config, told.workspace, {"TOCSIN_FAILPOINT": place}) as process:
        assert await process.ended() == -9, process.lines[-5:]


async def alerts_wait(told: Story) -> None:
    """Let the alerts begin while nothing can be posted, and stop."""
    told.workspace.revoke_token()
    await told.start(connected=False)
    await told.looked()
    await told.tocsin.monitoring.settle()
    await told.stop()
    told.workspace.revoke_token("")


@pytest.mark.parametrize("place", PLACES)
async def test_after_a_kill_the_list_stands_once_and_is_true(tmp_path: Path, place: str) -> None:
    async with story(tmp_path, CONFIG, start=system_clock(), begin=False) as told:
        told.service.status = 503
        await alerts_wait(told)
        assert told.workspace.messages("alerts") == []
        await killed(told, tmp_path, place)

        await told.start()
        await told.see(lambda: told.workspace.messages("alerts"))
        await told.settle()

        (message,) = told.workspace.messages("alerts")
        assert key_of(message).startswith("group:")
        assert f"{COUNT} alerts at once" in shown(message)
        assert all(f"`part_{number}`" in shown(message) for number in range(COUNT))
        told.service.status = 200
        for number in range(COUNT):
            await told.look(f"part_{number}")
        await told.becomes({**message, "channel": "alerts"}, f"{COUNT} alerts: all over")
        await told.settle()
        assert len(told.workspace.messages("alerts")) == 1


async def test_a_start_while_slack_is_out_of_order_is_told_and_mended(tmp_path: Path) -> None:
    async with story(tmp_path, CONFIG, begin=False) as told:
        told.workspace.outage()
        await told.start(connected=False)
        await told.workspace.wait_for(lambda: told.tocsin.socket.trouble == "http_503")
        told.workspace.clear_faults()
        await told.workspace.wait_for(lambda: told.workspace.connections == 1, timeout=15)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "http_error"])
async def test_a_list_whose_post_fails_stands_once(tmp_path: Path, fault: str) -> None:
    async with story(tmp_path, CONFIG, begin=False) as told:
        told.service.status = 503
        await alerts_wait(told)
        getattr(told.workspace.faults, fault)("chat.postMessage", times=1)
        await told.start()
        await told.see(lambda: told.workspace.messages("alerts"))
        await told.settle()
        (message,) = told.workspace.messages("alerts")
        assert f"{COUNT} alerts at once" in shown(message)
