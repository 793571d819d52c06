"""Incidents as people meet them: a button, a channel, its lines, the question, the window, the report, the API."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.demo.workspace.state import BOT_USER
from tests.e2e.harness import ALEX, KIM, SAM, SHOP, TOKEN, Json, Story, buttons, key_of, shown, story

ON_CALL = (
    SHOP
    + """
people: {sam: U0SAM, kim: U0KIM}
oncall: {primary: {rotation: [sam], handover: "Mon 09:00"}}
"""
)
CHANNEL = "inc-1-backend-is-down"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Story]:
    async with story(tmp_path, ON_CALL) as told:
        await told.looked()
        yield told


def channels(told: Story) -> dict[str, Any]:
    """The incident channels there are, by name."""
    state = told.workspace.core.state
    return {each.name: each for each in state.channels.values() if each.name.startswith("inc-")}


def in_incident(told: Story, what: str = "", channel: str = CHANNEL) -> list[Json]:
    """The messages of an incident's channel whose content holds something, oldest first."""
    if channel not in channels(told):
        return []
    return [{**m, "channel": channel} for m in told.workspace.messages(channel) if what in shown(m)]


async def broken(told: Story) -> Json:
    await told.change(503)
    return await told.alert("backend is down")


async def opened(told: Story, user: str = ALEX) -> Json:
    """A broken backend with an incident around it; the alert's message in #alerts."""
    message = await broken(told)
    await told.press(message, "incident", user)
    await told.told(user, "You opened incident #1")
    await ticked(told)
    return await told.becomes(message, "Incident")


async def ticked(told: Story, by: timedelta = timedelta(seconds=10)) -> None:
    """Let time pass and everything happen that falls due."""
    told.skip(by)
    await told.tocsin.listeners.finish()
    await told.tocsin.incidents.tick()
    await told.settle()
    told.skip(timedelta(seconds=3))
    await told.tocsin.incidents.tick()
    await told.settle()


async def close(told: Story, message: Json, user: str = ALEX) -> Json:
    """Press Close incident… on a message; the window."""
    outcome = await told.workspace.click(message["channel"], message["ts"], "incident:close", user=user)
    assert outcome.ok, outcome
    return await told.modal(user)


async def fill(
    told: Story, cause: str = "A bad deploy", helped: str = "Rolled back", user: str = ALEX
) -> Json:
    """Close the incident with these answers; the card."""
    (card,) = in_incident(told, "Incident #1: backend is down")[:1]
    window = await close(told, card, user)
    outcome = await told.workspace.submit(window["id"], {"cause": cause, "resolution": helped}, user=user)
    assert outcome.ok, outcome
    await told.told(user, "Incident #1 is closed", CHANNEL)
    await ticked(told)
    return card


async def test_the_button_makes_a_channel_with_the_alert_its_runbook_and_the_people(shop: Story) -> None:
    message = await broken(shop)
    assert "Open incident" in buttons(message)
    await shop.press(message, "acknowledge", KIM)
    message = await shop.becomes(message, "acknowledged by")

    await shop.press(message, "incident")
    said = await shop.told(ALEX, "You opened incident #1")
    await ticked(shop)

    channel = channels(shop)[CHANNEL]
    assert f"<#{channel.id}>" in shown(said)
    assert {ALEX, SAM, KIM} <= channel.members, "who opened it, who is on call, who acknowledged"
    assert channel.topic == "Incident #1 · P1 · backend is down"
    card, alert = in_incident(shop)[:2]
    assert key_of(card) == "incident-view:1:card"
    assert f"<@{ALEX}> (opened it)" in shown(card)
    assert f"<@{KIM}> (acknowledged)" in shown(card)
    assert f"<@{SAM}> (on call)" in shown(card)
    assert buttons(card) == ["Close incident…"]
    assert key_of(alert).startswith("alert:1:")
    assert buttons(alert) == ["Unacknowledge", "Resolve", "Silence…"], "no way into where one is"
    (runbook,) = in_incident(shop, "Runbook for backend is down: <https://wiki.example.com/backend>")
    assert set(channel.pinned) == {card["ts"], alert["ts"], runbook["ts"]}

    message = await shop.becomes(message, f"<#{channel.id}>")
    assert "Join incident" in buttons(message)
    await shop.see(lambda: any("part of an incident: #1" in line for line in shop.thread(message)))


