"""The words of `/tocsin`: typos forgiven, checks, jobs and alerts found by what people call them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from handlers.slack.definitions import COMMANDS
from handlers.slack.words import WORDS, help_lines, usage_hint, word_meant, word_named
from tests.e2e.harness import ALEX, SAM, SHOP, Json, Story, buttons, shown, story

CONFIG = SHOP + "jobs: {parse_orders: {}, send_mail: {}}\n"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, CONFIG) as told:
        yield told


def last(told: Story, user: str = ALEX) -> Json:
    return told.workspace.ephemerals(user, "general")[-1]


@pytest.mark.parametrize(
    ("written", "word", "sure"),
    [
        ("statsu", "status", True),
        ("stauts", "status", True),
        ("hlep", "help", True),
        ("logss", "logs", True),
        ("LOGS", "logs", True),
        ("alrts", "alerts", True),
        ("oncal", "oncall", True),
        ("silense", "silence", False),  # it changes something, so it is asked again
        ("allert", "alert", False),
    ],
)
def test_a_typo_is_read_as_what_it_must_be_unless_it_would_change_something(
    written: str, word: str, sure: bool
) -> None:
    meant = word_meant(written)
    assert meant is not None
    assert (meant[0].name, meant[1]) == (word, sure)


def test_nonsense_is_no_word() -> None:
    assert word_meant("xyzzy") is None
    assert word_named("xyzzy") is None


def test_help_and_the_usage_hint_name_every_word() -> None:
    lines = "\n".join(help_lines("tocsin"))
    hint = usage_hint()
    for word in WORDS:
        if word.examples:
            assert f"/tocsin{'-' if word.command else ' '}{word.name}" in lines
            assert word.name in hint.split(" | ")
    assert hint in [command.usage_hint for command in COMMANDS]


async def test_an_alert_is_found_by_number_title_rule_and_resource(shop: Story) -> None:
    await shop.run("send_mail", "ERROR", exit_code=4)
    await shop.alert("send_mail failed")

    for asked in ("#1", "1", "alert 1", "mail failed", "job failed"):
        answer = await shop.ask("/tocsin-status", asked)
        assert "P2 high: send_mail failed" in answer, asked
        assert "Timeline" in answer
    assert "There is no alert #77 (any more)" in await shop.ask("/tocsin-status", "#77")
    assert "*send_mail* · job" in await shop.ask("/tocsin-status", "send_mail")  # the job itself comes first


async def test_what_may_be_several_is_offered(shop: Story) -> None:
    await shop.run("send_mail", "ERROR", exit_code=4)
    await shop.run("parse_orders", "ERROR", exit_code=4)
    await shop.see(lambda: len(shop.alerts()) == 2)

    answer = await shop.ask("/tocsin-status", "failed")
    assert "Which one is `failed`" in answer
    assert sorted(buttons(last(shop))) == ["#1", "#2"]
    outcome = await shop.workspace.click("general", last(shop)["ts"], "ask:0")
    assert outcome.ok
    await shop.workspace.wait_for(lambda: "Timeline" in shown(last(shop)))


async def test_logs_of_a_check_are_its_results_and_those_of_an_alert_its_runs(shop: Story) -> None:
    await shop.change(503)
    await shop.alert("backend")
    await shop.run("send_mail", "ERROR", exit_code=4)
    await shop.alert("send_mail failed")

    for asked in ("backend", "back", "check:backend", "#1"):
        answer = await shop.ask("/tocsin-logs", asked)
        assert "*backend* · its last results" in answer, asked
        assert "critical · HTTP 503" in answer
    answer = await shop.ask("/tocsin-logs", "#2")
    assert "Alert #2 is about the job `send_mail`" in answer
    assert "exit code 4" in answer


async def test_a_name_alone_is_offered_as_its_status(shop: Story) -> None:
    answer = await shop.ask("/tocsin", "backend")
    assert "I do not know `backend`" in answer
    assert buttons(last(shop)) == ["backend"]


async def test_words_that_change_something_are_for_the_command_alone(shop: Story) -> None:
    direct = shop.workspace.direct(SAM)
    await shop.workspace.say(direct, "silence backend 2h", user=SAM)
    await shop.see(
        lambda: any(
            "Ask with the command: `/tocsin silence`" in shown(m) for m in shop.workspace.messages(direct)
        )
    )
    await shop.workspace.say(direct, "why backend", user=SAM)
    await shop.see(
        lambda: any("I know no alert `backend`" in shown(m) for m in shop.workspace.messages(direct))
    )
    assert "none is active" in await shop.ask("/tocsin", "silences")


async def test_people_of_another_workspace_are_answered_nothing_of_it(tmp_path: Path) -> None:
    config = CONFIG.replace('slack: {channel: "#alerts"}', 'slack: {channel: "#alerts", team: T0OTHER}')
    async with story(tmp_path, config) as told:
        for command in ("/tocsin-status", "/tocsin-logs", "/tocsin"):
            answer = await told.ask(command)
            assert "Only members of this workspace may do that" in answer
            assert "backend" not in answer
        await told.workspace.mention("general", "status")
        await told.settle()
        assert "backend" not in "".join(
            shown(reply)
            for message in told.workspace.messages("general")
            for reply in told.workspace.replies("general", message["ts"])
        )
