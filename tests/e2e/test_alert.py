"""An alert's whole life as people see it: told, acknowledged, silenced, resolved, open again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.databases import empty_postgres, need_postgres
from tests.e2e.harness import ALEX, KIM, SAM, SHOP, Json, Story, buttons, key_of, shown, story


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path) as told:
        yield told


@pytest.fixture
def _postgres() -> None:
    need_postgres()


async def broken(told: Story, status: int = 503) -> Json:
    """The message about the service that a test broke."""
    await told.change(status)
    return await told.alert("backend")


async def whole_life(told: Story) -> None:
    """Broken, told, acknowledged, mended, resolved: one message all the while, by the check's own clock."""
    told.service.status = 503
    message = await told.alert("backend")

    content = shown(message)
    assert "P1 critical: backend is down" in content
    assert "HTTP 503 Service Unavailable" in content  # why
    assert "Where" in content
    assert "Since" in content
    assert "What to do" in content
    assert "<https://wiki.example.com/backend|Runbook>" in content
    assert message["attachments"][0]["color"] == "a30200"
    assert buttons(message) == ["Acknowledge", "Resolve", "Silence…", "Open incident"]

    await told.press(message, "acknowledge")
    message = await told.becomes(message, f"acknowledged by <@{ALEX}>")
    assert message["attachments"][0]["color"] == "daa038"
    assert buttons(message) == ["Unacknowledge", "Resolve", "Silence…", "Open incident"]
    await told.see(lambda: f":eyes: <@{ALEX}> acknowledged this" in told.thread(message))

    told.clock.skip(timedelta(minutes=4))
    told.service.status = 200
    message = await told.becomes(message, "Resolved: backend is down")
    assert " after 4 min" in shown(message)
    assert message["attachments"][0]["color"] == "2eb886"
    assert buttons(message) == []
    await told.see(
        lambda: any("Recovered" in line and "It lasted 4 min" in line for line in told.thread(message))
    )
    await told.settle()
    assert len(told.workspace.messages("alerts")) == 1
    assert len(told.thread(message)) == 2


async def test_a_problem_is_told_acknowledged_and_resolved_in_one_message(tmp_path: Path) -> None:
    async with story(tmp_path, every="1s") as told:
        await whole_life(told)


@pytest.mark.usefixtures("_postgres")
async def test_the_same_on_postgresql(tmp_path: Path) -> None:
    async with empty_postgres() as database, story(tmp_path, database=database, every="1s") as told:
        await whole_life(told)


async def test_a_person_resolves_it_and_it_stays_so_within_the_window(shop: Story) -> None:
    message = await broken(shop)

    await shop.press(message, "resolve", SAM)

    message = await shop.becomes(message, f"by <@{SAM}>")
    assert "Resolved: backend is down" in shown(message)
    await shop.see(lambda: any(f"<@{SAM}> resolved this" in line for line in shop.thread(message)))
    await shop.settle()
    assert len(shop.alerts()) == 1
    assert buttons(shop.again(message)) == []


async def test_silence_asks_how_long_and_why_and_can_be_ended(shop: Story) -> None:
    message = await broken(shop)

    await shop.press(message, "silence")
    window = await shop.modal()
    await shop.workspace.submit(window["id"], {"length": "2h", "note": "deploying <!channel> the fix"})

    message = await shop.becomes(message, "Silenced: backend is down")
    assert "deploying &lt;!channel&gt; the fix" in shown(message)
    assert message["attachments"][0]["color"] == "dddddd"
    assert buttons(message) == ["Acknowledge", "Resolve", "End silence", "Open incident"]

    await shop.press(message, "unsilence", KIM)
    message = await shop.becomes(message, "P1 critical: backend is down")
    await shop.see(lambda: any(f"<@{KIM}> ended the silence" in line for line in shop.thread(message)))


async def test_a_silence_ends_by_itself_and_the_alert_is_loud_again(shop: Story) -> None:
    message = await broken(shop)
    await shop.press(message, "silence")
    window = await shop.modal()
    await shop.workspace.submit(window["id"], {"length": "30m"})
    message = await shop.becomes(message, "Silenced: backend is down")

    shop.skip(timedelta(minutes=31))
    await shop.tocsin.alerting.tick()

    message = await shop.becomes(message, "P1 critical: backend is down")
    await shop.see(
        lambda: any(
            line.startswith(":bell: The silence is over: silence #1 ended; still failing since")
            for line in shop.thread(message)
        )
    )


async def test_a_silenced_problem_that_returns_is_told_nobody_and_resolves_in_silence(shop: Story) -> None:
    message = await broken(shop)
    await shop.press(message, "silence")
    window = await shop.modal()
    await shop.workspace.submit(window["id"], {"length": "4h"})
    await shop.becomes(message, "Silenced")
    await shop.change(200)
    await shop.becomes(message, "Resolved")

    await shop.change(500)
    message = await shop.becomes(message, "Silenced: backend is down")

    back = [
        reply for reply in shop.workspace.replies("alerts", message["ts"]) if "Open again" in reply["text"]
    ]
    assert all(reply.get("subtype") != "thread_broadcast" for reply in back)
    assert len(shop.alerts()) == 1


