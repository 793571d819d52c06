"""The socket breaks in every way, and buttons work again after; an envelope that comes twice changes one thing."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.demo.workspace.socket import DisconnectKind
from storage import alerts
from storage.tables import alerts as alert_table
from tests.e2e.harness import ALEX, SAM, Story, buttons, shown, story

pytestmark = pytest.mark.faults


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path) as told:
        told.service.status = 503
        await told.change(503)
        yield told


@pytest.mark.parametrize("kind", ["clean", "abrupt", "warning", "refresh_requested"])
async def test_buttons_work_again_after_the_socket_ended(shop: Story, kind: DisconnectKind) -> None:
    message = await shop.alert("backend")
    before = len(shop.workspace.calls_of("apps.connections.open"))

    await shop.workspace.disconnect(kind)
    await shop.workspace.wait_for(
        lambda: len(shop.workspace.calls_of("apps.connections.open")) > before and shop.workspace.connections,
        timeout=20,
    )
    await shop.press(message, "acknowledge")

    await shop.becomes(message, f"acknowledged by <@{ALEX}>")


async def test_alerts_go_out_while_the_socket_cannot_be_opened(shop: Story) -> None:
    await shop.alert("backend")
    shop.workspace.core.hub.refusing = True
    shop.workspace.core.hub.cut_all()

    await shop.run("sync", "ERROR", exit_code=1)
    await shop.alert("sync failed")

    shop.workspace.core.hub.refusing = False


async def test_an_envelope_that_comes_twice_changes_one_thing(shop: Story) -> None:
    message = await shop.alert("backend")
    shop.workspace.duplicate_envelopes(None)

    await shop.press(message, "acknowledge")
    message = await shop.becomes(message, "acknowledged by")
    window = await shop.pick(message, "resolve", SAM)
    await shop.workspace.submit(window["id"], {"note": "Done"}, user=SAM)
    message = await shop.becomes(message, "Resolved")
    await shop.settle()

    lines = shop.thread(message)
    assert len(lines) == 2
    assert ["acknowledged this" in lines[0], "resolved this: Done" in lines[1]] == [True, True]
    async with shop.tocsin.database.snapshot() as connection:
        history = await alerts.history(connection, 1)
    assert [event.kind.value for event in history] == ["fired", "acknowledged", "resolved"]


async def test_a_button_of_an_alert_nobody_remembers_loses_its_message_the_buttons(shop: Story) -> None:
    message = await shop.alert("backend")
    await shop.settle()
    async with shop.tocsin.database.transaction() as connection:
        await connection.execute(alert_table.delete())

    await shop.press(message, "acknowledge")

    assert "does not know alert #1 any more" in shown(await shop.told(ALEX))
    await shop.workspace.wait_for(lambda: not buttons(shop.again(message)))
    assert "backend is down" in shown(shop.again(message))
