"""What the web page asks of the workspace: reading, live events, doing, controls; and who may not ask."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import LocalWorkspace
from tests.workspace_client import ACTIONS, connected, modal, text_input

Json = dict[str, Any]


@pytest.fixture
async def browser(workspace: LocalWorkspace) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(workspace.url) as session:
        yield session


async def read(browser: aiohttp.ClientSession, path: str, **query: str) -> Json:
    async with browser.get(f"/page-api/{path}", params=query) as response:
        assert response.status == 200
        return dict(await response.json())


async def do(browser: aiohttp.ClientSession, path: str, **body: Any) -> Json:
    async with browser.post(f"/page-api/{path}", json=body) as response:
        assert response.status == 200
        return dict(await response.json())


@asynccontextmanager
async def live(browser: aiohttp.ClientSession, user: str) -> AsyncIterator[Any]:
    """The stream of a user's events; yields a function that gives the next."""
    async with browser.get("/page-api/events", params={"user": user}) as response:
        assert response.content_type == "text/event-stream"

        async def following(kind: str) -> Json:
            while True:
                line = await asyncio.wait_for(response.content.readline(), 5)
                if line.startswith(b"data: "):
                    body = dict(json.loads(line[6:]))
                    if body["type"] == kind:
                        return body

        yield following


async def test_the_state_shows_what_the_user_may_see(
    browser: aiohttp.ClientSession, workspace: LocalWorkspace
) -> None:
    workspace.register_commands([{"command": "/tocsin", "description": "Help", "usage_hint": "[status]"}])
    state = await read(browser, "state", user="U0SAM")
    assert state["me"]["id"] == "U0SAM"
    assert [group["handle"] for group in state["usergroups"]] == ["oncall"]
    assert state["commands"] == [{"command": "/tocsin", "description": "Help", "usage_hint": "[status]"}]
    assert state["apps"] == [
        {
            "id": "A0TOCSIN",
            "name": "Tocsin",
            "bot_user_id": "U0TOCSIN",
            "bot_id": "B0TOCSIN",
            "connected": False,
        }
    ]
    assert [channel["user"] for channel in state["channels"] if channel["is_im"]] == ["U0SAM"]
    assert {"general", "alerts", "leads"} <= {channel["name"] for channel in state["channels"]}
    assert state["default_channel"] == "C0ALERTS"
    assert state["now"].startswith("2026-03-01T12:00:00")


async def test_messages_come_in_pages_with_what_only_the_user_sees(
    browser: aiohttp.ClientSession, client: AsyncWebClient
) -> None:
    for n in range(3):
        await client.chat_postMessage(channel="alerts", text=str(n))
    await client.chat_postEphemeral(channel="alerts", user="U0SAM", text="only Sam")
    page = await read(browser, "messages", channel="C0ALERTS", user="U0SAM", limit="2")
    assert [(m["text"], m["is_ephemeral"]) for m in page["messages"]] == [("2", False), ("only Sam", True)]
    assert page["has_more"]
    before = page["messages"][0]["ts"]
    older = await read(browser, "messages", channel="C0ALERTS", user="U0SAM", before=before)
    assert [m["text"] for m in older["messages"]] == ["0", "1"]
    others = await read(browser, "messages", channel="C0ALERTS", user="U0ALEX")
    assert [m["text"] for m in others["messages"]] == ["0", "1", "2"]


async def test_a_thread_is_read_with_its_root(browser: aiohttp.ClientSession, client: AsyncWebClient) -> None:
    root = await client.chat_postMessage(channel="alerts", text="root")
    await client.chat_postMessage(channel="alerts", text="reply", thread_ts=root["ts"])
    thread = await read(browser, "replies", channel="C0ALERTS", ts=str(root["ts"]), user="U0ALEX")
    assert [m["text"] for m in thread["messages"]] == ["root", "reply"]


async def test_the_page_hears_each_change_as_it_happens(
    browser: aiohttp.ClientSession, workspace: LocalWorkspace, client: AsyncWebClient
) -> None:
    async with live(browser, "U0ALEX") as following:
        posted = await client.chat_postMessage(channel="alerts", text="Fire")
        event = await following("message")
        assert (event["channel"], event["message"]["text"]) == ("C0ALERTS", "Fire")
        await client.chat_update(channel="C0ALERTS", ts=posted["ts"], text="Out")
        assert (await following("message_changed"))["message"]["text"] == "Out"
        await client.chat_delete(channel="C0ALERTS", ts=posted["ts"])
        assert (await following("message_deleted"))["ts"] == posted["ts"]
        await client.views_publish(user_id="U0ALEX", view={"type": "home", "blocks": []})
        assert (await following("home"))["view"]["type"] == "home"
        workspace.archive_channel("random")
        assert (await following("channel"))["info"]["is_archived"] is True


