"""Home: how everything stands with buttons that work there, true again soon after something changed."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.e2e.harness import ALEX, KIM, SAM, SHOP, Json, Story, shown, story

FULL = (
    SHOP
    + """
jobs: {parse_orders: {}, send_mail: {}}
people: {alex: U0ALEX, sam: U0SAM}
oncall: {backend: {rotation: [alex, sam], handover: "mon 09:00"}}
heartbeat: {every: 1h}
permissions: {resolve: [U0KIM]}
"""
)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, FULL) as told:
        yield told


async def home(told: Story, user: str = ALEX) -> Json:
    """The Home that somebody just opened."""
    before = len(published(told))
    await told.workspace.open_home(user)
    await told.workspace.wait_for(lambda: len(published(told)) > before)
    return told.workspace.home(user) or {}


def published(told: Story) -> list[object]:
    return [call for call in told.workspace.calls_of("views.publish") if call.outcome == "ok"]


async def press(told: Story, view: Json, button: str, user: str = ALEX) -> None:
    outcome = await told.workspace.click_in_view(view["id"], f"alert:{button}", user=user)
    assert outcome.ok, outcome


async def test_it_tells_alerts_checks_jobs_silences_who_is_on_call_and_what_comes(shop: Story) -> None:
    await shop.change(503)
    await shop.alert("backend")
    await shop.run("send_mail", "ERROR", exit_code=4)
    await shop.alert("send_mail failed")
    await shop.ask("/tocsin", "silence parse_orders 2h moving")

    said = shown(await home(shop))

    assert "*Shop* · :large_orange_circle: 2 warnings (1 critical)" in said
    assert said.index("*P1 backend is down*") < said.index("*P2 send_mail failed*")
    assert "*backend* critical" in said
    assert "*send_mail* critical" in said
    assert "*parse_orders* nothing heard yet" in said
    assert "moving" in said
    assert "*On call now*\n`@backend` is *" in said
    assert "`heartbeat`" in said
    assert "`/tocsin help`" in said


async def test_a_press_in_home_acts_and_shows_there_at_once_and_in_the_channel(shop: Story) -> None:
    await shop.change(503)
    message = await shop.alert("backend")
    view = await home(shop)

    await press(shop, view, "acknowledge")

    await shop.workspace.wait_for(lambda: f"<@{ALEX}> is on it" in shown(shop.workspace.home(ALEX) or {}))
    await shop.becomes(message, f"acknowledged by <@{ALEX}>")


async def test_a_refusal_in_home_is_told_in_a_window(shop: Story) -> None:
    await shop.change(503)
    await shop.alert("backend")
    view = await home(shop)

    await press(shop, view, "resolve")

    assert f"You may not resolve here. Ask <@{KIM}>" in shown(await shop.modal())
    assert "P1 critical" in shown(await shop.alert("backend"))


async def test_details_open_from_home_and_a_note_goes_with_the_acknowledgement(shop: Story) -> None:
    await shop.change(503)
    message = await shop.alert("backend")
    await press(shop, await home(shop), "details")
    window = await shop.modal()
    assert "Timeline" in shown(window)

    outcome = await shop.workspace.click_in_view(window["id"], "alert:note:acknowledge")
    assert outcome.ok
    await shop.workspace.wait_for(
        lambda: (shop.workspace.open_view() or {}).get("callback_id") == "acknowledge"
    )
    note = await shop.modal()
    await shop.workspace.submit(note["id"], {"note": "the disk again"})

    await shop.becomes(message, "the disk again")
    await shop.workspace.wait_for(
        lambda: "acknowledged this: the disk again" in shown(shop.workspace.open_view() or {})
    )
    assert "the disk again" not in shown(shop.workspace.home() or {})
    assert "is on it" in shown(shop.workspace.home() or {})


async def test_home_follows_what_changes_for_those_who_look_and_no_faster(shop: Story) -> None:
    await shop.looked()
    await home(shop, SAM)
    await shop.run("send_mail", "ERROR", exit_code=4)
    await shop.alert("send_mail failed")

    shop.clock.skip(timedelta(seconds=6))
    await shop.tocsin.home.tick()
    assert "*P2 send_mail failed*" in shown(shop.workspace.home(SAM) or {})

    await shop.run("parse_orders", "ERROR", exit_code=4)  # answered after the commit
    await shop.tocsin.home.tick()
    assert "parse_orders failed" not in shown(shop.workspace.home(SAM) or {})  # a few seconds have not passed
    shop.clock.skip(timedelta(seconds=6))
    await shop.tocsin.home.tick()
    assert "parse_orders failed" in shown(shop.workspace.home(SAM) or {})


async def test_home_of_somebody_who_left_long_ago_is_left_alone(shop: Story) -> None:
    await shop.looked()
    await home(shop, SAM)
    shop.clock.skip(timedelta(minutes=11))
    await shop.run("send_mail", "ERROR", exit_code=4)
    await shop.alert("send_mail failed")

    await shop.tocsin.home.tick()

    assert "send_mail failed" not in shown(shop.workspace.home(SAM) or {})


async def test_what_slack_refused_to_show_is_shown_a_little_later(shop: Story) -> None:
    await shop.looked()
    await home(shop, SAM)
    shop.limited_on_purpose = True
    shop.workspace.faults.fail("views.publish", "ratelimited", times=1)
    await shop.run("send_mail", "ERROR", exit_code=4)
    await shop.alert("send_mail failed")
    for _ in range(2):
        shop.clock.skip(timedelta(seconds=6))
        await shop.tocsin.home.tick()

    outcomes = [call.outcome for call in shop.workspace.calls_of("views.publish")]
    assert "ratelimited" in outcomes
    assert "send_mail failed" in shown(shop.workspace.home(SAM) or {})


async def test_home_is_shown_to_no_more_than_a_few_at_once_and_to_all_in_the_end(shop: Story) -> None:
    await shop.looked()
    people = ["U0ALEX", "U0SAM", "U0KIM", *(shop.workspace.add_user(f"U0P{n}", f"p{n}") for n in range(4))]
    for user in people:
        await home(shop, user)
    await shop.run("send_mail", "ERROR", exit_code=4)
    await shop.alert("send_mail failed")
    before = len(published(shop))
    shop.clock.skip(timedelta(seconds=6))
    await shop.tocsin.home.tick()
    assert 0 < len(published(shop)) - before < len(people)
    for _ in range(3):
        shop.clock.skip(timedelta(seconds=6))
        await shop.tocsin.home.tick()
    assert all("send_mail failed" in shown(shop.workspace.home(user) or {}) for user in people)