async def test_what_happens_to_its_alert_is_written_in_the_channel_and_both_messages_follow(
    shop: Story,
) -> None:
    message = await opened(shop)
    await shop.press(message, "acknowledge", KIM)
    await ticked(shop)
    (line,) = in_incident(shop, f"<@{KIM}> acknowledged this")
    assert "Alert #1 P1 backend is down" in shown(line)
    assert KIM in channels(shop)[CHANNEL].members, "who acknowledges later is invited then"
    here = in_incident(shop)[1]
    assert f"acknowledged by <@{KIM}>" in shown(here)
    assert f"<@{KIM}> (acknowledged)" in shown(in_incident(shop)[0])
    assert shop.workspace.replies(CHANNEL, here["ts"]) == [], "lines stand in the channel, not in a thread"

    outcome = await shop.workspace.click(CHANNEL, here["ts"], "alert:resolve", user=KIM)
    assert outcome.ok
    await shop.becomes(message, "Resolved: backend is down")
    await ticked(shop)
    assert in_incident(shop, f"<@{KIM}> resolved this")


async def test_when_all_is_over_the_channel_is_asked_and_closing_posts_and_keeps_the_report(
    shop: Story,
) -> None:
    message = await opened(shop)
    await shop.press(message, "acknowledge", KIM)
    await ticked(shop, timedelta(minutes=20))
    await shop.change(200)
    await shop.becomes(message, "Resolved: backend is down")
    await ticked(shop)
    (asked,) = in_incident(shop, "Is incident #1 over too?")
    assert buttons(asked) == ["Close incident…"]
    await ticked(shop)
    assert len(in_incident(shop, "Is incident #1 over too?")) == 1, "asked once"

    window = await close(shop, asked)
    refused = await shop.workspace.submit(window["id"], {"cause": "", "resolution": "x"})
    assert not refused.ok, "both answers are needed"
    card = await fill(shop, "A bad deploy & <b>haste</b>", "Rolled back\n# not a heading")

    card = shop.again(card)
    assert "Closed after" in shown(card)
    assert buttons(card) == []
    assert f"<@{ALEX}> closed incident #1" in shown(shop.again(asked))
    (report,) = in_incident(shop, "Report of incident #1: backend is down")
    assert "A bad deploy &amp; &lt;b&gt;haste&lt;/b&gt;" in shown(report)
    (sent,) = [m for m in in_incident(shop) if m.get("files")]
    assert sent["files"][0]["name"] == "incident-1.md"
    assert sent["ts"] > report["ts"], "the report first, then its file"
    (short,) = [m for m in shop.workspace.messages("alerts") if "Incident #1 closed after" in shown(m)]
    assert "Rolled back" in shown(short)
    assert "/tocsin incident report 1" in shown(short)
    assert ", closed" in shown(shop.again(message))

    text = await shop.tocsin.incidents.report(1) or ""
    assert "# Incident #1: backend is down" in text
    assert "by Alex Moreau" in text
    assert "Kim Lindqvist acknowledged alert #1" in text
    assert "Alert #1 recovered" in text
    assert "A bad deploy & &lt;b>haste&lt;/b>" in text
    assert "\n\\# not a heading" in text
    assert "- Sam Okafor (on call): was invited" in text

    again = await shop.ask("/tocsin", "incidents")
    assert "none is open" in again
    assert "#1 P1 backend is down" in again


async def test_two_who_press_at_once_get_one_incident_and_both_are_told(shop: Story) -> None:
    message = await broken(shop)
    await asyncio.gather(shop.press(message, "incident", ALEX), shop.press(message, "incident", KIM))
    await shop.tocsin.listeners.finish()
    await ticked(shop)
    said = [shown(await shop.told(user, "ncident #1")) for user in (ALEX, KIM)]
    assert sorted("You opened" in each for each in said) == [False, True]
    assert list(channels(shop)) == [CHANNEL]
    assert {ALEX, KIM} <= channels(shop)[CHANNEL].members
    assert all(f"<#{channels(shop)[CHANNEL].id}>" in each for each in said)


async def raised(told: Story, title: str, severity: str = "high") -> Json:
    """Another alert."""
    body = {"alert_type": title, "title": title, "message": title, "severity": severity}
    assert (await told.post("/api/v1/alerts", body))[0] == 202
    return await told.alert(title)


