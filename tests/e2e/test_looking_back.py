"""Looking back in Slack: runs found, paged, opened and sent as files; one job or check with its last results."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.harness import ALEX, SAM, SHOP, START, Json, Story, buttons, shown, story
from tests.e2e.test_questions import rows, stamp

CONFIG = (
    SHOP
    + "    thresholds: {response_time_ms: {P1: 5000, P3: 2000}}\n"
    + "    severity: P1\n"
    + "jobs:\n"
    + "  nightly: {schedule: '30 2 * * *', budget: 60s}\n"
    + "  mail_orders: {every: 1h}\n  mail_returns: {}\n"
)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, CONFIG) as told:
        yield told


async def with_runs(told: Story, count: int, **more: Any) -> None:
    """Runs of `nightly`, one a minute, the newest first; every tenth timed out."""
    runs = [
        {
            "job_name": "nightly",
            "status": "TIMEOUT" if number % 10 == 9 else "SUCCESS",
            "duration_seconds": 30.0 + number,
            "rows_processed": 1000 + number,
            "timestamp": stamp(START - timedelta(minutes=number)),
            **more,
        }
        for number in range(count)
    ]
    assert (await told.post("/api/v1/runs", runs))[0] == 202


def answer(told: Story, user: str = ALEX, channel: str = "general") -> Json:
    """The last answer that only this user sees."""
    return told.workspace.ephemerals(user, channel)[-1]


async def turn(told: Story, button: str) -> list[int]:
    """Press a button under the answer; the rows it shows then."""
    before = answer(told)
    assert (await told.workspace.click("general", before["ts"], f"logs:{button}")).ok
    await told.workspace.wait_for(lambda: shown(answer(told)) != shown(before))
    return rows(shown(answer(told)))


async def open_run(told: Story, number: int) -> Json:
    """Press a run's Open; the window."""
    message = answer(told)
    outcome = await told.workspace.click("general", message["ts"], "run:open", value=str(number))
    assert outcome.ok
    return await told.modal()


async def test_pages_are_turned_both_ways_and_end_without_dead_buttons(shop: Story) -> None:
    await with_runs(shop, 35)
    await shop.ask("/tocsin-logs")
    pages = [rows(shown(answer(shop)))]
    found = [buttons(answer(shop))]
    for _ in range(3):
        pages.append(await turn(shop, "older"))
        found.append(buttons(answer(shop)))
    assert [len(page) for page in pages] == [10, 10, 10, 5]
    assert [row for page in pages for row in page] == list(range(1000, 1035))
    assert found == [["Older ›"], ["‹ Newer", "Older ›"], ["‹ Newer", "Older ›"], ["‹ Newer"]]

    for page in (pages[2], pages[1], pages[0]):
        assert await turn(shop, "newer") == page
    assert buttons(answer(shop)) == ["Older ›"]


async def test_runs_that_come_meanwhile_do_not_shift_the_pages(shop: Story) -> None:
    await with_runs(shop, 15)
    await shop.ask("/tocsin-logs")
    await shop.run("mail_orders", timestamp=stamp(START + timedelta(seconds=1)))
    assert await turn(shop, "older") == list(range(1010, 1015))
    await turn(shop, "newer")
    assert rows(shown(answer(shop))) == list(range(1000, 1010))
    assert buttons(answer(shop)) == ["‹ Newer", "Older ›"]


