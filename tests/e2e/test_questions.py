"""Commands, mentions, direct messages and Home: every question gets an answer, nonsense a kind one."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.harness import ALEX, SAM, SHOP, START, Story, buttons, shown, story

FLEETYIELD = Path(__file__).parents[2] / "examples" / "fleetyield.yml"
JOBS = SHOP + "jobs:\n  parse_orders: {}\n  parse_returns: {}\n  send_mail: {}\n"


def stamp(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, JOBS) as told:
        yield told


async def with_runs(told: Story, count: int = 25) -> None:
    """Runs of three jobs, one an hour, every fifth failed."""
    names = ("parse_orders", "parse_returns", "send_mail")
    runs = [
        {
            "job_name": names[number % 3],
            "status": "ERROR" if number % 5 == 0 else "SUCCESS",
            "exit_code": 7 if number % 5 == 0 else 0,
            "rows_processed": 1000 + number,
            "timestamp": stamp(START - timedelta(hours=number)),
        }
        for number in range(count)
    ]
    status, _ = await told.post("/api/v1/runs", runs)
    assert status == 202


def rows(answer: str) -> list[int]:
    """The numbers of rows an answer lists, which tell the runs apart."""
    block = answer.split("\n")
    found = [int(line.split("rows_processed ")[1]) for line in block if "rows_processed" in line]
    return found[: len(found) // 2]  # once in the text, once in the blocks


async def test_status_tells_state_checks_jobs_and_alerts(shop: Story) -> None:
    await shop.looked()
    await shop.run("send_mail", "ERROR", exit_code=4)
    await shop.alert("send_mail failed")

    answer = await shop.ask("/tocsin-status")

    assert "*Shop* · :large_orange_circle: 1 warning" in answer
    assert "*backend* ok · HTTP 200 OK" in answer
    assert "*send_mail* critical" in answer
    assert "*parse_orders* · nothing heard yet" in answer
    assert "*P2* send_mail failed · #1" in answer


@pytest.mark.parametrize("command", ["/status", "/shop-status", "/tocsin"])
async def test_status_is_known_by_every_name(shop: Story, command: str) -> None:
    assert ":large_green_circle: All systems nominal" in await shop.ask(command)


async def test_fleetyield_shows_its_own_figures_with_their_change(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path}/fleetyield.db"}
    config = FLEETYIELD.read_text() + '\nhttp: {bind: "127.0.0.1:0", token: a-token-for-the-api}\n'
    async with story(tmp_path, config, environ=environ) as told:
        await told.run("agent_voting", occupancy_pct=70.0, timestamp=stamp(START - timedelta(hours=26)))
        await told.run("agent_voting", occupancy_pct=77.0, revenue_lift_pct=4.25)
        await told.run("parse_reservations", pct_invalid=2.4)
        await told.run("competitor_scraper", success_rate=0.934)

        answer = await told.ask("/fleetyield-status")

    assert "*FleetYield* · :large_green_circle: All systems nominal" in answer
    assert "*CSV Quality*\n97.6% valid" in answer
    assert "*Scraper Health*\n93% success" in answer
    assert "*Occupancy*\n77.0% (▲ 7.0% " in answer
    assert "*Revenue Impact*\n+4.2% lift" in answer
    assert "*pms_write* · nothing heard yet" in answer


async def test_logs_are_the_ten_newest_runs(shop: Story) -> None:
    await with_runs(shop)
    answer = await shop.ask("/tocsin-logs")
    assert rows(answer) == list(range(1000, 1010))


async def test_logs_are_filtered_by_words_in_any_order(shop: Story) -> None:
    await with_runs(shop)

    assert rows(await shop.ask("/tocsin-logs", "5 failed")) == [1000, 1005, 1010, 1015, 1020]
    assert rows(await shop.ask("/tocsin-logs", "send 3")) == [1002, 1005, 1008]
    assert rows(await shop.ask("/tocsin-logs", "parse_orders failed 24h 20")) == [1000, 1015]
    assert rows(await shop.ask("/tocsin-logs", "4h send_mail")) == [1002]
    assert rows(await shop.ask("/tocsin-logs", "today 50")) == list(range(1000, 1010))
    assert rows(await shop.ask("/tocsin-logs", "2024-03-04T06:00 50")) == [1000, 1001, 1002, 1003]
    assert rows(await shop.ask("/tocsin", "logs `send_mail` 2")) == [1002, 1005]
    assert "No runs fit" in await shop.ask("/shop-logs", "timeout")


async def test_pages_of_logs_are_turned_forth_and_back(shop: Story) -> None:
    await with_runs(shop)
    await shop.ask("/tocsin-logs", "success 10")

    async def turn(button: str) -> list[int]:
        (page,) = shop.workspace.ephemerals(ALEX, "general")
        outcome = await shop.workspace.click("general", page["ts"], f"logs:{button}")
        assert outcome.ok
        await shop.workspace.wait_for(
            lambda: shown(shop.workspace.ephemerals(ALEX, "general")[0]) != shown(page)
        )
        return rows(shown(shop.workspace.ephemerals(ALEX, "general")[0]))

    (first,) = shop.workspace.ephemerals(ALEX, "general")
    assert buttons(first) == ["Older ›"]
    newest = rows(shown(first))
    older = await turn("older")
    assert [*newest, *older] == [1000 + n for n in range(25) if n % 5 != 0]
    (last,) = shop.workspace.ephemerals(ALEX, "general")
    assert buttons(last) == ["‹ Newer"]
    assert await turn("newer") == newest


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("parse", "could be ˋparse_ordersˋ or ˋparse_returnsˋ"),
        ("sned_mail", "Did you mean ˋsend_mailˋ?"),
        ("nothing_like_it", "The jobs are"),
        ("9999999999999999999", "1 to 50 runs at once"),
        ("0", "1 to 50 runs at once"),
        ("2024-13-45", "is no date I know"),
        ("99999999d", "too long ago"),
        ("send_mail parse_orders", "already"),
        ("'; DROP TABLE runs; --", "There is no job"),
        ("<!channel> ``` *x*", "There is no job"),
    ],
)
async def test_nonsense_is_answered_with_what_would_be_understood(
    shop: Story, words: str, answer: str
) -> None:
    found = await shop.ask("/tocsin-logs", words)
    assert answer.replace("ˋ", "`") in found
    assert "You can ask me" in found
    assert "<!channel>" not in found


async def test_a_typo_in_the_command_is_forgiven(shop: Story) -> None:
    answer = await shop.ask("/tocsin", "statsu")
    assert "You wrote `statsu`; this is `status`" in answer
    assert "*backend*" in answer
    assert "I do not know" in await shop.ask("/tocsin", "x" * 3000)


async def test_open_alerts_are_listed(shop: Story) -> None:
    await shop.run("send_mail", "TIMEOUT", exit_code=124)
    await shop.alert("send_mail")
    answer = await shop.ask("/tocsin", "alerts")
    assert "*P1* send_mail exceeded its time limit" in answer
    assert "1 warning (1 critical)" in answer


async def test_a_heartbeat_check_is_answered_once_though_it_comes_twice(shop: Story) -> None:
    shop.workspace.duplicate_envelopes(None)
    await shop.workspace.say("general", "heartbeat_check")
    await shop.workspace.say("general", "Is the heartbeat_check done?")

    await shop.see(lambda: len(shop.workspace.messages("general")) == 3)
    await shop.settle()

    assert [
        ":large_green_circle: All systems nominal" in shown(m) for m in shop.workspace.messages("general")
    ] == [
        False,
        False,
        True,
    ]


async def test_a_heartbeat_check_counts_the_warnings(shop: Story) -> None:
    await shop.run("send_mail", "ERROR", exit_code=1)
    await shop.run("parse_orders", "TIMEOUT", exit_code=124)
    await shop.see(lambda: len(shop.alerts()) == 2)

    await shop.workspace.say("general", "`heartbeat_check`", user=SAM)

    answer = await shop.see(lambda: shop.workspace.messages("general")[1:])
    assert ":large_orange_circle: 2 warnings (1 critical)" in shown(answer[0])
    assert "send_mail failed" in shown(answer[0])


async def test_a_mention_is_answered_in_its_thread(shop: Story) -> None:
    asked = await shop.workspace.mention("general", "status please")
    await shop.workspace.mention("general", "heartbeat_check")

    answer = await shop.see(lambda: shop.workspace.replies("general", asked["ts"]))

    assert "*backend*" in shown(answer[0])
    await shop.settle()
    assert len(shop.workspace.messages("general")) == 2
    replies = shop.workspace.replies("general", shop.workspace.messages("general")[1]["ts"])
    assert "All systems nominal" in shown(replies[0])


async def test_a_direct_message_is_answered_there(shop: Story) -> None:
    direct = shop.workspace.direct(SAM)
    await shop.workspace.say(direct, "help", user=SAM)
    await shop.see(lambda: any("You can ask me" in shown(m) for m in shop.workspace.messages(direct)))
    await shop.workspace.say(direct, "heartbeat_check", user=SAM)
    await shop.see(lambda: any("All systems nominal" in shown(m) for m in shop.workspace.messages(direct)))
    await shop.settle()
    assert len(shop.workspace.messages(direct)) == 4


async def test_home_shows_how_everything_stands(shop: Story) -> None:
    await shop.workspace.open_home(SAM)
    home = await shop.workspace.wait_for(lambda: shop.workspace.home(SAM)) or {}
    assert "*backend*" in shown(home)
