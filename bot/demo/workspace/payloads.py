"""The JSON that leaves the workspace, in Slack's shapes: messages, people, channels, files, views."""

import mimetypes
from urllib.parse import quote

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
)

TEAM_DOMAIN = "tocsin-demo"
TEAM_NAME = "Tocsin demo"


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
    place = state.channels.get(message.channel)
    if place is not None and message.ts in place.pinned:
        body["pinned_to"] = [message.channel]
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
        "creator": channel.creator or BOT_USER,
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
