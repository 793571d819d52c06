"""Slack fails in every way it can, and each alert still arrives exactly once."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from tests.e2e.harness import SHOP, Json, Story, key_of, shown, story

pytestmark = pytest.mark.faults

TWO_CHANNELS = (
    SHOP
    + """
alerts:
  - {name: Worst, condition: exit_code == 9, severity: P1}
  - {name: Elsewhere, condition: exit_code == 4, severity: P2, channel: "#general"}
  - {name: Bad, condition: exit_code == 3, severity: P3}
  - {name: Trifle, condition: exit_code == 2, severity: P4}
"""
)
CODES = (2, 4, 3, 9)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, TWO_CHANNELS) as told:
        yield told


def posts(told: Story, channel: str = "") -> list[Any]:
    """The posts that Slack took, oldest first."""
    return [
        call
        for call in told.workspace.calls_of("chat.postMessage")
        if call.outcome == "ok" and channel in ("", call.args["channel"])
    ]


async def advance(told: Story, until: timedelta) -> None:
    """Deliver what can be delivered until so much time has passed, whenever Tocsin wants to."""
    end = told.clock() + until
    while told.clock() < end:
        due = await told.tocsin.notifier.drain()
        told.clock.skip_to(min(due, end) if due is not None else end)


async def deliver_all(told: Story) -> None:
    """Let as much time pass as everything takes."""
    while (due := await told.tocsin.notifier.drain()) is not None:
        told.clock.skip_to(due)


def listed(message: Json) -> int:
    """How many alerts a message of many stands for."""
    return int(re.findall(r"\*(\d+) alerts", shown(message))[0])


async def test_two_hundred_alerts_survive_ten_minutes_without_slack(shop: Story) -> None:
    await shop.looked()
    shop.workspace.outage()
    runs = [
        {"job_name": f"job_{number:03}", "status": "ERROR", "exit_code": CODES[number % 4]}
        for number in range(200)
    ]
    assert (await shop.post("/api/v1/runs", runs))[0] == 202
    await advance(shop, timedelta(minutes=10))
    assert posts(shop) == []
    status, health = await shop.health()
    assert (status, health["status"]) == (200, "degraded")
    assert health["parts"]["delivery"] != "ok"

    shop.workspace.clear_faults()
    await deliver_all(shop)

    for channel, jobs, introduced in (("#alerts", 150, 20), ("#general", 50, 0)):
        found = shop.workspace.messages(channel)
        lists = [m for m in found if key_of(m).startswith("group:")]
        alone = shop.alerts(channel=channel)
        assert len(found) == len({key_of(m) for m in found}) == len(lists) + len(alone) + introduced
        assert 1 <= len(lists) <= 2
        assert sum(map(listed, lists)) + len(alone) == jobs
        taken = posts(shop, channel)
        assert len(taken) == len(found)
        gaps = [later.at - earlier.at for earlier, later in pairwise(taken)]
        assert min(gaps, default=timedelta(seconds=1)) >= timedelta(seconds=0.99)
        assert max(gaps, default=timedelta(0)) <= timedelta(seconds=5)
    first, second = [m for m in shop.workspace.messages("alerts") if key_of(m).startswith("group:")]
    assert " P1*" in shown(first)
    assert " P3" in shown(second)
    assert (await shop.health())[1]["parts"]["delivery"] == "ok"


@pytest.mark.parametrize("trouble", ["http_error", "missing_scope", "drop_before"])
async def test_after_an_outage_of_posting_alone_the_most_urgent_still_goes_first(
    shop: Story, trouble: str
) -> None:
    faults = shop.workspace.faults
    if trouble == "missing_scope":
        faults.fail("chat.postMessage", trouble, times=None)
    else:
        getattr(faults, trouble)("chat.postMessage", times=None)
    await shop.run("worst", "ERROR", exit_code=9)
    await advance(shop, timedelta(minutes=1))
    for number in range(10):
        await shop.run(f"trifle_{number}", "ERROR", exit_code=2)
    await advance(shop, timedelta(minutes=10))
    assert len(shop.workspace.calls_of("chat.postMessage")) < 100

    shop.workspace.clear_faults()
    await deliver_all(shop)

    found = shop.workspace.messages("alerts")
    lists = [m for m in found if key_of(m).startswith("group:")]
    assert len(shop.alerts()) + sum(map(listed, lists)) == 11
    assert len(lists) == 1
    assert len(found) == len({key_of(m) for m in found}) == len(shop.alerts()) + 1 + 11  # introductions
    # Where it could be the entry's own fault, another one may be tried before it.
    most_before = 0 if trouble == "missing_scope" else 1
    assert ["Worst: worst" in shown(m) for m in found].index(True) <= most_before


async def broken(told: Story) -> Json:
    await told.run("sync", "ERROR", exit_code=9)
    message = await told.alert("Worst: sync")
    await told.settle()
    return message


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "http_error", "ratelimited", "stall"])
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_a_call_that_fails_leaves_one_true_message(shop: Story, fault: str, method: str) -> None:
    await shop.looked()
    message = await broken(shop) if method == "chat.update" else None
    shop.tocsin._session._timeout = aiohttp.ClientTimeout(total=0.4)
    arguments = {
        "drop_before": (),
        "drop_after": (),
        "http_error": (503,),
        "ratelimited": (10,),
        "stall": (0.6,),
    }
    shop.limited_on_purpose = fault == "ratelimited"
    make = "rate_limit" if fault == "ratelimited" else fault
    times = 1 if fault == "stall" else 2  # a second one would not be over before the clock is shifted
    getattr(shop.workspace.faults, make)(method, *arguments[fault], times=times)

    if message is None:
        await shop.run("sync", "ERROR", exit_code=9)
        # Time must not run ahead of what is still under way.
        await shop.workspace.wait_for(lambda: shop.workspace.calls_of(method))
        message = await shop.alert("Worst: sync")
    else:
        await shop.press(message, "acknowledge")
        message = await shop.becomes(message, "acknowledged by")
    await shop.settle()

    assert len(shop.alerts()) == 1
    assert not shop.workspace.faults.waiting or fault == "drop_after"
    shop.workspace.clear_faults()
    await shop.run("sync", "SUCCESS")
    message = await shop.becomes(message, "Resolved")
    await shop.settle()
    assert len(shop.alerts()) == 1
    assert len([line for line in shop.thread(message) if "Recovered" in line]) == 1


async def test_a_line_in_a_thread_is_not_doubled_by_a_lost_answer(shop: Story) -> None:
    message = await broken(shop)
    shop.workspace.faults.drop_after("chat.postMessage")
    await shop.press(message, "acknowledge")
    await shop.becomes(message, "acknowledged by")
    await shop.see(lambda: not shop.workspace.faults.waiting)
    await shop.settle()
    assert len(shop.thread(message)) == 1


async def test_retry_after_is_honoured(shop: Story) -> None:
    shop.limited_on_purpose = True
    shop.workspace.faults.rate_limit("chat.postMessage", 20)
    await shop.run("sync", "ERROR", exit_code=9)
    await shop.see(lambda: not shop.workspace.faults.waiting)
    limited = shop.clock()

    await shop.alert("Worst: sync")

    (taken,) = posts(shop)
    assert taken.at - limited >= timedelta(seconds=19)


async def test_a_token_revoked_while_running_loses_nothing(shop: Story) -> None:
    shop.workspace.revoke_token()
    with capture_logs() as logs:
        await shop.run("sync", "ERROR", exit_code=9)
        await advance(shop, timedelta(minutes=3))
    failed = [line for line in logs if line["event"] == "delivery_failed"]
    assert failed[0]["reason"] == "token_revoked"
    assert "install the app again" in failed[0]["remedy"]
    status, health = await shop.health()
    assert (status, health["status"]) == (200, "degraded")
    assert "token_revoked" in health["parts"]["delivery"]

    shop.workspace.revoke_token("")
    await deliver_all(shop)

    assert len(shop.alerts("Worst: sync")) == 1
    assert (await shop.health())[1]["status"] == "healthy"


async def test_a_token_revoked_at_the_start_is_told_and_mended(tmp_path: Path) -> None:
    async with story(tmp_path, TWO_CHANNELS, begin=False) as told:
        told.workspace.revoke_token("account_inactive")
        with capture_logs() as logs:
            await told.start(connected=False)
            await told.run("sync", "ERROR", exit_code=9)
            await told.workspace.wait_for(lambda: told.workspace.calls_of("auth.test"))
            await advance(told, timedelta(minutes=1))
        (line,) = [line for line in logs if line["event"] == "slack_not_connected"]
        assert "account_inactive; install the app again" in line["reason"]
        assert "account_inactive" in (await told.health())[1]["parts"]["slack"]

        told.workspace.revoke_token("")
        await told.alert("Worst: sync")
        await told.workspace.wait_for(lambda: told.workspace.connections == 1, timeout=10)


async def test_a_missing_scope_is_named(shop: Story) -> None:
    shop.workspace.remove_scope("chat:write")
    await shop.run("sync", "ERROR", exit_code=9)
    await advance(shop, timedelta(minutes=1))
    trouble = (await shop.health())[1]["parts"]["delivery"]
    assert "missing_scope: needs chat:write" in trouble
    assert "add the scope" in trouble

    shop.workspace.grant_scope("chat:write")
    await deliver_all(shop)
    assert len(shop.alerts("Worst: sync")) == 1


@pytest.mark.parametrize("trouble", ["unknown", "archived", "private"])
async def test_a_channel_that_cannot_be_posted_to_is_replaced_by_the_usual_one(
    tmp_path: Path, trouble: str
) -> None:
    config = TWO_CHANNELS.replace('"#general"', '"#pricing"')
    async with story(tmp_path, config) as told:
        if trouble != "unknown":
            told.workspace.add_channel("pricing", is_private=trouble == "private", with_bot=False)
        if trouble == "archived":
            told.workspace.archive_channel("pricing")
        await told.run("sync", "ERROR", exit_code=4)

        message = await told.alert("Elsewhere: sync")

        assert "Meant for #pricing, which cannot be posted to" in shown(message)
        await told.press(message, "acknowledge")
        message = await told.becomes(message, "acknowledged by")
        await told.run("sync", "SUCCESS")
        await told.becomes(message, "Resolved")
        await told.settle()
        assert len(told.alerts()) == 1
        assert len(told.thread(message)) == 2


async def test_a_channel_archived_later_hands_its_alert_over(shop: Story) -> None:
    await shop.run("sync", "ERROR", exit_code=4)
    await shop.alert("Elsewhere: sync", "general")

    shop.workspace.archive_channel("general")
    await shop.run("sync", "SUCCESS")

    message = await shop.alert("Resolved: Elsewhere: sync")
    assert "Meant for #general" in shown(message)
    await shop.settle()
    assert len(shop.thread(message)) == 1


async def test_an_unknown_usual_channel_keeps_everything_until_it_exists(tmp_path: Path) -> None:
    config = TWO_CHANNELS.replace('channel: "#alerts"', 'channel: "#later"')
    async with story(tmp_path, config) as told:
        await told.run("low", "ERROR", exit_code=2)
        await advance(told, timedelta(minutes=2))
        await told.run("sync", "ERROR", exit_code=9)
        with capture_logs() as logs:
            await advance(told, timedelta(minutes=3))
        assert any("channel_not_found (#later)" in str(line.get("reason")) for line in logs)
        assert "check the channel's name" in (await told.health())[1]["parts"]["delivery"]

        told.workspace.add_channel("later")
        await deliver_all(told)

        order = [key_of(m).split(":")[1] for m in told.workspace.messages("later")]
        assert order == ["2", "1", "low", "sync"]  # P1 first, and last that these jobs are not configured
        assert (await told.health())[1]["parts"]["delivery"] == "ok"


async def test_a_lost_answer_in_a_channel_that_cannot_be_read_is_posted_all_the_same(tmp_path: Path) -> None:
    config = TWO_CHANNELS.replace('"#general"', '"#random"')
    async with story(tmp_path, config) as told:  # the bot may post in #random, but is not in it
        told.workspace.faults.drop_before("chat.postMessage")
        await told.run("sync", "ERROR", exit_code=4)
        message = await told.alert("Elsewhere: sync", "random")
        assert "Meant for" not in shown(message)


async def test_an_answer_that_cannot_be_given_where_it_was_asked_is_given_nowhere_else(shop: Story) -> None:
    direct = shop.workspace.direct()
    shop.workspace.faults.fail("chat.postMessage", "messages_tab_disabled")
    await shop.workspace.say(direct, "status")
    await shop.see(lambda: not shop.workspace.faults.waiting)
    await shop.settle()
    assert shop.workspace.messages("alerts") == []
    assert (await shop.health())[1]["status"] == "healthy"


@pytest.mark.parametrize("replies", [False, True])
async def test_a_message_deleted_in_slack_comes_back_when_there_is_news(shop: Story, replies: bool) -> None:
    message = await broken(shop)
    if replies:
        await shop.press(message, "acknowledge")
        await shop.see(lambda: shop.thread(message))
    await shop.tocsin.client.chat_delete(channel=shop.workspace.channel_id("alerts"), ts=message["ts"])

    await shop.run("sync", "SUCCESS")

    again = await shop.alert("Resolved: Worst: sync")
    await shop.settle()
    assert again["ts"] != message["ts"]
    assert len(shop.alerts()) == 1
    assert any("Recovered" in line for line in shop.thread(again))


async def test_blocks_that_slack_refuses_are_sent_as_plain_text(shop: Story) -> None:
    shop.workspace.faults.fail("chat.postMessage", "invalid_blocks")
    await shop.run("sync", "ERROR", exit_code=9)
    (message,) = await shop.see(lambda: shop.alerts("Worst: sync"))
    assert message.get("blocks") in (None, [])
    assert "P1 critical: Worst: sync" in message["text"]
    assert "Where: `sync`" in message["text"]
    assert "What to do" in message["text"]


async def test_content_that_is_never_accepted_does_not_hold_up_the_rest(shop: Story) -> None:
    shop.workspace.faults.fail("chat.postMessage", "msg_too_long", times=2)
    with capture_logs() as logs:
        await shop.run("sync", "ERROR", exit_code=9)
        await shop.see(lambda: not shop.workspace.faults.waiting)
        await shop.run("low", "ERROR", exit_code=2)
        await shop.alert("Trifle: low")
    assert [line["key"] for line in logs if line["event"] == "delivery_impossible"] == [
        "alert:1:slack:#alerts"
    ]
