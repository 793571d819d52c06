"""What the app is sent when somebody does something: commands, interactions and events, in Slack's shapes."""

import uuid
from collections.abc import Iterator
from typing import Any

from bot.demo.workspace import payloads
from bot.demo.workspace.blocks import elements_of
from bot.demo.workspace.state import (
    APP_ID,
    BOT_USER,
    TEAM_ID,
    Channel,
    Json,
    Message,
    State,
    View,
    all_blocks,
)

# Slack still sends this long deprecated field with every payload.
VERIFICATION_TOKEN = "local-workspace"  # noqa: S105 - nothing is protected by it


def _user(state: State, user_id: str) -> Json:
    name = state.users[user_id].name
    return {"id": user_id, "username": name, "name": name, "team_id": TEAM_ID}


def _interaction(state: State, kind: str, user_id: str) -> Json:
    return {
        "type": kind,
        "team": {"id": TEAM_ID, "domain": payloads.TEAM_DOMAIN},
        "user": _user(state, user_id),
        "api_app_id": APP_ID,
        "token": VERIFICATION_TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def slash_command(
    state: State,
    channel: Channel,
    user_id: str,
    command: str,
    text: str,
    *,
    trigger_id: str,
    response_url: str,
) -> Json:
    """What a slash command sends."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM_ID,
        "team_domain": payloads.TEAM_DOMAIN,
        "channel_id": channel.id,
        "channel_name": "directmessage" if channel.is_im else channel.name,
        "user_id": user_id,
        "user_name": state.users[user_id].name,
        "command": command,
        "text": text,
        "api_app_id": APP_ID,
        "is_enterprise_install": False,
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def elements_named(
    blocks: list[Json], action_id: str, block_id: str | None = None
) -> Iterator[tuple[Json, Json]]:
    """Each interactive element with this action id, with its block."""
    for block in blocks:
        if block_id is None or block.get("block_id") == block_id:
            for element in elements_of(block):
                if element.get("action_id") == action_id:
                    yield block, element


def action(block: Json, element: Json, chosen: Json, action_ts: str) -> Json:
    """The entry of `actions`: the element as it was shown, and what the user chose."""
    body: Json = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "action_ts": action_ts,
    }
    for name in ("text", "value", "style", "placeholder", "confirm", "url"):
        if name in element:
            body[name] = element[name]
    for name, value in element.items():
        if name.startswith("initial_") and name not in ("initial_options", "initial_value"):
            body[name] = value
    return body | chosen


def message_action(
    state: State,
    message: Message,
    user_id: str,
    taken: Json,
    values: Json,
    *,
    trigger_id: str,
    response_url: str,
) -> Json:
    """What a button or menu in a message sends; Slack leaves the message out when it is ephemeral."""
    channel = state.channels[message.channel]
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": bool(message.ephemeral_to),
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    if taken["block_id"] not in {block["block_id"] for block in message.blocks}:
        container |= {"type": "message_attachment", "attachment_id": 1, "is_app_unfurl": False}
    body = _interaction(state, "block_actions", user_id) | {
        "container": container,
        "trigger_id": trigger_id,
        "channel": {"id": channel.id, "name": "directmessage" if channel.is_im else channel.name},
        "state": {"values": values},
        "response_url": response_url,
        "actions": [taken],
    }
    if not message.ephemeral_to:
        body["message"] = payloads.message_json(state, message, include_metadata=True)
    return body


def view_action(state: State, view: View, user_id: str, taken: Json, *, trigger_id: str) -> Json:
    """What a button or menu in a modal or a home tab sends."""
    return _interaction(state, "block_actions", user_id) | {
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": trigger_id,
        "view": payloads.view_json(view),
        "actions": [taken],
    }


def view_submission(state: State, view: View, user_id: str, *, trigger_id: str) -> Json:
    """What a modal's submit button sends."""
    body = _interaction(state, "view_submission", user_id)
    return body | {"trigger_id": trigger_id, "view": payloads.view_json(view)}


def view_closed(state: State, view: View, user_id: str, *, is_cleared: bool) -> Json:
    """What closing a modal sends when it asked to be told."""
    return _interaction(state, "view_closed", user_id) | {
        "view": payloads.view_json(view),
        "is_cleared": is_cleared,
    }


def event(state: State, content: Json) -> Json:
    """The wrapping of every event."""
    now = int(state.now().timestamp())
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM_ID,
        "api_app_id": APP_ID,
        "event": content,
        "type": "event_callback",
        "event_id": f"Ev{uuid.uuid4().hex[:10].upper()}",
        "event_time": now,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM_ID,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{uuid.uuid4().hex}",
    }


def channel_type(channel: Channel) -> str:
    """`im`, `group` or `channel`, as message events name it."""
    return "im" if channel.is_im else "group" if channel.is_private else "channel"


def message_event(state: State, message: Message) -> Json:
    """What a new message sends to an app that may read the channel."""
    body = payloads.message_json(state, message, include_metadata=True)
    for name in ("app_id", "reply_count", "reply_users_count", "latest_reply", "reply_users", "subscribed"):
        body.pop(name, None)
    kind = channel_type(state.channels[message.channel])
    return body | {"channel": message.channel, "channel_type": kind, "event_ts": message.ts}


def mention_event(state: State, message: Message) -> Json:
    """What a message that names the app sends besides."""
    body = {name: value for name, value in message_event(state, message).items() if name != "channel_type"}
    return body | {"type": "app_mention"}


def change_event(state: State, message: Message, event_ts: str, *, deleted: bool) -> Json:
    """What an edit or a deletion sends: a message event with a subtype."""
    channel = state.channels[message.channel]
    body: Json = {
        "type": "message",
        "subtype": "message_deleted" if deleted else "message_changed",
        "hidden": True,
        "channel": channel.id,
        "channel_type": channel_type(channel),
        "ts": event_ts,
        "event_ts": event_ts,
    }
    if deleted:
        return body | {"deleted_ts": message.ts, "previous_message": payloads.message_json(state, message)}
    return body | {"message": payloads.message_json(state, message, include_metadata=True)}


def home_opened(state: State, user_id: str, event_ts: str) -> Json:
    """What opening the app's home tab sends; it carries the view that was published before."""
    body: Json = {
        "type": "app_home_opened",
        "user": user_id,
        "channel": state.direct_channel(user_id).id,
        "tab": "home",
        "event_ts": event_ts,
    }
    if view := state.homes.get(user_id):
        body["view"] = payloads.view_json(view)
    return body


def blocks_of(message: Message) -> list[Json]:
    """Every block of a message in which an element can stand."""
    return all_blocks(message.blocks, message.attachments)


def rich_text_of(text: str) -> list[Any]:
    """The block Slack makes of what a person types."""
    run = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return [{"type": "rich_text", "elements": [run]}]


def new_client_id() -> str:
    """The id a Slack client gives a message it sends."""
    return str(uuid.uuid4())