async def test_text_is_searched_for_in_what_runs_said_and_printed(shop: Story) -> None:
    await shop.run("nightly", "ERROR", error="Disk is full", timestamp=stamp(START))
    await shop.run("nightly", output="copied 1200 files\nwarning: LOW MEMORY at 99%_\n")
    await shop.run("mail_orders", error_codes=["SMTP_421"], status="ERROR")

    assert "Disk is full" in await shop.ask("/tocsin-logs", '"disk is full"')
    assert "mail_orders" not in shown(answer(shop))
    assert "*nightly* SUCCESS" in await shop.ask("/tocsin-logs", "memory")
    assert "*nightly* SUCCESS" in await shop.ask("/tocsin-logs", '"99%_"')
    assert "No runs fit" in await shop.ask("/tocsin-logs", '"99__"')
    assert "SMTP_421" in await shop.ask("/tocsin-logs", "mail_o smtp 24h")
    nothing = await shop.ask("/tocsin-logs", "submarine")
    assert "No run that fits says 'submarine'. There is no job 'submarine' either." in nothing
    assert "`mail_orders`, `mail_returns` or `nightly`" in nothing


async def test_a_day_and_a_part_of_it_are_asked_for(shop: Story) -> None:
    await with_runs(shop, 40)
    day = START.date().isoformat()
    assert rows(await shop.ask("/tocsin-logs", "08:50..08:52")) == [1009, 1010]
    assert rows(await shop.ask("/tocsin-logs", f"{day}T08:58:30..")) == [1000, 1001]
    assert rows(await shop.ask("/tocsin-logs", f"..{day}T08:22:30")) == [1038, 1039]
    assert rows(await shop.ask("/tocsin-logs", f"{day} 15")) == list(range(1000, 1015))
    assert "No runs fit" in await shop.ask("/tocsin-logs", "yesterday")
    assert "ends before it begins" in await shop.ask("/tocsin-logs", "09:00..08:00")


async def test_a_doubtful_job_is_chosen_by_a_button(shop: Story) -> None:
    await shop.run("mail_returns", rows_processed=7)
    await shop.ask("/tocsin-logs", "mail 5")
    assert buttons(answer(shop)) == ["mail_orders 5", "mail_returns 5"]
    assert (await shop.workspace.click("general", answer(shop)["ts"], "ask:1")).ok
    await shop.workspace.wait_for(lambda: "*mail_returns* SUCCESS" in shown(answer(shop)))


async def test_a_run_is_opened_with_all_it_said_and_the_end_of_what_it_printed(shop: Story) -> None:
    printed = "".join(f"line {number}\n" for number in range(5000))
    await shop.run(
        "nightly", "ERROR", run_id="r-1", exit_code=3, duration_seconds=61.5, output_tail=printed,
        note="<!channel> & *x*", parts={"a": 1},
    )  # fmt: skip
    await shop.ask("/tocsin-logs")

    window = await open_run(shop, 1)

    seen = shown(window)
    assert "ERROR (exit code 3) in 61.5 s" in seen
    assert "note = <!channel> & *x*" in seen  # in rich text nothing is parsed
    assert "parts = {'a': 1}" in seen
    assert "line 4999" in seen
    assert "line 4000\n" not in seen
    assert "r-1" in seen
    assert "Output, its end (47.7 KiB in all)" in seen
    (alert,) = [await shop.alert("nightly failed")]
    assert "line 4999" in shown(alert), "an alert shows the end as well"


async def test_many_runs_are_opened_by_a_menu(shop: Story) -> None:
    await with_runs(shop, 50)
    await shop.ask("/tocsin-logs", "50")
    message = answer(shop)
    assert len(rows(shown({"blocks": message["blocks"] * 2}))) == 50
    outcome = await shop.workspace.choose("general", message["ts"], "run:open", "7")
    assert outcome.ok
    assert "rows_processed = 1006" in shown(await shop.modal())


