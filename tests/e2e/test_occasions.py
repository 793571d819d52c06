"""Check-ins, checklists, drills, health and SLA reports, as people meet them."""

import asyncio
import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner

from bot.cli import app
from storage import checklists
from tests.e2e.harness import ALEX, SAM, SHOP, Json, Story, buttons, shown, story

NOON = datetime(2024, 3, 5, 11, 0, tzinfo=UTC)
CHECKIN = """
people: {oncall: U0KIM}
checkins:
  - {at: "11:30", title: Midday check, checks: [backend, report], mention: "@oncall"}
"""
FILE = """  report:
    type: file
    every: 5m
    path: {folder}/report.csv
    due: "11:00"
    missing_after: "11:45"
"""


def with_file(tmp_path: Path, more: str) -> str:
    return SHOP + FILE.replace("{folder}", str(tmp_path)) + more


async def tick(told: Story, instant: datetime) -> None:
    """Let it be this late, and let Tocsin look at its clock."""
    told.clock.skip_to(instant)
    await told.tocsin.scheduled.tick()
    await told.tocsin.checkins.tick()
    await told.tocsin.drills.tick()
    await told.settle()


def posted(told: Story, text: str, channel: str = "alerts") -> list[Json]:
    return [
        {**message, "channel": channel}
        for message in told.workspace.messages(channel)
        if text in shown(message) and message.get("thread_ts", message["ts"]) == message["ts"]
    ]


def at(hour: int, minute: int, second: int = 2) -> datetime:
    return NOON.replace(hour=hour, minute=minute, second=second)


async def looked_at(told: Story, check: str, state: str) -> None:
    """Let a check run until it stands so."""

    async def stands() -> bool:
        overview = await told.tocsin.reporting.overview()
        return any(line.name == check and line.state.value == state for line in overview.checks)

    await told.look(check)
    for _ in range(200):
        await told.tocsin.monitoring.settle()
        if await stands():
            return
        await asyncio.sleep(0.02)  # the check itself runs in real time
    raise AssertionError(f"{check} never became {state}")


# --- check-ins --------------------------------------------------------------------------------------------


async def test_a_checkin_is_true_at_its_minute_and_follows_what_is_pending(tmp_path: Path) -> None:
    config = with_file(tmp_path, CHECKIN).replace("http: {", "http: {url: https://status.example.com, ")
    async with story(tmp_path, config, start=NOON) as told:
        await told.looked()
        await tick(told, told.clock())
        await tick(told, at(11, 30))
        (card,) = posted(told, "Midday check")
        assert "1 pending, 1 ok" in shown(card)
        assert "updated while something is pending" in shown(card)
        assert buttons(card) == ["Open the dashboard"]
        assert "<@U0KIM>" not in shown(card)

        (tmp_path / "report.csv").write_text("a,b\n1,2\n")
        await looked_at(told, "report", "ok")
        await tick(told, at(11, 33))
        card = told.again(card)
        assert "all 2 ok" in shown(card)
        assert "updated while" not in shown(card)
        assert len(posted(told, "Midday check")) == 1
        assert told.thread(card) == []


async def test_what_turns_wrong_on_a_card_calls_people_in_its_thread_once(tmp_path: Path) -> None:
    async with story(tmp_path, with_file(tmp_path, CHECKIN), start=NOON) as told:
        await told.looked()
        await tick(told, told.clock())
        await tick(told, at(11, 30))
        await tick(told, at(11, 46))
        await looked_at(told, "report", "critical")
        await tick(told, at(11, 46, 30))
        (card,) = posted(told, "Midday check")
        assert "1 critical, 1 ok" in shown(card)
        (line,) = told.thread(card)
        assert "<@U0KIM>" in line
        assert "report critical" in line.replace("*", "")
        for minute in range(47, 59, 4):
            await tick(told, at(11, minute))
        assert len(told.thread(card)) == 1


async def test_a_card_on_which_nothing_is_pending_is_left_as_it_was(tmp_path: Path) -> None:
    config = with_file(tmp_path, CHECKIN.replace("[backend, report]", "[backend]"))
    async with story(tmp_path, config, start=NOON) as told:
        await told.looked()
        await tick(told, told.clock())
        await tick(told, at(11, 30))
        (card,) = posted(told, "Midday check")
        assert "Midday check: ok" in card["text"]
        await told.change(503)
        await told.alert("backend")
        await tick(told, at(11, 40))
        assert shown(told.again(card)) == shown(card)


