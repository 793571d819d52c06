"""Every payload the workspace sends has only fields Slack's have, and of the same JSON type."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import DEFAULT_SCOPES, LocalWorkspace
from tests.workspace_client import ACTIONS, bolt_app, client_of, connected, modal, section, text_input

Json = dict[str, Any]

# Fields Slack documents that the reference, made from typed models, leaves out because their type varies.
POLYMORPHIC = {
    "blocks",
    "attachments",
    "event_payload",
    "selected_options",
    "selected_users",
    "selected_date_time",
}


def shared() -> Path | None:
    """Slack's reference payloads: beside the main checkout, or where TOCSIN_SHARED says."""
    project = Path(__file__).resolve().parents[2]
    beside = [project.parent / "shared", project.parents[1] / "shared"]
    named = [Path(place) for place in [os.environ.get("TOCSIN_SHARED")] if place]
    found = [place / "reference/slack/payloads" for place in [*named, *beside]]
    return next((place for place in found if place.is_dir()), None)


REFERENCE = shared()
needs_reference = pytest.mark.skipif(REFERENCE is None, reason="Slack's reference payloads are not here")


def kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def differences(sent: Any, known: Any, place: str = "") -> list[str]:
    """Where `sent` has a field or a type that `known` has not; an empty object or list there is open."""
    if sent is None or (isinstance(known, dict | list) and not known):
        return []
    if kind_of(sent) != kind_of(known):
        return [f"{place}: {kind_of(sent)} instead of {kind_of(known)}"]
    if isinstance(sent, list):
        return [each for item in sent for each in differences(item, known[0], f"{place}[]")]
    if not isinstance(sent, dict):
        return []
    found = []
    for name, value in sent.items():
        if name in POLYMORPHIC:
            continue
        if name not in known:
            found.append(f"{place}.{name}: unknown")
        else:
            found += differences(value, known[name], f"{place}.{name}")
    return found


def check(sent: Json, name: str) -> None:
    assert REFERENCE is not None
    known = json.loads((REFERENCE / f"{name}.json").read_text())
    assert differences(sent, known) == []


@needs_reference
async def test_every_answer_of_the_web_api_is_of_slacks_shape() -> None:
    scopes = [*DEFAULT_SCOPES, "chat:write.customize", "im:write", "im:read"]
    async with LocalWorkspace(scopes=scopes) as workspace:
        client = client_of(workspace)
        opened = await AsyncWebClient(base_url=workspace.api_url).apps_connections_open(
            app_token=workspace.app_token
        )
        check(_data(opened), "apps.connections.open")
        check(_data(await client.auth_test()), "auth.test")
        metadata = {"event_type": "alert", "event_payload": {"key": "7"}}
        posted = await client.chat_postMessage(
            channel="alerts", text="Fire", blocks=[ACTIONS], metadata=metadata, icon_emoji=":fire:"
        )
        check(_data(posted), "chat.postMessage")
        place = {"channel": posted["channel"], "ts": posted["ts"]}
        reply = await client.chat_postMessage(channel="alerts", text="reply", thread_ts=posted["ts"])
        check(_data(reply), "chat.postMessage")
        check(_data(await client.chat_update(text="Out", metadata=metadata, **place)), "chat.update")
        whisper = await client.chat_postEphemeral(channel="alerts", user="U0ALEX", text="x")
        check(_data(whisper), "chat.postEphemeral")
        granted = await client.files_getUploadURLExternal(filename="run.log", length=1)
        check(_data(granted), "files.getUploadURLExternal")
        uploaded = await client.files_upload_v2(channel="C0ALERTS", content="x", filename="run.log")
        # slack_sdk repeats the one file under a name of its own.
        answer = {name: value for name, value in _data(uploaded).items() if name != "file"}
        check(answer, "files.completeUploadExternal")
        history = await client.conversations_history(channel="C0ALERTS", include_all_metadata=True, limit=2)
        assert len(_data(history)["messages"]) == 2
        check(_data(history), "conversations.history")
        info = await client.conversations_info(channel="C0ALERTS", include_num_members=True)
        check(_data(info), "conversations.info")
        check(_data(await client.conversations_open(users="U0SAM", return_im=True)), "conversations.open")
        check(_data(await client.usergroups_list(include_users=True)), "usergroups.list")
        for user in ("U0ALEX", "U0TOCSIN"):
            check(_data(await client.users_info(user=user)), "users.info")


def _data(response: Any) -> Json:
    return dict(response.data)


