"""Every trouble an app meets with Slack can be made on purpose, and ends when it is told to."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import LocalWorkspace
from tests.workspace_client import ACTIONS, ShiftedClock, client_of, connected


async def post(client: AsyncWebClient, text: str = "x", channel: str = "alerts") -> str:
    return str((await client.chat_postMessage(channel=channel, text=text))["ts"])


async def test_calls_fail_with_any_error_as_often_as_asked(
    client: AsyncWebClient, workspace: LocalWorkspace
) -> None:
    workspace.faults.fail("chat.postMessage", "fatal_error", times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError, match="fatal_error"):
            await post(client)
    await post(client)
    assert len(workspace.messages("alerts")) == 1


async def test_a_fault_can_be_kept_to_one_channel(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    workspace.faults.fail("chat.postMessage", "fatal_error", channel="C0ALERTS", times=None)
    await post(client, channel="general")
    for _ in range(3):
        with pytest.raises(SlackApiError, match="fatal_error"):
            await post(client)
    workspace.clear_faults()
    await post(client)


async def test_a_rate_limit_says_when_to_come_back(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    workspace.faults.rate_limit("chat.postMessage", 7)
    with pytest.raises(SlackApiError) as error:
        await post(client)
    assert error.value.response.status_code == 429
    assert error.value.response.headers["Retry-After"] == "7"
    assert error.value.response["error"] == "ratelimited"


async def test_a_server_error_is_not_json(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    workspace.faults.http_error("*", 502)
    with pytest.raises(SlackApiError) as error:
        await client.auth_test()
    assert error.value.response.status_code == 502
    assert workspace.calls[-1].outcome == "http_502"


async def test_a_stalled_call_outlasts_its_timeout(workspace: LocalWorkspace) -> None:
    client = client_of(workspace)
    client.timeout = 1
    workspace.faults.stall("auth.test", 0.05)
    started = time.monotonic()
    await client.auth_test()
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize(("fault", "stored"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_dropped_connection_leaves_it_open_whether_the_message_is_there(
    client: AsyncWebClient, workspace: LocalWorkspace, fault: str, stored: int
) -> None:
    getattr(workspace.faults, fault)("chat.postMessage")
    with pytest.raises(aiohttp.ClientConnectionError):
        await post(client)
    assert len(workspace.messages("alerts")) == stored
    await post(client)


@pytest.mark.parametrize(("drop", "expected"), [(False, SlackApiError), (True, aiohttp.ClientError)])
async def test_an_outage_takes_everything_down_until_it_ends(
    client: AsyncWebClient, workspace: LocalWorkspace, app: AsyncApp, drop: bool, expected: type[Exception]
) -> None:
    async with connected(workspace, app):
        workspace.outage(drop=drop)
        assert workspace.connections == 0
        assert (await workspace.command("general", "/x")).error == "dispatch_failed"
        for _ in range(2):
            with pytest.raises(expected):
                await post(client)
        workspace.clear_faults()
        await post(client)
        await workspace.wait_for(lambda: workspace.connections)


@pytest.fixture
def listening(app: AsyncApp) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []

    @app.event("message")
    async def message(event: dict[str, Any]) -> None:
        heard.append(event)

    return heard


@pytest.mark.parametrize("kind", ["clean", "abrupt", "warning", "refresh_requested"])
async def test_the_app_comes_back_after_every_kind_of_disconnect(
    workspace: LocalWorkspace, app: AsyncApp, listening: list[dict[str, Any]], kind: Any
) -> None:
    async with connected(workspace, app):
        await workspace.disconnect(kind)
        await workspace.wait_for(lambda: workspace.core.hub.opened == 2 and workspace.connections == 1)
        await workspace.say("general", "still there?")

    assert [event["text"] for event in listening] == ["still there?"]


async def test_an_event_waits_for_a_connection(
    workspace: LocalWorkspace, app: AsyncApp, listening: list[dict[str, Any]]
) -> None:
    await workspace.say("general", "too early")
    async with connected(workspace, app):
        await asyncio.wait_for(_until(lambda: listening), 5)
    assert [event["text"] for event in listening] == ["too early"]


async def _until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def test_an_event_nobody_acknowledges_comes_again(workspace: LocalWorkspace) -> None:
    workspace.core.hub.ack_timeout = 0.05
    opened = await AsyncWebClient(base_url=workspace.api_url).apps_connections_open(
        app_token=workspace.app_token
    )
    async with aiohttp.ClientSession() as session, session.ws_connect(opened["url"]) as socket:
        assert (await socket.receive_json())["type"] == "hello"
        await workspace.say("general", "hello?")
        first, second = await socket.receive_json(), await socket.receive_json()
        await socket.send_json({"envelope_id": second["envelope_id"]})
    assert first["envelope_id"] == second["envelope_id"]
    assert (first["retry_attempt"], second["retry_attempt"]) == (0, 1)
    assert second["retry_reason"] == "timeout"


async def test_an_envelope_can_come_twice(
    workspace: LocalWorkspace, app: AsyncApp, client: AsyncWebClient
) -> None:
    pressed: list[str] = []
    again = asyncio.Event()

    @app.action("press")
    async def press(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        pressed.append(body["trigger_id"])
        if len(pressed) > 1:
            again.set()

    posted = await client.chat_postMessage(channel="alerts", text="x", blocks=[ACTIONS])
    workspace.duplicate_envelopes()
    async with connected(workspace, app):
        assert (await workspace.click("alerts", posted["ts"], "press")).ok
        await asyncio.wait_for(again.wait(), 5)
        assert pressed[0] == pressed[1]
        await workspace.click("alerts", posted["ts"], "press")
    assert len(pressed) == 3


async def test_envelopes_go_round_the_connections_and_ten_are_the_most(workspace: LocalWorkspace) -> None:
    client = AsyncWebClient(base_url=workspace.api_url)

    async def open_socket(session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        url = (await client.apps_connections_open(app_token=workspace.app_token))["url"]
        return await session.ws_connect(str(url))

    async with aiohttp.ClientSession() as session:
        sockets = [await open_socket(session) for _ in range(10)]
        hellos = [await each.receive_json() for each in sockets]
        assert [hello["num_connections"] for hello in hellos] == list(range(1, 11))
        eleventh = await open_socket(session)
        assert (await eleventh.receive_json())["reason"] == "too_many_websockets"
        for _ in range(10):
            workspace.core.hub.send("events_api", {"event": {}})
        for each in sockets:
            assert (await each.receive_json())["type"] == "events_api"


async def test_a_socket_address_works_once_and_answers_pings(workspace: LocalWorkspace) -> None:
    client = AsyncWebClient(base_url=workspace.api_url)
    url = str((await client.apps_connections_open(app_token=workspace.app_token))["url"])
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url, autoping=False) as socket:
            assert (await socket.receive_json())["connection_info"] == {"app_id": "A0TOCSIN"}
            await socket.ping(b"sdk-ping-pong:1")
            pong = await socket.receive()
            assert (pong.type, pong.data) == (aiohttp.WSMsgType.PONG, b"sdk-ping-pong:1")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_channels_change_under_the_app(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    workspace.rename_channel("alerts", "alarms")
    await post(client, channel="alarms")
    await post(client, channel="C0ALERTS")
    workspace.remove_channel("alarms")
    with pytest.raises(SlackApiError, match="channel_not_found"):
        await post(client, channel="C0ALERTS")


# Slack's own rates


@pytest.fixture
async def strict(clock: ShiftedClock) -> AsyncIterator[LocalWorkspace]:
    async with LocalWorkspace(clock=clock, realistic_limits=True) as running:
        yield running


async def test_a_channel_takes_a_short_burst_then_a_post_a_second(
    strict: LocalWorkspace, clock: ShiftedClock
) -> None:
    client = client_of(strict)
    for _ in range(3):
        await post(client)
    with pytest.raises(SlackApiError) as error:
        await post(client)
    assert error.value.response.headers["Retry-After"] == "1"
    await post(client, channel="general")
    clock.shift(timedelta(seconds=1))
    await post(client)
    with pytest.raises(SlackApiError, match="ratelimited"):
        await post(client)


async def test_edits_are_counted_by_the_minute(strict: LocalWorkspace, clock: ShiftedClock) -> None:
    client = client_of(strict)
    ts = await post(client)
    for _ in range(10):
        await client.chat_update(channel="C0ALERTS", ts=ts, text="x")
    with pytest.raises(SlackApiError, match="ratelimited"):
        await client.chat_update(channel="C0ALERTS", ts=ts, text="x")
    clock.shift(timedelta(seconds=60))
    await client.chat_update(channel="C0ALERTS", ts=ts, text="x")


async def test_without_realistic_limits_nothing_is_counted(client: AsyncWebClient) -> None:
    for _ in range(20):
        await post(client)