async def test_a_card_that_is_wrong_at_its_minute_calls_people_and_survives_a_restart(tmp_path: Path) -> None:
    async with story(tmp_path, with_file(tmp_path, CHECKIN), start=NOON) as told:
        await told.looked()
        await told.change(503)
        await told.alert("backend")
        await tick(told, told.clock())
        await tick(told, at(11, 30))
        (card,) = posted(told, "Midday check")
        assert "1 critical, 1 pending" in shown(card)
        assert "<@U0KIM>" in shown(card)

        await told.restart()
        (tmp_path / "report.csv").write_text("a,b\n1,2\n")
        await looked_at(told, "report", "ok")
        await tick(told, at(11, 34))
        assert "1 critical, 1 ok" in shown(told.again(card))
        assert len(posted(told, "Midday check")) == 1


# --- checklists -------------------------------------------------------------------------------------------

LIST = """
checklists:
  daily: {at: "11:30", items: [Review alert summary, Verify backup completion, Review error logs], mention: U0KIM}
"""


async def a_list(told: Story) -> Json:
    await tick(told, told.clock())
    await tick(told, at(11, 30))
    (found,) = posted(told, "Daily checklist")
    return found


async def ticked(
    told: Story, message: Json, *values: str, user: str = ALEX, block_id: str | None = None
) -> None:
    outcome = await told.workspace.choose(
        message["channel"], message["ts"], "tick:1:0", list(values), user=user, block_id=block_id
    )
    assert outcome.ok, outcome


def boxes(message: Json) -> Json:
    (found,) = [block for block in message["blocks"] if block["type"] == "actions"]
    element: Json = found["elements"][0]
    return element


async def test_a_checklist_is_ticked_by_people_who_are_shown_beside_it(tmp_path: Path) -> None:
    async with story(tmp_path, SHOP + LIST, start=NOON) as told:
        found = await a_list(told)
        assert "Daily checklist: 3 to do" in found["text"]
        assert "<@U0KIM>" in found["text"]

        await ticked(told, found, "1")
        await told.settle()
        found = told.again(found)
        assert "1 of 3 done" in found["text"]
        assert f"☑ Verify backup completion (<@{ALEX}>" in found["text"]
        assert f"<@{ALEX}>" in boxes(found)["options"][1]["description"]["text"]

        await told.restart()
        await ticked(told, found, "0", "1", "2", user=SAM)
        await told.settle()
        found = told.again(found)
        assert "all 3 done" in found["text"]
        assert f"☑ Verify backup completion (<@{ALEX}>" in found["text"]
        assert f"☑ Review error logs (<@{SAM}>" in found["text"]

        await ticked(told, found, "0", "2")
        await told.settle()
        assert "☐ Verify backup completion" in told.again(found)["text"]


async def test_two_people_who_tick_at_once_lose_nothing_and_the_second_is_told(tmp_path: Path) -> None:
    async with story(tmp_path, SHOP + LIST, start=NOON) as told:
        found = await a_list(told)
        number = 1
        for who, added in ((ALEX, [0]), (SAM, [2])):  # both saw the list without a tick
            await told.tocsin.checklists.tick(number, added, [], who)
        assert await told.tocsin.checklists.tick(number, [2], [], SAM) == []
        ((item, tick_before),) = await told.tocsin.checklists.tick(number, [0], [], SAM)
        assert (item, tick_before.by) == ("Review alert summary", ALEX)
        await told.settle()
        assert "2 of 3 done" in told.again(found)["text"]


async def test_a_press_is_understood_by_the_list_its_person_saw(tmp_path: Path) -> None:
    async with story(tmp_path, SHOP + LIST, start=NOON) as told:
        found = await a_list(told)
        await told.tocsin.checklists.tick(1, [0], [], ALEX)  # Sam's list does not show it yet
        await ticked(told, found, "0", user=SAM)
        said = await told.told(SAM, "had done")
        assert f"<@{ALEX}> had done “Review alert summary” already" in said["text"]
        await told.settle()
        assert f"☑ Review alert summary (<@{ALEX}>" in told.again(found)["text"]


