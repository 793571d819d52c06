"""Who may do what: lists of people and user groups, and a polite no to everybody else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.harness import ALEX, KIM, SAM, SHOP, Story, shown, story

GUARDED = (
    SHOP
    + """
people: {admins: [U0KIM], oncall: S0ONCALL}
permissions: {acknowledge: [oncall], resolve: [admins], silence: [U0SAM, admins]}
"""
)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, GUARDED) as told:
        yield told


async def test_a_member_of_the_user_group_may_and_others_are_told_whom_to_ask(shop: Story) -> None:
    await shop.change(503)
    message = await shop.alert("backend")

    await shop.press(message, "acknowledge", KIM)
    no = await shop.told(KIM)
    assert ":lock: You may not acknowledge here. Ask oncall." in shown(no)
    assert "P1 critical" in shown(shop.again(message))

    await shop.press(message, "acknowledge", SAM)
    await shop.becomes(message, f"acknowledged by <@{SAM}>")


async def test_a_list_of_people_is_kept_in_windows_too(shop: Story) -> None:
    await shop.change(503)
    message = await shop.alert("backend")

    await shop.press(message, "resolve", ALEX)
    assert "You may not resolve here" in shown(await shop.told(ALEX))
    await shop.press(message, "silence", ALEX)
    assert "You may not silence here. Ask <@U0SAM>, admins." in shown(await shop.told(ALEX, "silence"))
    assert shop.workspace.open_view(ALEX) is None

    await shop.press(message, "silence", KIM)
    window = await shop.modal(KIM)
    await shop.workspace.submit(window["id"], {"length": "1h"}, user=KIM)
    await shop.becomes(message, "Silenced")
    await shop.press(message, "unsilence", SAM)
    await shop.becomes(message, "P1 critical")
    await shop.press(message, "resolve", KIM)
    await shop.becomes(message, "Resolved")


async def test_everybody_may_read(shop: Story) -> None:
    await shop.change(503)
    message = await shop.alert("backend")
    window = await shop.pick(message, "details", ALEX)
    assert "Fired" in shown(window)


async def test_when_slack_cannot_tell_the_group_nobody_gets_in_by_it(shop: Story) -> None:
    shop.workspace.remove_scope("usergroups:read")
    await shop.change(503)
    message = await shop.alert("backend")
    await shop.press(message, "acknowledge", SAM)
    assert "You may not acknowledge here" in shown(await shop.told(SAM))