async def test_another_alert_joins_an_open_incident_and_its_button_says_so(shop: Story) -> None:
    await opened(shop)
    other = await raised(shop, "Checkout is slow")
    assert "Join incident…" in buttons(other)
    low = await raised(shop, "Disk is filling", "medium")
    assert not [each for each in buttons(low) if "incident" in each]

    await shop.press(other, "incident", SAM)
    window = await shop.modal(SAM)
    assert "Checkout is slow" in str(window)
    outcome = await shop.workspace.submit(window["id"], {"incident": "1"}, user=SAM)
    assert outcome.ok, outcome
    await shop.told(SAM, "Incident #1 is open")
    await ticked(shop)
    (here,) = [m for m in in_incident(shop, "Checkout is slow") if key_of(m).startswith("alert:2:")]
    assert here["ts"] in channels(shop)[CHANNEL].pinned
    assert "Checkout is slow (alert #2, active)" in shown(in_incident(shop)[0])
    assert await shop.becomes(other, "#1 in <#")
    assert list(channels(shop)) == [CHANNEL]

    await shop.change(200)
    await ticked(shop)
    assert not in_incident(shop, "Is incident #1 over too?"), "one of two is still open"
    await shop.press(other, "resolve", SAM)
    await ticked(shop)
    (asked,) = in_incident(shop, "Its 2 alerts are over")
    await shop.change(503)
    await ticked(shop)
    assert "Not over yet" in shown(shop.again(asked))
    assert buttons(shop.again(asked)) == []


async def test_a_second_incident_can_be_opened_beside_one_that_is_open(shop: Story) -> None:
    await opened(shop)
    other = await raised(shop, "Checkout is slow")
    await shop.press(other, "incident", SAM)
    window = await shop.modal(SAM)
    assert (await shop.workspace.submit(window["id"], {"incident": "new"}, user=SAM)).ok
    await shop.told(SAM, "You opened incident #2")
    assert sorted(channels(shop)) == [CHANNEL, "inc-2-checkout-is-slow"]


async def test_closing_twice_changes_nothing_and_says_who_was_first(shop: Story) -> None:
    message = await opened(shop)
    await shop.press(message, "incident", KIM)
    await shop.told(KIM, "Incident #1 is open")
    (card,) = in_incident(shop, "Incident #1: backend is down")[:1]
    windows = {user: await close(shop, card, user) for user in (ALEX, KIM)}
    assert "1 alert is still open" in str(windows[KIM])
    for user, window in windows.items():
        answers = {"cause": f"by {user}", "resolution": "done"}
        assert (await shop.workspace.submit(window["id"], answers, user=user)).ok
        await shop.tocsin.listeners.finish()
    await shop.told(KIM, f"Incident #1 is closed already by <@{ALEX}>", CHANNEL)
    whole = await shop.tocsin.incidents.whole(1)
    assert whole is not None
    assert whole.incident.root_cause == f"by {ALEX}"
    await ticked(shop)
    assert len(in_incident(shop, "Report of incident #1: backend")) == 1


async def test_without_the_scope_nothing_is_done_and_the_answer_says_what_to_add(shop: Story) -> None:
    message = await broken(shop)
    shop.workspace.remove_scope("channels:manage")
    await shop.press(message, "incident")
    said = shown(await shop.told(ALEX, "channels:manage"))
    assert "No incident was opened" in said
    assert "OAuth & Permissions" in said
    await ticked(shop)
    assert channels(shop) == {}
    assert await shop.tocsin.incidents.open_ones() == []
    assert "Open incident" in buttons(shop.again(message))
    shop.workspace.grant_scope("channels:manage")
    await shop.press(message, "incident")
    await shop.told(ALEX, "You opened incident")


async def test_without_the_scope_for_pins_the_channel_says_so_once_and_all_else_is_done(shop: Story) -> None:
    shop.workspace.remove_scope("pins:write")
    await opened(shop)
    (said,) = in_incident(shop, "Messages cannot be pinned here")
    assert "`pins:write`" in shown(said)
    assert channels(shop)[CHANNEL].pinned == []
    assert in_incident(shop)[0]


