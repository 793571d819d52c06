"""chat.*, reactions.add and pins.add: posting, editing, deleting."""

from copy import deepcopy
from typing import Any

from bot.demo.workspace import payloads
from bot.demo.workspace.arguments import Arguments
from bot.demo.workspace.core import Core
from bot.demo.workspace.errors import Refusal
from bot.demo.workspace.limits import TEXT_OF_A_POST, TEXT_OF_AN_UPDATE, check_message, check_metadata
from bot.demo.workspace.methods import joined_channel, method, visible_channel
from bot.demo.workspace.state import BOT_USER, Change, Channel, Json, Message

# What Slack puts into `text` when a message has only blocks.
NO_FALLBACK = "This content can't be displayed."


def content_of(args: Arguments) -> Json:
    """The parts of a message among the arguments, checked; parts that were not given are left out."""
    content: Json = {}
    blocks = args.structure("blocks", list, "invalid_blocks_format")
    attachments = args.structure("attachments", list, "invalid_attachments")
    metadata = args.structure("metadata", dict, "invalid_metadata_format")
    if metadata is not None:
        check_metadata(metadata)
        content["metadata"] = metadata
    check_message(blocks, attachments)
    if blocks is not None:
        content["blocks"] = deepcopy(blocks)
    if attachments is not None:
        content["attachments"] = [_attachment(each, number) for number, each in enumerate(attachments, 1)]
    if "text" in args or "markdown_text" in args:
        if "markdown_text" in args and ("text" in args or blocks):
            raise Refusal("markdown_text_conflict")
        content["text"] = args.text("text") or args.text("markdown_text")
    return content


def _attachment(given: Json, number: int) -> Json:
    """An attachment as Slack gives it back: numbered, with a fallback, its colour without the leading #."""
    kept: Json = {"fallback": "[no preview available]", **deepcopy(given), "id": number}
    if "color" in kept:
        kept["color"] = kept["color"].removeprefix("#")
    return kept


def _says_something(content: Json) -> bool:
    return any(content.get(name) for name in ("text", "blocks", "attachments"))


def _postable(core: Core, args: Arguments) -> Channel:
    """Where to post: a channel by id or name, or somebody's direct conversation by their id."""
    reference = args.required("channel")
    user = core.state.users.get(reference)
    if user is not None and not user.bot_id:
        return core.state.direct_channel(user.id)
    found = core.state.channel_named(reference)
    channel = visible_channel(core, found.id if found else reference)
    if channel.is_archived:
        raise Refusal("is_archived")
    if BOT_USER not in channel.members and "chat:write.public" not in core.scopes:
        raise Refusal("not_in_channel")
    return channel


def _thread(core: Core, channel: Channel, args: Arguments) -> str:
    thread_ts = args.text("thread_ts")
    if thread_ts and core.state.message(channel.id, thread_ts) is None:
        raise Refusal("thread_not_found")
    return thread_ts