async def test_ticking_a_list_that_is_not_kept_any_more_says_so(tmp_path: Path) -> None:
    async with story(tmp_path, SHOP + LIST, start=NOON) as told:
        found = await a_list(told)
        async with told.tocsin.database.transaction() as connection:
            await checklists.forget(connection, told.clock() + timedelta(days=1))
        await ticked(told, found, "0")
        assert "does not keep this checklist" in (await told.told(ALEX, "checklist"))["text"]


# --- drills -----------------------------------------------------------------------------------------------

ROUTES = """
destinations: {email: {webhook: "{service}/hook"}}
routes:
  - {match: severity == 'critical', to: [slack, "#general", email]}
  - {match: severity == 'low', to: [digest]}
  - {to: [slack]}
"""


async def test_a_drill_sends_a_marked_alert_everywhere_and_tells_what_arrived_how_fast(
    tmp_path: Path,
) -> None:
    async with story(tmp_path, SHOP + ROUTES, start=NOON) as told:
        said = await told.ask("/tocsin", "drill P1")
        assert "Drill #1 goes to 3 places" in said
        await told.settle()
        await tick(told, told.clock() + timedelta(seconds=5))
        for channel in ("alerts", "general"):
            (test,) = posted(told, "no real alert", channel)
            assert "Nobody needs to do anything" in shown(test)
        (result,) = posted(told, "Asked for by", "general")
        assert "arrived in 3 of 3 places, the slowest after" in shown(result)
        assert "*slack #general* arrived after" in shown(result)
        assert "*email* arrived after" in shown(result)
        assert told.alerts() == []


async def test_a_drill_says_what_did_not_arrive_and_why(tmp_path: Path) -> None:
    async with story(tmp_path, SHOP + ROUTES.replace("#general", "#nowhere"), start=NOON) as told:
        await told.ask("/tocsin", "drill route 1")
        await told.settle()
        await tick(told, told.clock() + timedelta(seconds=5))
        (result,) = posted(told, "Asked for by", "general")
        assert "arrived in 2 of 3 places" in shown(result)
        assert "*slack #nowhere* did not arrive: channel_not_found" in shown(result)


async def test_a_drill_of_nonsense_is_answered_with_what_would_be_understood(tmp_path: Path) -> None:
    async with story(tmp_path, SHOP + ROUTES, start=NOON) as told:
        assert "`drill route 1` to `drill route 3`" in await told.ask("/tocsin", "drill everything")
        assert "there is no route 9" in await told.ask("/tocsin", "drill route 9")
        assert "nowhere" in await told.ask("/tocsin", "drill P4")


async def test_only_those_who_may_drill_do(tmp_path: Path) -> None:
    async with story(tmp_path, SHOP + "permissions: {drill: [U0SAM]}\n", start=NOON) as told:
        assert "You may not drill here" in await told.ask("/tocsin", "drill")
        assert "Drill #1" in await told.ask("/tocsin", "drill", user=SAM)


# --- reports ----------------------------------------------------------------------------------------------

REPORTS = """
timezone: America/New_York
reports:
  health: {every: 1h}
  sla:
    schedule: "0 9 1 * *"
    objectives:
      - {name: Uptime, field: backend.up, stat: avg, target: ">= 99.9%"}
      - {name: Deploys, field: sync.deploy_status, stat: "share of 'live'", target: "> 95%"}
"""


async def test_a_health_report_every_hour_counts_the_alerts_of_a_day_and_a_week(tmp_path: Path) -> None:
    async with story(tmp_path, SHOP + REPORTS, start=at(10, 30)) as told:
        await told.looked()
        await tick(told, told.clock())
        await told.change(503)
        await told.alert("backend")
        await tick(told, at(11, 0))
        (found,) = posted(told, "health report")
        assert "*Alerts in 24 hours*\n1 · " in shown(found)
        assert "backend" in shown(found)
        await tick(told, at(12, 0))
        assert len(posted(told, "health report")) == 2


