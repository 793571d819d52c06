"""The JSON that leaves the workspace, in Slack's shapes: messages, people, views, events, interactions."""

import mimetypes
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from bot.demo.workspace.blocks import elements_of
from bot.demo.workspace.state import (
    APP_ID,
    BOT_ID,
    BOT_USER,
    TEAM_ID,
    Channel,
    File,
    Json,
    Message,
    State,
    User,
    UserGroup,
    View,
    all_blocks,
)

TEAM_DOMAIN = "tocsin-demo"
TEAM_NAME = "Tocsin demo"
# Slack still sends this long deprecated field with every payload.
VERIFICATION_TOKEN = "local-workspace"  # noqa: S105 - nothing is protected by it


def message_json(state: State, message: Message, *, include_metadata: bool = False) -> Json:
    """A message as chat.postMessage and conversations.history give it."""
    body: Json = {"type": "message", "text": message.text, "ts": message.ts, "team": TEAM_ID}
    if message.user:
        body["user"] = message.user
    if message.bot_id:
        body |= {"bot_id": message.bot_id, "app_id": APP_ID, "bot_profile": bot_profile(state)}
    if message.icon_emoji:
        body["icons"] = {"emoji": message.icon_emoji}
    for name in ("subtype", "username", "client_msg_id", "thread_ts", "blocks", "attachments"):
        if value := getattr(message, name):
            body[name] = value
    if message.is_reply and (parent := state.message(message.channel, message.thread_ts)):
        body["parent_user_id"] = parent.user
    if message.edited:
        body["edited"] = {"user": message.edited_by, "ts": message.edited}
    if message.files:
        body["files"] = [file_json(state, state.files[file_id]) for file_id in message.files]
    if message.reactions:
        body["reactions"] = [
            {"name": name, "users": users, "count": len(users)} for name, users in message.reactions.items()
        ]
    if include_metadata and message.metadata:
        body["metadata"] = message.metadata
    return body | _thread_summary(state, message)


def _thread_summary(state: State, message: Message) -> Json:
    replies = state.replies(message.channel, message.ts)
    if message.ephemeral_to or message.is_reply or not replies:
        return {}
    users = list(dict.fromkeys(each.user for each in replies))
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users_count": len(users),
        "latest_reply": replies[-1].ts,
        "reply_users": users,
        "subscribed": False,
    }


def bot_profile(state: State) -> Json:
    return {
        "id": BOT_ID,
        "deleted": False,
        "name": state.users[BOT_USER].real_name,
        "updated": 0,
        "app_id": APP_ID,
        "team_id": TEAM_ID,
    }


def user_json(user: User) -> Json:
    """A person as users.info gives them."""
    profile = {
        "title": user.title,
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.name,
        "display_name_normalized": user.name,
        "status_text": "",
        "status_emoji": "",
        "team": TEAM_ID,
    }
    if user.bot_id:
        profile |= {"bot_id": user.bot_id, "api_app_id": APP_ID}
    return {
        "id": user.id,
        "team_id": TEAM_ID,
        "name": user.name,
        "deleted": user.deleted,
        "real_name": user.real_name,
        "tz": user.tz,
        "profile": profile,
        "is_bot": bool(user.bot_id),
        "is_app_user": False,
        "updated": 0,
    }


def group_json(group: UserGroup, *, include_users: bool) -> Json:
    """A user group as usergroups.list gives it."""
    body: Json = {
        "id": group.id,
        "team_id": TEAM_ID,
        "is_usergroup": True,
        "is_subteam": True,
        "name": group.name,
        "description": "",
        "handle": group.handle,
        "is_external": False,
        "date_create": 0,
        "date_update": 0,
        "date_delete": 0,
    }
    return body | ({"users": group.users, "user_count": len(group.users)} if include_users else {})


