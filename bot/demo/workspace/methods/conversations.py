"""conversations.*: reading channels and their messages, and managing channels."""

import base64
import binascii
import re
from decimal import Decimal

from bot.demo.workspace import payloads
from bot.demo.workspace.arguments import Arguments
from bot.demo.workspace.core import Core, history_scope
from bot.demo.workspace.errors import Refusal
from bot.demo.workspace.methods import joined_channel, method, need_scope, visible_channel
from bot.demo.workspace.state import BOT_USER, Change, Channel, Json, Message, ts_value

READ_SCOPES = {
    "public_channel": "channels:read",
    "private_channel": "groups:read",
    "im": "im:read",
    "mpim": "mpim:read",
}


def _cursor(position: str) -> str:
    return base64.b64encode(f"next:{position}".encode()).decode()


def _position(args: Arguments) -> str:
    """What a cursor stands for, "" without one."""
    cursor = args.text("cursor")
    if not cursor:
        return ""
    try:
        head, _, position = base64.b64decode(cursor, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise Refusal("invalid_cursor") from None
    if head != "next":
        raise Refusal("invalid_cursor")
    return position


def _bound(args: Arguments, name: str) -> Decimal | None:
    if not args.text(name):
        return None
    value = ts_value(args.text(name))
    if value is None or not value.is_finite():
        raise Refusal(f"invalid_ts_{name}")
    return value


def _within(messages: list[Message], args: Arguments) -> list[Message]:
    oldest, latest = _bound(args, "oldest"), _bound(args, "latest")
    inclusive = args.flag("inclusive")

    def fits(message: Message) -> bool:
        ts = Decimal(message.ts)
        after = oldest is None or ts > oldest or (inclusive and ts == oldest)
        before = latest is None or ts < latest or (inclusive and ts == latest)
        return after and before

    return [message for message in messages if fits(message)]


def _page(core: Core, found: list[Message], args: Arguments) -> Json:
    limit = args.number("limit", 100, least=1, most=999)
    body: Json = {
        "messages": [
            payloads.message_json(core.state, each, include_metadata=args.flag("include_all_metadata"))
            for each in found[:limit]
        ],
        "has_more": len(found) > limit,
    }
    if body["has_more"]:
        body["response_metadata"] = {"next_cursor": _cursor(found[limit].ts)}
    return body


def _readable(core: Core, args: Arguments) -> Channel:
    channel = visible_channel(core, args.required("channel"))
    need_scope(core, history_scope(channel))
    return joined_channel(core, args)


@method("conversations.history", "channels:history", "groups:history", "im:history")
def history(core: Core, args: Arguments) -> Json:
    channel = _readable(core, args)
    newest_first = _within(core.state.messages(channel.id), args)[::-1]
    if start := _position(args):
        newest_first = [each for each in newest_first if Decimal(each.ts) <= (ts_value(start) or 0)]
    return _page(core, newest_first, args) | {"pin_count": len(channel.pinned)}


@method("conversations.replies", "channels:history", "groups:history", "im:history")
def replies(core: Core, args: Arguments) -> Json:
    channel = _readable(core, args)
    thread = core.state.thread(channel.id, args.required("ts"))
    if not thread:
        raise Refusal("thread_not_found")
    found = [thread[0], *_within(thread[1:], args)]
    if start := _position(args):
        found = [each for each in found if Decimal(each.ts) >= (ts_value(start) or 0)]
    return _page(core, found, args)


def _read_scope(channel: Channel) -> str:
    return READ_SCOPES[
        "im" if channel.is_im else "private_channel" if channel.is_private else "public_channel"
    ]


@method("conversations.info", "channels:read", "groups:read", "im:read", "mpim:read")
def info(core: Core, args: Arguments) -> Json:
    channel = visible_channel(core, args.required("channel"))
    need_scope(core, _read_scope(channel))
    body = payloads.channel_json(channel)
    if not args.flag("include_num_members"):
        body.pop("num_members", None)
    return {"channel": body}


def _kind(channel: Channel) -> str:
    return "im" if channel.is_im else "private_channel" if channel.is_private else "public_channel"


@method("conversations.list")
def list_channels(core: Core, args: Arguments) -> Json:
    kinds = args.names("types") or ["public_channel"]
    if unknown := set(kinds) - READ_SCOPES.keys():
        raise Refusal("invalid_types", needed=",".join(sorted(unknown)))
    for kind in kinds:
        need_scope(core, READ_SCOPES[kind])
    found = [
        channel
        for channel in sorted(core.state.channels.values(), key=lambda each: each.id)
        if _kind(channel) in kinds
        and (not channel.is_private or BOT_USER in channel.members)
        and not (args.flag("exclude_archived") and channel.is_archived)
    ]
    limit = args.number("limit", 100, least=1, most=1000)
    start = _position(args)
    rest = [channel for channel in found if channel.id >= start]
    following = _cursor(rest[limit].id) if len(rest) > limit else ""
    shown = [payloads.channel_json(channel) for channel in rest[:limit]]
    return {"channels": shown, "response_metadata": {"next_cursor": following}}


@method("conversations.open", "im:write")
def open_direct(core: Core, args: Arguments) -> Json:
    users = args.names("users")
    if "channel" in args and not users:
        channel = visible_channel(core, args.required("channel"))
        users = [channel.user]
    if not users:
        raise Refusal("users_list_not_supplied")
    if len(users) > 1:
        raise Refusal("not_enough_users" if len(set(users)) == 1 else "too_many_users")
    user = core.state.users.get(users[0])
    if user is None or user.bot_id:
        raise Refusal("user_not_found")
    channel = core.state.direct_channel(user.id)
    shown = payloads.channel_json(channel) if args.flag("return_im") else {"id": channel.id}
    return {"channel": shown, "no_op": True, "already_open": True}


@method("conversations.join", "channels:join")
def join(core: Core, args: Arguments) -> Json:
    channel = visible_channel(core, args.required("channel"))
    if channel.is_im or channel.is_private:
        raise Refusal("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise Refusal("is_archived")
    channel.members.add(BOT_USER)
    core.state.announce(Change(kind="channel", channel=channel.id))
    return {"channel": payloads.channel_json(channel)}


NAME = re.compile(r"[a-z0-9_\-\u00e0-\uffff]+")


def checked_name(core: Core, name: str) -> str:
    """A name a channel may have, or the Refusal Slack has for it."""
    if not name:
        raise Refusal("invalid_name_required")
    if len(name) > 80:
        raise Refusal("invalid_name_maxlength")
    if not NAME.fullmatch(name):
        raise Refusal("invalid_name_specials")
    if core.state.channel_named(f"#{name}"):
        raise Refusal("name_taken")
    return name


@method("conversations.create", "channels:manage", "groups:write")
def create(core: Core, args: Arguments) -> Json:
    is_private = args.flag("is_private")
    need_scope(core, "groups:write" if is_private else "channels:manage")
    name = checked_name(core, args.text("name"))
    channel = core.state.add_channel(
        name, is_private=is_private, members=[BOT_USER], everybody=False, creator=BOT_USER
    )
    return {"channel": payloads.channel_json(channel)}


def _managed(core: Core, args: Arguments) -> Channel:
    channel = joined_channel(core, args)
    if channel.is_im:
        raise Refusal("method_not_supported_for_channel_type")
    need_scope(core, "groups:write" if channel.is_private else "channels:manage")
    if channel.is_archived:
        raise Refusal("is_archived")
    return channel


def _changed(core: Core, channel: Channel) -> Json:
    core.state.announce(Change(kind="channel", channel=channel.id))
    return {"channel": payloads.channel_json(channel)}


@method("conversations.invite", "channels:manage", "groups:write", "channels:write.invites")
def invite(core: Core, args: Arguments) -> Json:
    channel = _managed(core, args)
    users = args.names("users")
    if not users:
        raise Refusal("no_user")
    for user in users:
        if user not in core.state.users:
            raise Refusal("user_not_found")
        if user == BOT_USER:
            raise Refusal("cant_invite_self")
        if user in channel.members:
            raise Refusal("already_in_channel")
    channel.members.update(users)
    return _changed(core, channel)


@method("conversations.archive", "channels:manage", "groups:write")
def archive(core: Core, args: Arguments) -> Json:
    given = visible_channel(core, args.required("channel"))
    if given.is_archived:
        raise Refusal("already_archived")
    channel = _managed(core, args)
    if channel.name == "general":
        raise Refusal("cant_archive_general")
    channel.is_archived = True
    _changed(core, channel)
    return {}


@method("conversations.rename", "channels:manage", "groups:write")
def rename(core: Core, args: Arguments) -> Json:
    channel = _managed(core, args)
    channel.name = checked_name(core, args.text("name"))
    return _changed(core, channel)


@method("conversations.setTopic", "channels:manage", "groups:write", "channels:write.topic")
def set_topic(core: Core, args: Arguments) -> Json:
    channel = _managed(core, args)
    topic = args.text("topic")
    if len(topic) > 250:
        raise Refusal("too_long")
    channel.topic = topic
    return _changed(core, channel)