async def test_the_sla_report_comes_on_the_first_with_a_table_and_a_csv_file_in_its_thread(
    tmp_path: Path,
) -> None:
    start = datetime(2024, 2, 28, 12, 0, tzinfo=UTC)
    async with story(tmp_path, SHOP + REPORTS, start=start) as told:
        await told.looked()
        await tick(told, told.clock())
        for status in ("live", "live", "build_failed"):
            await told.run("sync", deploy_status=status)
        await told.tocsin.upkeep.roll_up()
        told.clock.skip_to(datetime(2024, 3, 1, 13, 59, tzinfo=UTC))
        await told.tocsin.upkeep.roll_up()
        await tick(told, datetime(2024, 3, 1, 14, 0, 2, tzinfo=UTC))
        (found,) = posted(told, "SLA of February 2024")
        assert "1 of 2 met, 1 missed" in found["text"]
        (table,) = [block for block in found["blocks"] if block["type"] == "table"]
        cells = [[cell.get("text") for cell in row] for row in table["rows"][1:]]
        assert cells[0][:4] == ["Uptime", ">= 99.9%", "100.00%", "✓ met"]
        assert cells[1][:4] == ["Deploys", "> 95%", "66.7%", "✗ missed"]

        (reply,) = told.workspace.replies("alerts", found["ts"])
        assert reply["files"][0]["name"] == "sla-2024-02.csv"
        rows = list(csv.DictReader(io.StringIO(await download(told, reply["files"][0]))))
        assert [row["state"] for row in rows] == ["met", "missed"]
        assert float(rows[1]["current"]) == 66.666667

        answer = await told.ask("/tocsin", "report sla 2024-02")
        assert "SLA of February 2024" in answer
        assert "no month I know" in await told.ask("/tocsin", "report sla smarch")
        assert "has not begun" in await told.ask("/tocsin", "report sla 2030-01")


async def download(told: Story, file: dict[str, Any]) -> str:
    async with (
        aiohttp.ClientSession() as http,
        http.get(
            file["url_private"], headers={"Authorization": f"Bearer {told.workspace.bot_token}"}
        ) as answer,
    ):
        return await answer.text()


async def test_a_workspace_that_takes_no_files_still_gets_the_report(tmp_path: Path) -> None:
    start = datetime(2024, 2, 28, 12, 0, tzinfo=UTC)
    async with story(tmp_path, SHOP + REPORTS, start=start) as told:
        await tick(told, told.clock())
        told.workspace.remove_scope("files:write")
        await tick(told, datetime(2024, 3, 1, 14, 0, 2, tzinfo=UTC))
        (found,) = posted(told, "SLA of February 2024")
        assert told.workspace.replies("alerts", found["ts"]) == []
        await tick(told, datetime(2024, 3, 1, 15, 0, 2, tzinfo=UTC))
        assert posted(told, "health report")


async def test_what_is_lost_on_the_way_is_looked_for_and_neither_card_nor_file_comes_twice(
    tmp_path: Path,
) -> None:
    config = SHOP + REPORTS + LIST.replace("11:30", "09:00")
    start = datetime(2024, 2, 28, 12, 0, tzinfo=UTC)
    async with story(tmp_path, config, start=start) as told:
        await tick(told, told.clock())
        told.workspace.faults.drop_after("chat.postMessage", times=2)
        told.workspace.faults.drop_after("files.completeUploadExternal")
        await tick(told, datetime(2024, 3, 1, 14, 0, 2, tzinfo=UTC))
        for minute in range(1, 6):
            await tick(told, datetime(2024, 3, 1, 14, minute, tzinfo=UTC))
        (sla,) = posted(told, "SLA of February 2024")
        assert len(told.workspace.replies("alerts", sla["ts"])) == 1
        assert len(posted(told, "Daily checklist")) == 1


async def test_a_card_that_was_deleted_is_posted_anew_when_somebody_ticks(tmp_path: Path) -> None:
    async with story(tmp_path, SHOP + LIST, start=NOON) as told:
        found = await a_list(told)
        told.workspace.faults.fail("chat.update", "message_not_found")
        await ticked(told, found, "1")
        await told.settle()
        assert [text for m in posted(told, "Daily checklist") if "1 of 3 done" in (text := m["text"])]


async def test_a_checkin_for_a_channel_that_is_gone_stands_in_the_usual_one_and_says_so(
    tmp_path: Path,
) -> None:
    config = with_file(tmp_path, CHECKIN.replace("title:", 'channel: "#gone", title:'))
    async with story(tmp_path, config, start=NOON) as told:
        await told.looked()
        await tick(told, told.clock())
        await tick(told, at(11, 30))
        (card,) = posted(told, "Midday check")
        assert "Meant for #gone, which cannot be posted to" in shown(card)
        (tmp_path / "report.csv").write_text("a,b\n1,2\n")
        await looked_at(told, "report", "ok")
        await tick(told, at(11, 33))
        assert "all 2 ok" in shown(told.again(card))