async def test_who_may_not_is_told_politely(tmp_path: Path) -> None:
    guarded = SHOP + "people: {admins: [U0KIM]}\npermissions: {incident: [admins]}\n"
    async with story(tmp_path, guarded) as told:
        await told.looked()
        message = await broken(told)
        await told.press(message, "incident")
        assert "You may not open, join or close incidents here" in shown(await told.told(ALEX, "Ask admins"))
        assert await told.tocsin.incidents.open_ones() == []
        await told.press(message, "incident", KIM)
        await told.told(KIM, "You opened incident #1")
        await ticked(told)
        channels(told)[CHANNEL].members.add(ALEX)
        card = in_incident(told)[0]
        outcome = await told.workspace.click(CHANNEL, card["ts"], "incident:close", user=ALEX)
        assert outcome.ok
        await told.told(ALEX, "Ask", CHANNEL)
        assert told.workspace.open_view(ALEX) is None


async def test_a_name_that_is_taken_gets_a_number_behind(shop: Story) -> None:
    shop.workspace.add_channel(CHANNEL)
    message = await broken(shop)
    await shop.press(message, "incident")
    await shop.told(ALEX, "You opened incident #1")
    assert sorted(channels(shop)) == [CHANNEL, f"{CHANNEL}-2"]


async def test_an_archived_channel_takes_nothing_to_the_default_channel(shop: Story) -> None:
    message = await opened(shop)
    shop.workspace.archive_channel(CHANNEL)
    before = len(shop.workspace.messages("alerts"))
    await shop.press(message, "acknowledge", KIM)
    await shop.becomes(message, "acknowledged by")
    await ticked(shop)
    assert len(shop.workspace.messages("alerts")) == before


async def test_the_api_lists_incidents_and_gives_reports(shop: Story) -> None:
    await opened(shop)
    assert (await get(shop, "", token="wrong"))[0] == 401
    status, listed = await get(shop, "?state=open")
    assert status == 200
    assert (listed["total"], listed["items"][0]["channel"]["name"]) == (1, CHANNEL)
    status, one = await get(shop, "/1")
    assert (status, one["state"], one["alerts"][0]["title"]) == (200, "open", "backend is down")
    assert [each["user"] for each in one["people"]] == [ALEX, SAM]
    status, text = await get(shop, "/1/report")
    assert status == 200
    assert "Still open after" in text
    assert (await get(shop, "/7"))[0] == 404
    assert (await get(shop, "/7/report"))[0] == 404
    assert (await get(shop, "?state=odd&limit=0"))[0] == 422
    await fill(shop)
    assert (await get(shop, "?state=open"))[1]["total"] == 0
    assert "## Root cause\n\nA bad deploy" in (await get(shop, "/1/report"))[1]


async def get(told: Story, path: str, token: str = TOKEN) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{told.tocsin.http.port}/api/v1/incidents{path}"
    async with told.http.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
        if answer.content_type == "text/markdown":
            return answer.status, await answer.text()
        return answer.status, await answer.json()


async def test_the_command_sends_a_report_as_a_file_and_says_what_it_does_not_know(shop: Story) -> None:
    assert "there was none yet" in await shop.ask("/tocsin", "incident list")
    await opened(shop)
    await shop.workspace.command("general", "/tocsin", "incident report 1")
    (sent,) = await shop.see(lambda: [m for m in shop.workspace.messages("general") if m.get("files")])
    assert "which is still open" in shown(sent)
    assert "There is no incident #9" in await shop.ask("/tocsin", "incident report 9")
    assert "Which incident?" in await shop.ask("/tocsin", "incident close")
    assert "I know no `dance`" in await shop.ask("/tocsin", "incident dance")
    await shop.workspace.command(CHANNEL, "/tocsin", "incident close")
    assert (await shop.modal())["callback_id"] == "incident:close"


async def test_a_report_asked_for_where_no_file_can_go_comes_as_text(shop: Story) -> None:
    await opened(shop)
    await shop.workspace.command("random", "/tocsin", "incident report 1")
    said = shown(await shop.told(ALEX, "could not send a file here", "random"))
    assert "# Incident #1: backend is down" in said


async def test_a_mention_lists_them_and_leaves_closing_to_the_command(shop: Story) -> None:
    await opened(shop)
    for text, said in (("incidents", "*Incidents* · 1 open"), ("incident close 1", "Ask with the command")):
        asked = await shop.workspace.say("general", f"<@{BOT_USER}> {text}")
        await shop.see(
            lambda asked=asked, said=said: [  # type: ignore[misc]
                m for m in shop.workspace.replies("general", asked["ts"]) if said in shown(m)
            ]
        )
