"""Many alerts at once: one message that lists them, stays true, and lets each be opened."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.alert import recover
from storage import alerts, outbox
from storage.outbox import Lane
from tests.e2e.harness import ALEX, KIM, SAM, SHOP, Json, Story, buttons, key_of, shown, story

CONFIG = (
    SHOP
    + """
people: {oncall: [U0ALEX], lead: [U0KIM]}
permissions: {acknowledge: [U0ALEX]}
alerts:
  - {name: Worst, condition: exit_code == 9, severity: P1, mention: "@oncall"}
  - {name: Bad, condition: exit_code == 3, severity: P3, mention: "@oncall"}
  - {name: Trifle, condition: exit_code == 2, severity: P4}
  - {name: Leading, condition: exit_code == 5, severity: P3, mention: "@lead"}
"""
)
MINUTES = timedelta(minutes=1)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, CONFIG) as told:
        await told.looked()
        yield told


async def fail(told: Story, jobs: dict[str, int]) -> None:
    """Let runs fail at once, each with its exit code."""
    runs = [{"job_name": job, "status": "ERROR", "exit_code": code} for job, code in jobs.items()]
    assert (await told.post("/api/v1/runs", runs))[0] == 202


async def mend(told: Story, *jobs: str) -> None:
    runs = [{"job_name": job, "status": "SUCCESS"} for job in jobs]
    assert (await told.post("/api/v1/runs", runs))[0] == 202


def many(count: int, code: int = 3, name: str = "job") -> dict[str, int]:
    return {f"{name}_{number:02}": code for number in range(count)}


def groups(told: Story, channel: str = "alerts") -> list[Json]:
    return [
        {**message, "channel": channel}
        for message in told.workspace.messages(channel)
        if key_of(message).startswith("group:")
    ]


async def group(told: Story) -> Json:
    """The one message about many alerts, once everything came to rest."""
    await told.settle()
    (found,) = groups(told)
    return found


async def open_one(told: Story, message: Json, alert_id: int, user: str = ALEX) -> None:
    number = key_of(message).split(":")[1]
    outcome = await told.workspace.choose(
        message["channel"], message["ts"], "group:open", f"{number}:{alert_id}", user=user
    )
    assert outcome.ok, outcome


def opened(told: Story, message: Json) -> list[Json]:
    """The alerts that stand in a group's thread."""
    return [
        {**reply, "channel": message["channel"]}
        for reply in told.workspace.replies(message["channel"], message["ts"])
        if key_of(reply).startswith("alert:")
    ]


async def press_in_thread(told: Story, message: Json, button: str) -> None:
    outcome = await told.workspace.click(message["channel"], message["ts"], f"alert:{button}", user=ALEX)
    assert outcome.ok, outcome
    await told.settle()


async def test_five_at_once_are_five_messages(shop: Story) -> None:
    await fail(shop, many(5))
    await shop.settle()
    assert len(shop.alerts("Bad: job_")) == 5
    assert groups(shop) == []


async def test_six_at_once_are_one_message_that_lists_them_by_priority(shop: Story) -> None:
    await fail(shop, {"a": 2, "b": 3, "c": 2, "d": 3, "e": 2, "f": 3})
    message = await group(shop)
    assert shop.alerts() == []
    text = shown(message)
    assert "*6 alerts at once: 3 P3, 3 P4*" in text
    assert "6 open" in text
    listed = [line for line in message["text"].split("\n") if " · #" in line]
    assert ["P3" in line for line in listed] == [True] * 3 + [False] * 3
    assert all(f"`{job}`" in text for job in "abcdef")
    assert buttons(message) == ["Acknowledge all"]
    assert text.count("<@U0ALEX>") == 2  # in the text that is read aloud, and in the headline
    assert len(shop.workspace.calls_of("chat.postMessage")) == 1 + 6  # each job is introduced besides


