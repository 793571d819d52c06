"""What was posted to a channel that was archived, closed to Tocsin, or renamed goes on where people read it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.harness import SAM, SHOP, Json, Story, shown, story

CONFIG = (
    SHOP
    + """
jobs: {sync: {channel: "#general"}, low: {}}
"""
)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, CONFIG) as told:
        yield told


async def failed(told: Story, job: str, channel: str) -> Json:
    await told.run(job, "ERROR", exit_code=4)
    return await told.alert(job, channel)


@pytest.mark.parametrize("trouble", ["archived", "deleted"])
async def test_an_alert_goes_on_in_the_usual_channel_with_its_thread(shop: Story, trouble: str) -> None:
    message = await failed(shop, "sync", "general")
    if trouble == "archived":
        shop.workspace.archive_channel("general")
    else:
        shop.workspace.remove_channel("general")

    await shop.tocsin.alerting.acknowledge(1, SAM)
    message = await shop.alert("acknowledged by")
    await shop.tocsin.alerting.resolve(1, SAM, "done")
    message = await shop.becomes(message, "Resolved")
    await shop.settle()

    assert "Meant for #general, which cannot be posted to" in shown(message)
    assert len(shop.alerts()) == 1
    lines = shop.thread(message)
    assert [line.split(">")[1].split(":")[0].split("\n")[0] for line in lines] == [
        " acknowledged this",
        " resolved this",
    ]
    assert (await shop.health())[1]["parts"]["delivery"] == "ok"


async def test_others_of_the_usual_channel_are_not_held_up_by_it(shop: Story) -> None:
    await failed(shop, "sync", "general")
    shop.workspace.remove_channel("general")
    await shop.run("sync", "SUCCESS")
    await failed(shop, "low", "alerts")
    await shop.alert("Resolved: sync")


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_renamed_channel_is_found_by_what_it_was_called(shop: Story, restarted: bool) -> None:
    message = await failed(shop, "low", "alerts")
    shop.workspace.rename_channel("alerts", "alarms")
    if restarted:
        await shop.restart()

    message["channel"] = "alarms"
    await shop.run("low", "SUCCESS")
    await shop.becomes(message, "Resolved")
    await shop.change(503)
    await shop.alert("backend is down", "alarms")
    await shop.settle()
    assert (await shop.health())[1]["parts"]["delivery"] == "ok"