@needs_reference
async def test_refusals_are_of_slacks_shape(client: AsyncWebClient, workspace: LocalWorkspace) -> None:
    async def refusal(method: str, **body: Any) -> Json:
        response = await client._request(
            http_verb="POST",
            api_url=f"{workspace.api_url}{method}",
            req_args={"headers": {"Authorization": f"Bearer {workspace.bot_token}"}, "json": body},
        )
        assert response["data"]["ok"] is False
        return dict(response["data"])

    check(await refusal("chat.postMessage", channel="alerts", blocks=[section("")]), "chat.postMessage")
    check(await refusal("views.open", trigger_id="x", view={"type": "modal"}), "views.open")
    check(await refusal("conversations.open", users="U0SAM"), "conversations.open")


@needs_reference
async def test_every_interaction_and_event_is_of_slacks_shape(
    workspace: LocalWorkspace, client: AsyncWebClient
) -> None:
    app = bolt_app(workspace)
    await _drive(workspace, app, client)
    names = {
        "slash_commands": "SlashCommandPayload",
        "block_actions": "BlockActionPayload",
        "view_submission": "ViewSubmissionPayload",
        "view_closed": "ViewClosedPayload",
        "app_home_opened": "AppHomeOpenedPayload",
        "app_mention": "AppMentionPayload",
        "message": "MessagePayload",
    }
    seen = set()
    for envelope in workspace.envelopes:
        payload = envelope["payload"]
        event = payload.get("event", {})
        # An edit's event wraps the whole message; the reference has only plain messages.
        if event.get("subtype") in ("message_changed", "message_deleted"):
            continue
        kind = event.get("type") or payload.get("type") or envelope["type"]
        seen.add(kind)
        check(payload, names[kind])
    assert seen == names.keys()


async def _drive(workspace: LocalWorkspace, app: AsyncApp, client: AsyncWebClient) -> None:
    async def acknowledge(ack: Any) -> None:
        await ack()

    async def form(ack: Any, body: Json) -> None:
        await ack()
        view = modal(text_input(optional=True), notify_on_close=True, external_id="form-1")
        opened = await client.views_open(trigger_id=body["trigger_id"], view=view)
        check(_data(opened), "views.open")
        updated = await client.views_update(view_id=opened["view"]["id"], view=view)
        check(_data(updated), "views.update")

    async def push(ack: Any, body: Json) -> None:
        await ack()
        view = modal(section(), callback_id="second")
        check(_data(await client.views_push(trigger_id=body["trigger_id"], view=view)), "views.push")

    app.command("/form")(form)
    app.view("form")(acknowledge)
    app.view_closed("form")(acknowledge)
    app.action("press")(acknowledge)
    app.action("pick")(acknowledge)
    for kind in ("message", "app_mention", "app_home_opened"):
        app.event(kind)(acknowledge)

    picker = {"type": "datepicker", "action_id": "pick", "initial_date": "2026-03-01"}
    row = {**ACTIONS, "elements": [*ACTIONS["elements"], picker]}
    root = await client.chat_postMessage(channel="alerts", text="x", blocks=[row])
    metadata = {"event_type": "alert", "event_payload": {"key": "7"}}
    reply = await client.chat_postMessage(
        channel="alerts", text="x", blocks=[ACTIONS], thread_ts=root["ts"], metadata=metadata
    )
    whisper = await client.chat_postEphemeral(channel="alerts", user="U0ALEX", text="x", blocks=[ACTIONS])
    coloured = await client.chat_postMessage(
        channel="alerts", text="x", attachments=[{"color": "#a30200", "blocks": [ACTIONS]}]
    )
    home = {"type": "home", "blocks": [ACTIONS]}
    published = await client.views_publish(user_id="U0ALEX", view=home)
    check(_data(published), "views.publish")
    async with connected(workspace, app):
        for message in (root, reply, coloured):
            await workspace.click("alerts", str(message["ts"]), "press")
        await workspace.click("alerts", str(whisper["message_ts"]), "press")
        await workspace.choose("alerts", str(root["ts"]), "pick", "2026-03-02")
        await workspace.open_home()
        await workspace.click_in_view(str(published["view"]["id"]), "press")
        await workspace.mention("general", "help")
        await workspace.say(workspace.direct(), "help")
        for end in (workspace.submit, workspace.close_view):
            await workspace.command("general", "/form")
            view = await workspace.wait_for(workspace.open_view)
            assert view is not None
            await workspace.wait_for(lambda: len(workspace.calls_of("views.update")) % 2 == 1)
            await end(view["id"])
            await workspace.wait_for(lambda: workspace.open_view() is None)
            workspace.calls.clear()