async def test_notes_stand_on_the_alert_and_in_its_thread(shop: Story) -> None:
    message = await broken(shop)

    window = await shop.pick(message, "acknowledge")
    await shop.workspace.submit(window["id"], {"note": "Looking at the *load balancer*"})
    message = await shop.becomes(message, "Looking at the ∗load balancer∗")
    await shop.see(lambda: any("Looking at the" in line for line in shop.thread(message)))

    window = await shop.pick(message, "resolve", SAM)
    await shop.workspace.submit(window["id"], {"note": "Restarted it"}, user=SAM)
    message = await shop.becomes(message, "Resolved: backend is down")
    assert "Restarted it" in shown(message)
    await shop.see(lambda: any("Restarted it" in line for line in shop.thread(message)))


async def test_the_history_tells_what_happened_and_what_was_measured(shop: Story) -> None:
    message = await broken(shop)
    await shop.press(message, "acknowledge", SAM)
    await shop.becomes(message, "acknowledged by")

    window = await shop.pick(shop.again(message), "details")

    content = shown(window)
    assert "Fired" in content
    assert f"<@{SAM}> acknowledged this" in content
    assert "status_code = 503" in content
    assert "fingerprint" in content


async def test_a_second_acknowledge_changes_nothing_and_says_so(shop: Story) -> None:
    message = await broken(shop)
    shop.workspace.faults.stall("chat.update", 2.5)  # Sam's Slack shows the button a little longer
    await shop.press(message, "acknowledge", ALEX)
    await shop.tocsin.listeners.finish()  # Alex is first for certain
    await shop.press(message, "acknowledge", SAM)
    await shop.told(SAM, f"already acknowledged by <@{ALEX}>")

    await shop.settle()
    message = shop.again(message)
    assert f"acknowledged by <@{ALEX}>" in shown(message)
    assert [line for line in shop.thread(message) if "acknowledged this" in line] == [
        f":eyes: <@{ALEX}> acknowledged this"
    ]


async def test_two_people_at_once_get_one_result(shop: Story) -> None:
    message = await broken(shop)

    await asyncio.gather(shop.press(message, "acknowledge", SAM), shop.press(message, "acknowledge", KIM))
    await shop.settle()

    (line,) = shop.thread(message)
    winner, other = (SAM, KIM) if SAM in line else (KIM, SAM)
    assert line == f":eyes: <@{winner}> acknowledged this"
    assert f"acknowledged by <@{winner}>" in shown(shop.again(message))
    assert f"already acknowledged by <@{winner}>" in shown(await shop.told(other))
    assert shop.workspace.ephemerals(winner, "alerts") == []


async def test_who_acknowledged_can_take_it_back(shop: Story) -> None:
    message = await broken(shop)
    await shop.press(message, "acknowledge")
    message = await shop.becomes(message, "acknowledged by")

    await shop.press(message, "unacknowledge")

    message = await shop.becomes(message, ":red_circle:")
    assert buttons(message) == ["Acknowledge", "Resolve", "Silence…", "Open incident"]
    await shop.see(lambda: any("no longer on it" in line for line in shop.thread(message)))


async def test_a_problem_that_returns_continues_its_message_and_thread(shop: Story) -> None:
    message = await broken(shop)
    await shop.change(200)
    await shop.becomes(message, "Resolved")
    shop.skip(timedelta(minutes=20))

    await shop.change(500)
    message = await shop.becomes(message, "P1 critical: backend is down")

    await shop.see(lambda: any("Open again" in line for line in shop.thread(message)))
    assert "HTTP 500" in shown(message)
    assert len(shop.alerts()) == 1
    assert "2nd time in 7 days" in shown(message)


async def test_a_problem_that_returns_after_the_window_is_a_new_alert(shop: Story) -> None:
    first = await broken(shop)
    await shop.change(200)
    await shop.becomes(first, "Resolved")
    shop.skip(timedelta(hours=2))

    await shop.change(500)
    found = await shop.see(lambda: len(shop.alerts()) == 2 and shop.alerts())

    assert found
    assert key_of(found[0]) != key_of(found[1])
    assert "Resolved" in shown(found[0])


SLOW = (
    SHOP
    + """
  queue:
    type: http
    url: {service}/queue
    every: 10m
    extract: {depth: depth}
    thresholds: {depth: {P3: 100, P1: 500}}
"""
)


async def test_a_severity_that_rises_edits_the_message_and_needs_somebody_again(tmp_path: Path) -> None:
    async with story(tmp_path, SLOW, begin=False) as told:
        told.service.content_type = "application/json"
        told.service.body = '{"depth": 150}'
        await told.start()
        message = await told.alert("depth")
        assert "P3 medium" in shown(message)
        await told.press(message, "acknowledge")
        await told.becomes(message, "acknowledged by")

        await told.change(200, '{"depth": 900}', check="queue")
        message = await told.becomes(message, "P1 critical")

        assert "900" in shown(message)
        assert "Acknowledge" in buttons(message)
        line = await told.see(lambda: [line for line in told.thread(message) if "Severity changed" in line])
        assert "P3 → P1" in line[0]
        await told.change(200, '{"depth": 3}', check="queue")
        await told.becomes(message, "Resolved")
        assert len(told.alerts()) == 1


async def test_a_restart_repeats_and_loses_nothing(shop: Story) -> None:
    message = await broken(shop)
    await shop.press(message, "acknowledge")
    message = await shop.becomes(message, "acknowledged by")

    await shop.restart()
    await shop.change(200)

    message = await shop.becomes(message, "Resolved")
    await shop.settle()
    assert len(shop.workspace.messages("alerts")) == 1
    assert len(shop.thread(message)) == 2