async def test_nobody_hears_what_is_meant_for_others(
    browser: aiohttp.ClientSession, client: AsyncWebClient
) -> None:
    async with live(browser, "U0ALEX") as following:
        await client.chat_postMessage(channel="U0SAM", text="to Sam")
        await client.chat_postEphemeral(channel="alerts", user="U0SAM", text="to Sam too")
        await client.chat_postMessage(channel="alerts", text="to all")
        assert (await following("message"))["message"]["text"] == "to all"


async def test_a_line_that_begins_with_a_slash_is_a_command(
    browser: aiohttp.ClientSession, workspace: LocalWorkspace, app: AsyncApp
) -> None:
    workspace.register_commands(["/greet"])

    @app.command("/greet")
    async def greet(ack: Any, command: Json) -> None:
        await ack(f"Hello {command['text']}")

    @app.event("message")
    async def hear(event: Json) -> None:
        assert event["text"]

    async with connected(workspace, app), live(browser, "U0ALEX") as following:
        said = await do(browser, "say", user="U0ALEX", channel="C0GENERAL", text="/greet you all")
        assert said == {"ok": True}
        assert (await following("ephemeral"))["message"]["text"] == "Hello you all"
        wrong = await do(browser, "say", user="U0ALEX", channel="C0GENERAL", text="/nope")
        assert wrong == {"ok": False, "error": "unknown_command"}
        assert "/nope" in (await following("notice"))["text"]
        await do(browser, "say", user="U0ALEX", channel="C0GENERAL", text="hello")
        assert (await following("message"))["message"]["text"] == "hello"


async def test_the_page_presses_fills_and_submits(
    browser: aiohttp.ClientSession, workspace: LocalWorkspace, app: AsyncApp, client: AsyncWebClient
) -> None:
    @app.action("press")
    async def press(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal(text_input()))

    @app.view("form")
    async def receive(ack: Any, view: Json) -> None:
        if view["state"]["values"]["reason"]["typed"]["value"] == "no":
            await ack(response_action="errors", errors={"reason": "Say more"})
        else:
            await ack()

    posted = await client.chat_postMessage(channel="alerts", text="Fire", blocks=[ACTIONS])
    async with connected(workspace, app), live(browser, "U0SAM") as following:
        pressed = await do(
            browser,
            "action",
            user="U0SAM",
            container={"type": "message", "channel": "C0ALERTS", "ts": posted["ts"]},
            block_id="row",
            action_id="press",
            action={"value": "7"},
        )
        assert pressed == {"ok": True}
        view_id = (await following("view_opened"))["view"]["id"]
        typed = {"reason": {"typed": {"type": "plain_text_input", "value": "no"}}}
        refused = await do(browser, "submit", user="U0SAM", view_id=view_id, values=typed)
        assert refused["response_action"] == "errors"
        assert refused["errors"] == {"reason": "Say more"}
        typed["reason"]["typed"]["value"] = "because"
        assert await do(browser, "submit", user="U0SAM", view_id=view_id, values=typed) == {"ok": True}
        assert (await following("view_closed"))["view_id"] == view_id


async def test_what_is_not_in_front_of_the_user_cannot_be_pressed(browser: aiohttp.ClientSession) -> None:
    answer = await do(
        browser,
        "action",
        user="U0SAM",
        container={"type": "message", "channel": "C0ALERTS", "ts": "1.1"},
        action_id="press",
        action={},
    )
    assert answer["error"] == "not_offered"
    assert (await do(browser, "submit", user="U0SAM", view_id="V0NONE", values={}))["ok"] is False
    assert (await do(browser, "close", user="U0SAM", view_id="V0NONE"))["ok"] is False


async def test_controls_the_demo_adds_can_be_switched(
    browser: aiohttp.ClientSession, workspace: LocalWorkspace
) -> None:
    broken = False

    async def toggle() -> None:
        nonlocal broken
        broken = not broken

    workspace.add_control(
        "shop", "Break the shop", "It answers 500", "toggle", toggle, lambda: "on" if broken else "off"
    )
    shown = await read(browser, "controls")
    assert shown["controls"] == [
        {
            "id": "shop",
            "label": "Break the shop",
            "description": "It answers 500",
            "state": "off",
            "kind": "toggle",
        }
    ]
    async with live(browser, "U0ALEX") as following:
        await do(browser, "controls/shop")
        assert (await following("controls"))["controls"][0]["state"] == "on"
    async with browser.post("/page-api/controls/none", json={}) as response:
        assert response.status == 404