async def test_p1_are_a_message_of_their_own_and_come_first(shop: Story) -> None:
    await fail(shop, {**many(8), **many(7, 9, "worst")})
    await shop.settle()
    first, second = groups(shop)
    assert "7 alerts at once: 7 P1" in shown(first)
    assert "8 alerts at once: 8 P3" in shown(second)
    assert key_of(shop.workspace.messages("alerts")[0]) == key_of(first)


async def test_few_p1_stay_alone_and_come_before_the_list_of_the_rest(shop: Story) -> None:
    await fail(shop, {**many(8), **many(2, 9, "worst")})
    message = await group(shop)
    assert len(shop.alerts("Worst: worst_")) == 2
    order = [key_of(m).split(":")[0] for m in shop.workspace.messages("alerts")]
    assert order[:3] == ["alert", "alert", "group"]
    assert "8 alerts at once: 8 P3" in shown(message)


async def test_the_list_stays_true_until_all_is_over(shop: Story) -> None:
    await fail(shop, many(6))
    message = await group(shop)
    await mend(shop, "job_00", "job_01")
    message = await shop.becomes(message, "4 open · 2 resolved")
    last = [line for line in message["text"].split("\n") if " · #" in line][-2:]
    assert all(line.startswith(":white_check_mark:") for line in last)
    assert "<@U0ALEX>" not in shown(message)

    shop.skip(5 * MINUTES)
    await mend(shop, *many(6))
    message = await shop.becomes(message, "6 alerts: all over")
    assert "after 5 min" in shown(message)
    assert buttons(message) == []
    await shop.settle()
    assert shop.thread(message) == []
    assert shop.alerts() == []


async def test_one_that_is_opened_stands_in_the_thread_with_its_buttons(shop: Story) -> None:
    await fail(shop, many(6))
    message = await group(shop)
    await open_one(shop, message, 3)
    (one,) = await shop.see(lambda: opened(shop, message))
    await shop.settle()
    assert "Bad: job_02" in shown(one)
    assert "<@U0ALEX>" not in shown(one)
    assert buttons(one) == ["Acknowledge", "Resolve", "Silence…"]
    assert len(shop.workspace.messages("alerts")) == 1 + 6

    await press_in_thread(shop, one, "acknowledge")
    (one,) = opened(shop, message)
    assert f"acknowledged by <@{ALEX}>" in shown(one)
    assert "5 open · 1 acknowledged" in shown(shop.again(message))
    await open_one(shop, message, 3)
    await shop.told(ALEX, "#3 stands in this thread already")
    await mend(shop, "job_02")
    await shop.settle()
    (one,) = opened(shop, message)
    assert "Resolved: Bad: job_02" in shown(one)
    assert "5 open · 1 resolved" in shown(shop.again(message))


async def test_all_can_be_acknowledged_at_once_by_who_may(shop: Story) -> None:
    await fail(shop, many(7))
    message = await group(shop)
    channel, ts = message["channel"], message["ts"]
    assert (await shop.workspace.click(channel, ts, "group:acknowledge", user=SAM)).ok
    await shop.told(SAM, "You may not acknowledge here")
    assert (await shop.workspace.click(channel, ts, "group:acknowledge", user=ALEX)).ok
    await shop.told(ALEX, "You acknowledged 7 alerts")
    await shop.settle()
    message = shop.again(message)
    assert "7 acknowledged" in shown(message)
    assert f"acknowledged by <@{ALEX}>" in shown(message)
    assert buttons(message) == []
    history = [await history_of(shop, number) for number in range(1, 8)]
    assert history == [[("fired", None), ("acknowledged", ALEX)]] * 7


async def history_of(told: Story, alert_id: int) -> list[tuple[str, str | None]]:
    async with told.tocsin.database.snapshot() as connection:
        return [(event.kind.value, event.actor) for event in await alerts.history(connection, alert_id)]


