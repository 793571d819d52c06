"""Killed while an incident is being opened or closed, Tocsin goes on after its restart and does nothing twice."""

from pathlib import Path

import pytest

from bot.domain.clock import system_clock
from tests.e2e.harness import ALEX, SHOP, Json, Story, shown, story
from tests.e2e.process import running
from tests.e2e.test_incidents import CHANNEL, channels, close, fill, in_incident, opened, ticked

pytestmark = pytest.mark.faults


async def killed(told: Story, tmp_path: Path, place: str) -> None:
    """Let a process open an incident until it is killed at this place."""
    config = tmp_path / "tocsin.yml"
    config.write_text(told.config)
    async with running(config, told.workspace, {"TOCSIN_FAILPOINT": place}) as process:
        await process.logs("slack_connected")
        messages = await told.workspace.wait_for(lambda: told.alerts("backend"), timeout=20)
        await told.press(messages[0], "incident")
        assert await process.ended() == -9, process.lines[-5:]


# Steps after the channel's creation count from one: the invitation of who opened it, the topic.
@pytest.mark.parametrize("place", ["after_create", "after_incident_step:1", "after_incident_step:2"])
async def test_after_a_kill_there_is_one_channel_with_everything_in_it(tmp_path: Path, place: str) -> None:
    async with story(tmp_path, SHOP, start=system_clock(), every="1h", begin=False) as told:
        told.service.status = 503
        await killed(told, tmp_path, place)
        assert list(channels(told)) == [CHANNEL]

        await told.start()
        await ticked(told)

        channel = channels(told)[CHANNEL]
        assert list(channels(told)) == [CHANNEL]
        assert ALEX in channel.members
        assert channel.topic.startswith("Incident #1")
        assert len(in_incident(told, "Incident #1: backend is down")) == 1
        (alert,) = [m for m in in_incident(told) if "Where" in shown(m)]
        assert len(channel.pinned) == 3
        assert alert["ts"] in channel.pinned
        assert len(await told.tocsin.incidents.open_ones()) == 1


async def test_after_a_kill_while_closing_the_report_and_its_file_stand_there_once(tmp_path: Path) -> None:
    async with story(tmp_path, SHOP, start=system_clock(), every="1h", begin=False) as told:
        told.service.status = 503
        config = tmp_path / "tocsin.yml"
        config.write_text(told.config)
        place = "after_incident_step:3"  # the file is sent, and nobody knows
        async with running(config, told.workspace, {"TOCSIN_FAILPOINT": place}) as process:
            await process.logs("slack_connected")
            messages = await told.workspace.wait_for(lambda: told.alerts("backend"), timeout=20)
            await told.press(messages[0], "incident")
            cards = await told.workspace.wait_for(
                lambda: in_incident(told, "Incident #1: backend is down"), timeout=20
            )
            window = await close(told, cards[0])
            answers = {"cause": "A bad deploy", "resolution": "Rolled back"}
            assert (await told.workspace.submit(window["id"], answers)).ok
            assert await process.ended() == -9, process.lines[-5:]
        await told.start()
        await ticked(told)
        assert len([m for m in in_incident(told) if m.get("files")]) == 1
        assert len(in_incident(told, "Report of incident #1: backend is down")) == 1
        assert len([m for m in told.workspace.messages("alerts") if "closed after" in shown(m)]) == 1
        assert "A bad deploy" in (await told.tocsin.incidents.report(1) or "")


async def test_a_channel_whose_answer_was_lost_is_found_again_by_its_name(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.looked()
        await told.change(503)
        message: Json = await told.alert("backend is down")
        told.workspace.faults.drop_after("conversations.create")
        await told.press(message, "incident")
        said = await told.told(ALEX, "is being made")
        assert f"#{CHANNEL}" in shown(said)
        await ticked(told)
        await ticked(told)
        assert list(channels(told)) == [CHANNEL]
        assert in_incident(told, "Incident #1: backend is down")


async def test_a_report_file_whose_answer_was_lost_is_not_sent_again(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.looked()
        await opened(told)
        told.workspace.faults.drop_after("files.completeUploadExternal")
        await fill(told)
        await ticked(told)
        await ticked(told)
        assert len([m for m in in_incident(told) if m.get("files")]) == 1


async def test_a_slack_that_is_away_delays_the_steps_and_loses_none(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.looked()
        await told.change(503)
        message = await told.alert("backend is down")
        told.workspace.faults.fail("conversations.invite", "internal_error", times=2)
        told.workspace.faults.http_error("pins.add", 503, times=2)
        await told.press(message, "incident")
        await told.told(ALEX, "You opened incident #1")
        for _ in range(6):
            await ticked(told)
        assert ALEX in channels(told)[CHANNEL].members
        assert len(channels(told)[CHANNEL].pinned) == 3


async def test_a_slack_that_refuses_the_channel_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.looked()
        await told.change(503)
        message = await told.alert("backend is down")
        told.workspace.faults.fail("conversations.create", "restricted_action")
        await told.press(message, "incident")
        said = shown(await told.told(ALEX, "could not be opened"))
        assert "an administrator can allow it" in said
        assert await told.tocsin.incidents.open_ones() == []
        await ticked(told)
        assert channels(told) == {}


async def test_somebody_slack_does_not_let_in_is_named_in_the_channel_and_on_its_card(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.looked()
        told.workspace.faults.fail("conversations.invite", "cant_invite")
        await opened(told)
        assert in_incident(told, f"<@{ALEX}> could not be invited: Slack does not let this user in")
        assert f"<@{ALEX}> (opened it, could not be invited)" in shown(in_incident(told)[0])