async def test_faults_are_made_and_ended_over_http(
    browser: aiohttp.ClientSession, workspace: LocalWorkspace, client: AsyncWebClient
) -> None:
    async def trouble(status: int = 200, **body: Any) -> None:
        async with browser.post("/control/faults", json=body) as response:
            assert response.status == status

    await trouble(kind="error", method="chat.postMessage", code="fatal_error", times=0)
    await trouble(kind="remove_scope", scope="users:read")
    await trouble(kind="rename_channel", channel="random", name="chatter")
    await trouble(kind="duplicate_envelopes", times=2)
    await trouble(kind="outage")
    await trouble(400, kind="flood")
    await trouble(400, kind="stall", seconds="long")
    await trouble(404, kind="archive_channel", channel="nowhere")
    async with browser.get("/control/faults") as response:
        waiting = {"kind": "error", "method": "chat.postMessage", "channel": "", "times": None}
        assert await response.json() == {"faults": [waiting], "outage": "error"}
    async with browser.delete("/control/faults") as response:
        assert response.status == 200
    await client.chat_postMessage(channel="chatter", text="x")
    async with browser.get("/control/calls", params={"method": "chat.postMessage"}) as response:
        assert [call["outcome"] for call in (await response.json())["calls"]] == ["ok"]


async def test_commands_and_channels_can_be_added_over_http(
    browser: aiohttp.ClientSession, workspace: LocalWorkspace
) -> None:
    async with browser.post("/control/commands", json={"commands": ["/tocsin"]}) as response:
        assert response.status == 200
    async with browser.post("/control/commands", json={"commands": ["/status"]}) as response:
        assert response.status == 400
    async with browser.post("/control/channels", json={"name": "payments"}) as response:
        assert workspace.channel_id("payments") == (await response.json())["id"]
    assert [*workspace.core.commands] == ["/tocsin"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", ["/page-api/say", "/control/faults", "/page-api/controls/shop"])
async def test_another_sites_page_can_change_nothing(
    browser: aiohttp.ClientSession, workspace: LocalWorkspace, headers: dict[str, str], path: str
) -> None:
    body = {"user": "U0ALEX", "channel": "C0ALERTS", "text": "spam", "kind": "outage"}
    async with browser.post(path, json=body, headers=headers) as response:
        assert response.status == 403
    assert workspace.messages("alerts") == []
    assert workspace.faults.outage == ""


async def test_a_form_of_another_site_is_not_read(browser: aiohttp.ClientSession) -> None:
    async with browser.post("/page-api/say", data={"user": "U0ALEX"}) as response:
        assert response.status == 415


async def test_the_pages_own_origin_may_change_things(
    browser: aiohttp.ClientSession, workspace: LocalWorkspace
) -> None:
    body = {"user": "U0ALEX", "channel": "C0ALERTS", "text": "hello"}
    headers = {"Origin": workspace.url, "Sec-Fetch-Site": "same-origin"}
    async with browser.post("/page-api/say", json=body, headers=headers) as response:
        assert response.status == 200
    assert len(workspace.messages("alerts")) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/page/../workspace.py",
        "/page/%2e%2e/workspace.py",
        "/page/..%2fworkspace.py",
        "/page//etc/passwd",
        "/page/none.js",
        "/nowhere",
        "/files/F0NONE/x",
    ],
)
async def test_only_the_pages_files_are_served(browser: aiohttp.ClientSession, path: str) -> None:
    async with browser.get(path) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/page-api/say", "{", 400),
        ("/page-api/say", "[]", 400),
        ("/page-api/say", "{}", 400),
        ("/page-api/say", '{"user": "U0NOBODY", "channel": "x", "text": "x"}', 404),
        ("/page-api/action", '{"user": "U0ALEX", "action_id": "x", "container": 7}', 400),
        ("/page-api/action", '{"user": "U0ALEX", "action_id": "x", "state": {"values": 7}}', 400),
    ],
)
async def test_a_malformed_request_is_refused_cleanly(
    browser: aiohttp.ClientSession, path: str, body: str, status: int
) -> None:
    headers = {"Content-Type": "application/json"}
    async with browser.post(path, data=body, headers=headers) as response:
        assert response.status == status
        assert (await response.json())["ok"] is False


async def test_a_permalink_leads_to_the_message(
    browser: aiohttp.ClientSession, client: AsyncWebClient
) -> None:
    posted = await client.chat_postMessage(channel="alerts", text="x")
    link = await client.chat_getPermalink(channel=posted["channel"], message_ts=posted["ts"])
    async with browser.get(str(link["permalink"]), allow_redirects=False) as response:
        assert response.headers["Location"] == f"/?channel=C0ALERTS&ts={posted['ts']}"