async def test_output_is_sent_as_a_file_once_though_the_press_comes_twice(shop: Story) -> None:
    printed = "".join(f"row {number} ä\n" for number in range(4000))
    await shop.run("nightly", output=printed)
    await shop.ask("/tocsin-logs")
    window = await open_run(shop, 1)
    shop.workspace.duplicate_envelopes(None)

    assert (await shop.workspace.click_in_view(window["id"], "run:send")).ok

    await shop.workspace.wait_for(
        lambda: "Sent to the conversation" in shown(shop.workspace.open_view() or {})
    )
    await shop.settle()
    (message,) = [m for m in shop.workspace.messages("general") if m.get("files")]
    assert "What *nightly* printed, for <@U0ALEX>" in message["text"]
    (file,) = message["files"]
    assert re.fullmatch(r"nightly-2\d{3}-\d\d-\d\dT\d{6}\.log", file["name"])
    async with aiohttp.ClientSession() as browser, browser.get(file["url_private"]) as download:
        assert await download.text() == printed


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (lambda told: told.workspace.remove_bot("general"), "I am not in this channel. Invite me"),
        (lambda told: told.workspace.remove_scope("files:write"), "lacks the scope files:write"),
        (
            lambda told: told.workspace.faults.fail("files.completeUploadExternal", "odd"),
            "Slack answered odd",
        ),
        (lambda told: told.workspace.faults.fail("upload", "odd"), "did not take the file; try again"),
    ],
    ids=["not in channel", "no scope", "refused", "broken"],
)
async def test_who_asks_for_a_file_is_told_why_it_cannot_be(shop: Story, trouble: Any, said: str) -> None:
    await shop.run("nightly", output="all of it")
    await shop.ask("/tocsin-logs")
    window = await open_run(shop, 1)
    trouble(shop)

    await shop.workspace.click_in_view(window["id"], "run:send")

    await shop.workspace.wait_for(lambda: said in shown(shop.workspace.open_view() or {}))
    assert not [m for m in shop.workspace.messages("general") if m.get("files")]


async def test_who_closed_the_window_meanwhile_is_told_in_the_channel(shop: Story) -> None:
    await shop.run("nightly", output="all of it")
    await shop.ask("/tocsin-logs")
    window = await open_run(shop, 1)
    shop.workspace.remove_scope("files:write")
    shop.workspace.faults.fail("views.update", "not_found")

    await shop.workspace.click_in_view(window["id"], "run:send")

    await shop.told(ALEX, "Not sent", "general")


async def test_a_run_that_is_gone_is_said_to_be(shop: Story) -> None:
    await shop.run("nightly")
    await shop.ask("/tocsin-logs")
    shop.skip(timedelta(days=91))
    for _ in range(5):
        await shop.tocsin.upkeep.roll_up()
    await shop.tocsin.upkeep.sweep()
    await shop.workspace.click("general", answer(shop)["ts"], "run:open", value="1")
    await shop.told(ALEX, "does not keep this run", "general")


async def test_a_job_is_shown_with_its_last_runs_and_a_chart(shop: Story) -> None:
    await with_runs(shop, 25)

    seen = await shop.ask("/tocsin-status", "nightly")

    message = answer(shop)
    strip = shown({"blocks": message["blocks"][1:2]})
    assert strip.count(":white_check_mark:") == 18
    assert (
        strip.splitlines()[1] == ":white_check_mark:".join(["", ":stopwatch:"][::-1])
        or ":stopwatch:" in strip
    )
    assert "20 runs: 18 succeeded, 2 timed out" in strip or "20 runs: 2 timed out, 18 succeeded" in strip
    assert "*Next due*\n<!date^" in seen
    assert "*Last duration*\n30 s" in seen
    assert "*Budget used*\n50% of 1 min" in seen
    assert "*Success, 24 hours*\n92% of 25 runs" in seen
    (chart,) = [block for block in message["blocks"] if block["type"] == "data_visualization"]
    durations, budget = chart["chart"]["series"]
    assert [point["value"] for point in durations["data"]] == [float(49 - n) for n in range(20)]
    assert {point["value"] for point in budget["data"]} == {60.0}
    assert chart["chart"]["axis_config"]["categories"][-1] == "09:00"
    assert "Durations in seconds: 49, 48," in message["text"], "what the chart shows is also said"
    assert "least 30, median 39.5, most 49" in message["text"]