@method("chat.postMessage", "chat:write")
def post_message(core: Core, args: Arguments) -> Json:
    channel = _postable(core, args)
    content = content_of(args)
    if not _says_something(content):
        raise Refusal("no_text")
    content["text"] = (content.get("text") or (NO_FALLBACK if content.get("blocks") else ""))[:TEXT_OF_A_POST]
    message = core.bot_message(
        channel.id, thread_ts=_thread(core, channel, args), **_named(core, args), **content
    )
    core.post(message)
    shown = payloads.message_json(core.state, message, include_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": shown}


def _named(core: Core, args: Arguments) -> Json:
    if "chat:write.customize" not in core.scopes:
        return {}
    return {"username": args.text("username"), "icon_emoji": args.text("icon_emoji")}


@method("chat.postEphemeral", "chat:write")
def post_ephemeral(core: Core, args: Arguments) -> Json:
    channel = _postable(core, args)
    user = args.required("user")
    if user not in core.state.users or user not in channel.members:
        raise Refusal("user_not_in_channel")
    content = content_of(args)
    if not _says_something(content):
        raise Refusal("no_text")
    message = core.bot_message(
        channel.id,
        content.pop("text", ""),
        ephemeral_to=user,
        thread_ts=_thread(core, channel, args),
        **content,
    )
    core.post(message)
    return {"message_ts": message.ts}


def own_message(core: Core, channel: Channel, ts: str, refusal: str) -> Message:
    """The app's own message with this ts; `message_not_found`, or `refusal` for somebody else's."""
    message = core.state.message(channel.id, ts)
    if message is None or message.subtype == "tombstone":
        raise Refusal("message_not_found")
    if message.user != BOT_USER:
        raise Refusal(refusal)
    return message


@method("chat.update", "chat:write")
def update(core: Core, args: Arguments) -> Json:
    channel = visible_channel(core, args.required("channel"))
    message = own_message(core, channel, args.required("ts"), "cant_update_message")
    if channel.is_archived:
        raise Refusal("is_inactive")
    content = content_of(args)
    if not content.keys() & {"text", "blocks", "attachments"}:
        raise Refusal("no_text")
    if len(content.get("text", "")) > TEXT_OF_AN_UPDATE:
        raise Refusal("msg_too_long")
    _replace(message, content)
    core.edited(message, BOT_USER)
    shown = payloads.message_json(core.state, message, include_metadata=True)
    # The answer's message has neither its time nor its thread, as Slack's has not.
    for name in (
        "ts",
        "thread_ts",
        "parent_user_id",
        "client_msg_id",
        "reactions",
        "subtype",
        "username",
        "icons",
    ):
        shown.pop(name, None)
    for name in ("reply_count", "reply_users_count", "latest_reply", "reply_users", "subscribed"):
        shown.pop(name, None)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": shown}


def _replace(message: Message, content: Json) -> None:
    """Set what was given; parts that were not given stay (docs.slack.dev, chat.update)."""
    said: Any = {**content}
    after = {name: said.get(name, getattr(message, name)) for name in ("text", "blocks", "attachments")}
    if not _says_something(after):
        raise Refusal("no_text")
    for name, value in said.items():
        setattr(message, name, value)


@method("chat.delete", "chat:write")
def delete(core: Core, args: Arguments) -> Json:
    channel = visible_channel(core, args.required("channel"))
    message = own_message(core, channel, args.required("ts"), "cant_delete_message")
    if core.state.replies(channel.id, message.ts):
        # A deleted message with replies leaves a placeholder, so that the thread keeps its root.
        message.subtype, message.text = "tombstone", "This message was deleted."
        message.blocks, message.attachments, message.metadata, message.files = [], [], {}, []
        core.edited(message, BOT_USER)
    else:
        core.delete(message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.getPermalink")
def get_permalink(core: Core, args: Arguments) -> Json:
    channel = visible_channel(core, args.required("channel"))
    ts = args.required("message_ts")
    if core.state.message(channel.id, ts) is None:
        raise Refusal("message_not_found")
    return {"channel": channel.id, "permalink": f"{core.origin}/archives/{channel.id}/p{ts.replace('.', '')}"}


def _target(core: Core, args: Arguments) -> Message:
    channel = joined_channel(core, args)
    message = core.state.message(channel.id, args.required("timestamp"))
    if message is None:
        raise Refusal("message_not_found")
    return message


@method("reactions.add", "reactions:write")
def react(core: Core, args: Arguments) -> Json:
    message = _target(core, args)
    users = message.reactions.setdefault(args.required("name"), [])
    if BOT_USER in users:
        raise Refusal("already_reacted")
    users.append(BOT_USER)
    core.state.changed(message)
    return {}


@method("pins.add", "pins:write")
def pin(core: Core, args: Arguments) -> Json:
    message = _target(core, args)
    pinned = core.state.channels[message.channel].pinned
    if message.ts in pinned:
        raise Refusal("already_pinned")
    pinned.append(message.ts)
    core.state.announce(Change(kind="channel", channel=message.channel))
    core.state.changed(message)
    return {}