async def test_who_comes_late_joins_and_only_those_not_yet_called_are_called(shop: Story) -> None:
    await fail(shop, many(6))
    message = await group(shop)
    shop.skip(2 * MINUTES)
    await fail(shop, {"late": 3})
    message = await shop.becomes(message, "7 alerts at once")
    assert shop.thread(message) == []
    await fail(shop, {"later": 5})
    (line,) = await shop.see(lambda: shop.thread(message))
    assert "Joined this list" in line
    assert "Leading: later" in line
    assert f"<@{KIM}>" in line
    await shop.settle()
    assert "8 alerts at once" in shown(shop.again(message))
    assert shop.alerts() == []


async def test_p1_that_joins_long_after_the_call_calls_again(shop: Story) -> None:
    await fail(shop, many(6, 9, "worst"))
    message = await group(shop)
    shop.skip(6 * MINUTES)
    await fail(shop, {"another": 9})
    (line,) = await shop.see(lambda: shop.thread(message))
    assert "Worst: another" in line
    assert f"<@{ALEX}>" in line


async def test_after_ten_quiet_minutes_the_next_is_told_by_itself(shop: Story) -> None:
    await fail(shop, many(6))
    await group(shop)
    shop.skip(11 * MINUTES)
    await fail(shop, {"alone": 3})
    await shop.alert("Bad: alone")
    assert len(groups(shop)) == 1


async def test_what_begins_after_all_was_over_is_no_part_of_it(shop: Story) -> None:
    await fail(shop, many(6))
    message = await group(shop)
    await mend(shop, *many(6))
    await shop.becomes(message, "all over")
    await fail(shop, {"alone": 3})
    await shop.alert("Bad: alone")


async def test_one_that_comes_back_is_called_out_in_the_thread(shop: Story) -> None:
    await fail(shop, many(6))
    message = await group(shop)
    await mend(shop, *many(6))
    message = await shop.becomes(message, "all over")
    shop.skip(2 * MINUTES)
    await fail(shop, {"job_04": 3})
    message = await shop.becomes(message, "1 open · 5 resolved")
    (line,) = await shop.see(lambda: shop.thread(message))
    assert "Bad: job_04" in line
    assert "Open again" in line
    assert f"<@{ALEX}>" in line
    assert shop.alerts() == []


async def test_a_list_deleted_in_slack_comes_back_with_news(shop: Story) -> None:
    await fail(shop, many(6))
    message = await group(shop)
    await shop.tocsin.client.chat_delete(channel=shop.workspace.channel_id("alerts"), ts=message["ts"])
    await mend(shop, "job_01")
    again = await group(shop)
    assert again["ts"] != message["ts"]
    assert "5 open · 1 resolved" in shown(again)


async def test_a_change_at_the_moment_of_joining_is_shown_by_the_list_alone(shop: Story) -> None:
    """As when another replica gathers an alert that is just being changed."""
    await fail(shop, many(6))
    message = await group(shop)
    database, now = shop.tocsin.database, shop.clock()
    async with database.transaction() as connection:
        alert = await alerts.get(connection, 1)
        assert alert is not None
        await alerts.save(connection, recover(alert, "fine", now).alert)
        await outbox.mark_stale(
            database, connection, alert_id=1, lane=Lane(destination="slack", channel="#alerts"), priority=30,
            now=now, due_at=now,
        )  # fmt: skip
    await shop.settle()
    assert "5 open · 1 resolved" in shown(shop.again(message))
    assert shop.alerts() == []


async def test_a_storm_that_nobody_takes_escalates_in_one_line(tmp_path: Path) -> None:
    config = (
        CONFIG
        + """
routes: [{to: [slack], escalation: page}]
escalation:
  page:
    steps: [{after: 5m, mention: "@lead"}]
"""
    )
    async with story(tmp_path, config) as told:
        await told.looked()
        await fail(told, many(7, 9, "worst"))
        message = await group(told)
        told.skip(6 * MINUTES)
        await told.tocsin.escalating.tick()
        told.skip(MINUTES)
        await told.settle()
        (line,) = told.thread(message)
        assert "7 escalated because nobody has acknowledged them" in line
        assert f"<@{KIM}>" in line
        assert told.alerts() == []