def channel_json(channel: Channel) -> Json:
    """A conversation as conversations.info gives it."""
    if channel.is_im:
        return {
            "id": channel.id,
            "created": channel.created,
            "is_archived": False,
            "is_im": True,
            "is_org_shared": False,
            "user": channel.user,
            "context_team_id": TEAM_ID,
            "updated": channel.created * 1000,
        }
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.is_private,
        "is_group": channel.is_private,
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.is_private,
        "created": channel.created,
        "creator": BOT_USER,
        "is_archived": channel.is_archived,
        "is_general": channel.name == "general",
        "unlinked": 0,
        "is_shared": False,
        "is_org_shared": False,
        "is_ext_shared": False,
        "pending_shared": [],
        "is_pending_ext_shared": False,
        "is_member": BOT_USER in channel.members,
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "previous_names": [],
        "num_members": len(channel.members),
        "context_team_id": TEAM_ID,
        "updated": channel.created * 1000,
    }


def file_json(state: State, file: File) -> Json:
    """A shared file as files.completeUploadExternal gives it."""
    filetype = file.name.rpartition(".")[2].lower() if "." in file.name else "text"
    address = f"{state.origin}/files/{file.id}/{quote(file.name, safe='', errors='replace')}"
    body: Json = {
        "id": file.id,
        "title": file.title,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "mimetype": mimetypes.guess_type(file.name)[0] or "text/plain",
        "filetype": filetype,
        "pretty_type": filetype.upper(),
        "user": BOT_USER,
        "user_team": TEAM_ID,
        "editable": False,
        "size": file.length,
        "mode": "hosted",
        "is_external": False,
        "is_public": True,
        "public_url_shared": False,
        "url_private": address,
        "url_private_download": address,
        "permalink": address,
        "channels": file.channels,
    }
    if file.content is not None and filetype in ("txt", "log", "text", "csv", "json", "md"):
        body["preview"] = file.content[:2000].decode(errors="replace")
    return body


def view_json(view: View) -> Json:
    """A view as views.open gives it and interactions carry it."""
    content = view.content
    body: Json = {
        "id": view.id,
        "team_id": TEAM_ID,
        "type": view.kind,
        "blocks": content["blocks"],
        "private_metadata": content.get("private_metadata", ""),
        "callback_id": content.get("callback_id", ""),
        "external_id": content.get("external_id", ""),
        "state": {"values": view.values},
        "hash": view.hash,
        "clear_on_close": content.get("clear_on_close", False),
        "notify_on_close": content.get("notify_on_close", False),
        "root_view_id": view.root_id,
        "previous_view_id": view.previous_id or None,
        "app_id": APP_ID,
        "app_installed_team_id": TEAM_ID,
        "bot_id": BOT_ID,
    }
    return body | {name: content[name] for name in ("title", "submit", "close") if name in content}


# Envelopes


def _user(state: State, user_id: str) -> Json:
    name = state.users[user_id].name
    return {"id": user_id, "username": name, "name": name, "team_id": TEAM_ID}


def _interaction(state: State, kind: str, user_id: str) -> Json:
    return {
        "type": kind,
        "team": {"id": TEAM_ID, "domain": TEAM_DOMAIN},
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
        "team_domain": TEAM_DOMAIN,
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
        body["message"] = message_json(state, message, include_metadata=True)
    return body


def view_action(state: State, view: View, user_id: str, taken: Json, *, trigger_id: str) -> Json:
    """What a button or menu in a modal or a home tab sends."""
    return _interaction(state, "block_actions", user_id) | {
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": trigger_id,
        "view": view_json(view),
        "actions": [taken],
    }


def view_submission(state: State, view: View, user_id: str, *, trigger_id: str) -> Json:
    """What a modal's submit button sends."""
    body = _interaction(state, "view_submission", user_id)
    return body | {"trigger_id": trigger_id, "view": view_json(view)}


def view_closed(state: State, view: View, user_id: str, *, is_cleared: bool) -> Json:
    """What closing a modal sends when it asked to be told."""
    return _interaction(state, "view_closed", user_id) | {"view": view_json(view), "is_cleared": is_cleared}


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
    body = message_json(state, message, include_metadata=True)
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
        return body | {"deleted_ts": message.ts, "previous_message": message_json(state, message)}
    return body | {"message": message_json(state, message, include_metadata=True)}


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
        body["view"] = view_json(view)
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
