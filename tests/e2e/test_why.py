"""Why an alert called somebody, why another kept silent, and what comes next."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.e2e.harness import ALEX, SAM, SHOP, Story, shown, story

ROUTED = (
    SHOP
    + """
people: {boss: U0KIM}
jobs: {sync: {}, pricing: {}, idle: {}}
alerts:
  - {name: Too slow, condition: "took_s > 30", severity: high, title: "{job_name} is slow", dedupe: 30m}
routes:
  - {match: "job == 'idle'", to: [digest]}
  - {match: "severity == 'critical'", to: [slack], escalation: boss, mention: [here]}
  - {to: ["#general"]}
escalation:
  boss: {steps: [{after: 10m, to: [slack], mention: [boss], note: "Is anybody there?"}]}
"""
)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, ROUTED) as told:
        yield told


async def test_it_tells_rule_values_priority_route_and_the_next_step(shop: Story) -> None:
    await shop.change(503)
    await shop.alert("backend")

    why = await shop.ask("/tocsin", "why backend")

    assert "It is told in #alerts, naming here" in why
    assert "Next step of `boss`" in why
    assert "Rule `backend` asked about `backend`" in why
    assert "the check itself reports warning or critical" in why
    assert "Bad 1 in a row by now" in why
    assert "P1, by the state it was in: critical is P1" in why
    assert "Routed: route 2 matched (severity == 'critical') → slack; told in #alerts" in why
    assert "Escalation: boss begins" in why
    assert "naming boss (Is anybody there?)" in why


async def test_a_rule_of_the_file_is_told_with_its_condition_and_its_values(shop: Story) -> None:
    await shop.run("sync", took_s=44)
    await shop.alert("sync is slow", "general")

    why = await shop.ask("/tocsin", "why #1")

    assert "`took_s &gt; 30`" in why
    assert "`took_s` = `44`" in why
    assert "P2, because the configuration gives this rule `severity: high`" in why
    assert "It is told in #general, naming nobody" in why


async def test_a_silent_one_says_by_whom_why_and_until_when(shop: Story) -> None:
    await shop.ask("/tocsin", "silence backend 2h moving house")
    await shop.change(503)
    await shop.see(lambda: shop.workspace.messages("alerts"))
    await shop.settle()

    why = await shop.ask("/tocsin", "why backend")

    assert "*Silent until <!date^" in why
    assert f"silence #1 by <@{ALEX}>: moving house" in why
    assert "If it still fails then, it is told" in why
    assert "is paused while it is silent" in why
    assert "It is told in" not in why


async def test_one_for_the_digest_says_so(shop: Story) -> None:
    await shop.run("idle", "ERROR", exit_code=3)
    await shop.settle()
    why = await shop.ask("/tocsin", "why idle failed")
    assert "its route sends it to the digest only" in why


async def test_steps_that_were_taken_are_ticked_and_the_end_is_told(shop: Story) -> None:
    await shop.change(503)
    message = await shop.alert("backend")
    shop.skip(timedelta(minutes=11))
    await shop.tocsin.escalating.tick()
    await shop.see(lambda: any("Nobody has acknowledged" in line for line in shop.thread(message)))
    why = await shop.ask("/tocsin", "why 1")
    assert ":ballot_box_with_check: after 10 min, done: told in the alert's own channel" in why

    await shop.press(message, "resolve", SAM)
    await shop.becomes(message, "Resolved")
    why = await shop.ask("/tocsin", "why 1")
    assert f"It is resolved by <@{SAM}>" in why
    assert "this alert opens again" in why
    assert "Escalation: stopped: resolved" in why


async def test_the_menu_of_an_alert_asks_why_as_well(shop: Story) -> None:
    await shop.change(503)
    message = await shop.alert("backend")
    window = await shop.pick(message, "why")
    assert window["title"]["text"] == "Why alert #1"
    assert "What was decided, in order" in shown(window)


async def test_without_an_alert_the_open_ones_are_offered(shop: Story) -> None:
    assert "None is open" in await shop.ask("/tocsin", "why")
    await shop.change(503)
    await shop.alert("backend")
    answer = await shop.ask("/tocsin", "why")
    assert "#1 backend is down" in answer
    assert "I know no alert `nothing`" in await shop.ask("/tocsin", "why nothing")


async def test_the_end_of_an_urgent_alert_tells_who_did_what(shop: Story) -> None:
    await shop.change(503)
    message = await shop.alert("backend")
    shop.clock.skip(timedelta(minutes=3))
    await shop.press(message, "acknowledge", ALEX)
    await shop.becomes(message, "acknowledged by")
    shop.clock.skip(timedelta(minutes=38))
    await shop.press(shop.again(message), "resolve", SAM)

    line = await shop.see(lambda: next((each for each in shop.thread(message) if "It lasted" in each), None))

    assert line is not None
    assert "It lasted 41 min" in line
    assert ": fired <!date^1709542" in line
    assert f"acknowledged by <@{ALEX}> after 3 min" in line
    assert f"resolved by <@{SAM}> after 41 min" in line