async def test_where_slack_refuses_charts_the_answer_comes_without(shop: Story) -> None:
    await with_runs(shop, 5)
    shop.workspace.faults.fail("response_url", "invalid_blocks")

    seen = await shop.ask("/tocsin-status", "nightly")

    assert "data_visualization" not in [block["type"] for block in answer(shop)["blocks"]]
    assert "Durations in seconds: 34, 33, 32, 31, 30" in seen
    assert "*Budget used*" in seen


async def test_a_mentions_answer_also_comes_without_a_refused_chart(shop: Story) -> None:
    await with_runs(shop, 5)
    shop.workspace.faults.fail("chat.postMessage", "invalid_blocks")
    asked = await shop.workspace.mention("general", "status nightly")
    replies = await shop.see(lambda: shop.workspace.replies("general", asked["ts"]))
    kinds = [block["type"] for block in replies[0]["blocks"]]
    assert "data_visualization" not in kinds
    assert "section" in kinds


async def test_a_late_job_is_overdue_since_then(shop: Story) -> None:
    await shop.run("mail_orders", timestamp=stamp(START - timedelta(hours=5)))
    due = int((START - timedelta(hours=4)).timestamp())
    assert f"*Overdue since*\n<!date^{due}^" in await shop.ask("/tocsin-status", "mail_orders")


async def test_a_check_is_shown_with_its_limits_uptime_and_alerts(shop: Story) -> None:
    await shop.looked()
    await shop.change(503, "broken")
    await shop.alert("backend")
    await shop.settle()

    seen = await shop.ask("/tocsin-status", "backend")

    assert ":red_circle: *backend* · check · critical" in seen
    assert ":large_green_circle::red_circle:" in seen
    assert "2 results: 1 ok, 1 critical" in seen
    assert "*Critical since*\n<!date^" in seen
    assert re.search(r"`response_time_ms` [\d.]+ · P1 above 5000; P3 above 2000", seen)
    assert "*Uptime, 24 hours*\n50% of 2 results" in seen
    assert "*Uptime, 7 days*\n50% of 2 results" in seen
    assert "*P1*" in seen
    assert "#1, active" in seen
    (chart,) = [block for block in answer(shop)["blocks"] if block["type"] == "data_visualization"]
    # limits far above what was measured would press the line flat
    assert [series["name"] for series in chart["chart"]["series"]] == [
        "response_time_ms",
    ]  # fmt: skip


async def test_names_are_forgiven(shop: Story) -> None:
    assert "*nightly* · job · nothing heard yet" in await shop.ask("/tocsin-status", "NIGHT")
    typo = await shop.ask("/tocsin-status", "nigthly")
    assert "*nightly* · job" in typo
    assert "You wrote `nigthly`; this is `nightly`" in typo
    assert "*mail_orders* · job" in await shop.ask("/tocsin-status", "orders")
    await shop.ask("/tocsin-status", "mail")
    assert buttons(answer(shop)) == ["mail_orders", "mail_returns"]
    assert (await shop.workspace.click("general", answer(shop)["ts"], "ask:1")).ok
    await shop.workspace.wait_for(lambda: "*mail_returns* · job" in shown(answer(shop)))
    unknown = await shop.ask("/tocsin-status", "<!here> `zzz`")
    assert "I know no check, job or alert" in unknown
    assert "*Open alerts*" in unknown
    assert "<!here>" not in unknown


async def test_a_check_and_a_job_of_one_name_are_told_apart(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.run("backend")
        await told.ask("/tocsin-status", "backend", SAM)
        assert buttons(answer(told, SAM)) == ["check:backend", "job:backend"]
        await told.workspace.click("general", answer(told, SAM)["ts"], "ask:1", user=SAM)
        await told.workspace.wait_for(lambda: "*backend* · job" in shown(answer(told, SAM)))
        assert "*backend* · check" in await told.ask("/tocsin-status", "check:backend", SAM)