async def tocsin(arguments: list[str]) -> Any:
    """A command, in a thread for it has a loop of its own."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments))


async def test_the_command_line_prints_the_sla_report_and_writes_it_as_csv(tmp_path: Path) -> None:
    config = tmp_path / "tocsin.yml"
    start = datetime(2024, 2, 28, 12, 0, tzinfo=UTC)
    async with story(tmp_path, SHOP + REPORTS, start=start) as told:
        await told.looked()
        config.write_text(told.config)
    printed = await tocsin(["report", "sla", "-c", str(config), "--month", "2024-02"])
    assert printed.exit_code == 0, printed.output
    assert "Shop: SLA of 2024-02" in printed.output
    assert re.search(r"Uptime +>= 99.9% +100.00% +met", printed.output)

    target = tmp_path / "sla.csv"
    arguments = ["report", "sla", "-c", str(config), "--month", "2024-02", "--csv"]
    assert (await tocsin([*arguments, str(target)])).exit_code == 0
    assert [row["state"] for row in csv.DictReader(target.open(newline=""))] == ["met", "no data"]
    assert (await tocsin([*arguments, "-"])).output.startswith("month,objective,target")

    wrong = await tocsin(["report", "sla", "-c", str(config), "--month", "smarch"])
    assert (wrong.exit_code, "write one such as 2026-10" in wrong.output) == (2, True)
    nowhere = await tocsin([*arguments, str(tmp_path / "none" / "sla.csv")])
    assert (nowhere.exit_code, "cannot be written" in nowhere.output) == (1, True)
    config.write_text(told.config.split("reports:")[0])
    without = await tocsin(["report", "sla", "-c", str(config)])
    assert (without.exit_code, "no objectives under reports.sla" in without.output) == (2, True)


DIGEST = """
timezone: America/Los_Angeles
digest:
  at: "07:30"
  sections:
    - title: Pipeline
      items:
        - {label: Rows, field: parse.rows, stat: sum, change: 1d}
        - {label: Valid, field: parse.pct_valid, stat: avg, format: "{:.1f}%", change: 7d}
  charts:
    - {title: Rows a day, field: parse.rows, stat: sum, over: 7d, kind: line}
    - {title: Rows by region, field: parse.rows, stat: sum, over: 7d, kind: bar, by: region}
"""


async def a_week_of_runs(told: Story, start: datetime) -> None:
    await tick(told, told.clock())
    for day in range(8):
        told.clock.skip_to(start + timedelta(days=day))
        await told.run(
            "parse", rows=100 * (day + 1), pct_valid=90 + day, region="north" if day % 2 else "south"
        )


@pytest.mark.parametrize("refuses", [False, True])
async def test_a_digest_shows_changes_and_charts_whose_figures_stand_in_words_too(
    tmp_path: Path, refuses: bool
) -> None:
    start = datetime(2024, 3, 5, 20, 0, tzinfo=UTC)  # clocks go forward on the 10th
    async with story(tmp_path, SHOP + DIGEST, start=start) as told:
        await a_week_of_runs(told, start)
        told.clock.skip_to(datetime(2024, 3, 13, 14, 29, tzinfo=UTC))
        await told.settle()  # what else was to be said is said
        if refuses:
            told.workspace.faults.fail("chat.postMessage", "invalid_blocks")
        await tick(told, datetime(2024, 3, 13, 14, 30, 2, tzinfo=UTC))
        (found,) = posted(told, "digest of Tuesday, 12 March 2024")
        assert "*Rows*\n800 (▲ 100 against the day before)" in shown(found)
        assert "*Valid*\n97.0% (▲ 7.0% against 7 days before)" in shown(found)
        for text in (found["text"].replace("*", ""), shown(found).replace("*", "")):
            assert "Rows a day (sum a day)\n06 Mar 200 · 07 Mar 300 · " in text
            assert "11 Mar 700 · 12 Mar 800" in text
            assert "north: 06 Mar 200 · 07 Mar –" in text
        charts = [block for block in found["blocks"] if block["type"] == "data_visualization"]
        assert len(charts) == (0 if refuses else 2)
