"""What a workspace holds: people, channels, messages, files and views. No I/O; every change is announced."""

import secrets
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from bot.demo.workspace.blocks import elements_of
from bot.demo.workspace.clock import Clock

Json = dict[str, Any]

TEAM_ID = "T0TOCSIN"
APP_ID = "A0TOCSIN"
BOT_ID = "B0TOCSIN"
BOT_USER = "U0TOCSIN"


@dataclass(slots=True, kw_only=True)
class User:
    """Somebody in the workspace; the app's own user has a bot id."""

    id: str
    name: str
    real_name: str
    title: str = ""
    bot_id: str = ""
    deleted: bool = False
    tz: str = "Europe/Amsterdam"


@dataclass(slots=True, kw_only=True)
class UserGroup:
    """A handle that stands for several people."""

    id: str
    handle: str
    name: str
    users: list[str]


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel, or with `user` the direct conversation between that user and the app."""

    id: str
    name: str
    created: int
    is_private: bool = False
    is_archived: bool = False
    user: str = ""
    creator: str = ""
    topic: str = ""
    members: set[str] = field(default_factory=set)
    pinned: list[str] = field(default_factory=list)

    @property
    def is_im(self) -> bool:
        return bool(self.user)


@dataclass(slots=True, kw_only=True)
class File:
    """An upload: announced, then received, then shared."""

    id: str
    name: str
    length: int
    title: str = ""
    content: bytes | None = None
    created: int = 0
    channels: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Message:
    """One message as the workspace keeps it; `ephemeral_to` names the only reader of an ephemeral one."""

    ts: str
    channel: str
    user: str
    text: str
    bot_id: str = ""
    username: str = ""
    icon_emoji: str = ""
    thread_ts: str = ""
    subtype: str = ""
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    metadata: Json = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    client_msg_id: str = ""
    edited: str = ""
    edited_by: str = ""
    ephemeral_to: str = ""

    @property
    def is_reply(self) -> bool:
        return bool(self.thread_ts) and self.thread_ts != self.ts


@dataclass(slots=True, kw_only=True)
class View:
    """A modal or a home tab as the workspace keeps it, with what the user entered so far."""

    id: str
    user: str
    content: Json
    hash: str
    root_id: str
    previous_id: str = ""
    values: Json = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return str(self.content["type"])


ChangeKind = Literal[
    "message",
    "message_changed",
    "message_deleted",
    "ephemeral",
    "ephemeral_changed",
    "view_opened",
    "view_updated",
    "view_closed",
    "home",
    "channel",
    "app_status",
    "notice",
    "controls",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that anybody looking at the workspace would see; with `user` only that user sees it."""

    kind: ChangeKind
    user: str = ""
    channel: str = ""
    message: Message | None = None
    view: View | None = None
    text: str = ""


class State:
    """All of a workspace's content. Ids are readable; message timestamps never repeat or go back."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.origin = ""
        self.users: dict[str, User] = {}
        self.groups: dict[str, UserGroup] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, File] = {}
        self.homes: dict[str, View] = {}
        self.modals: dict[str, list[View]] = {}
        self.observers: list[Callable[[Change], None]] = []
        self._messages: dict[str, dict[str, Message]] = {}
        self._replies: dict[tuple[str, str], list[Message]] = {}
        self._ephemerals: dict[tuple[str, str], list[Message]] = {}
        self._last_ts = 0
        self._counter = 0

    def announce(self, change: Change) -> None:
        """Tell every observer."""
        for observer in list(self.observers):
            observer(change)

    def now(self) -> datetime:
        return self.clock()

    def next_ts(self) -> str:
        """A message timestamp: the clock's microseconds, or just after the last one."""
        self._last_ts = max(int(self.now().timestamp() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def next_id(self, prefix: str) -> str:
        self._counter += 1
        return f"{prefix}0{self._counter:06d}"

    # People

    def add_user(self, user: User) -> User:
        self.users[user.id] = user
        if not user.bot_id:
            self.direct_channel(user.id)
        return user

    # Channels

    def add_channel(
        self,
        name: str,
        *,
        channel_id: str = "",
        is_private: bool = False,
        members: Iterable[str] = (),
        everybody: bool = True,
        creator: str = "U0KIM",
    ) -> Channel:
        """Add a channel with `members` in it, and unless told otherwise everybody human."""
        humans = [user.id for user in self.users.values() if everybody and not user.bot_id]
        channel = Channel(
            id=channel_id or self.next_id("C"),
            name=name,
            is_private=is_private,
            creator=creator,
            created=int(self.now().timestamp()),
            members={*humans, *members},
        )
        self.channels[channel.id] = channel
        self.announce(Change(kind="channel", channel=channel.id))
        return channel

    def direct_channel(self, user_id: str) -> Channel:
        """The direct conversation between the app and this user, opened on first need."""
        for channel in self.channels.values():
            if channel.user == user_id:
                return channel
        channel = Channel(
            id=f"D{user_id[1:]}",
            name="",
            user=user_id,
            created=int(self.now().timestamp()),
            members={user_id, BOT_USER},
        )
        self.channels[channel.id] = channel
        self.announce(Change(kind="channel", channel=channel.id))
        return channel

    def channel_named(self, reference: str) -> Channel | None:
        """The channel with this id, `#name` or `name`."""
        if found := self.channels.get(reference):
            return found
        name = reference.removeprefix("#")
        return next((each for each in self.channels.values() if each.name == name and name), None)

    def remove_channel(self, channel_id: str) -> None:
        """Forget a channel and everything in it, as when an administrator deletes it."""
        self.channels.pop(channel_id)
        self._messages.pop(channel_id, None)
        self._replies = {place: each for place, each in self._replies.items() if place[0] != channel_id}
        self.announce(Change(kind="channel", channel=channel_id))

    # Messages

    def add_message(self, message: Message) -> Message:
        identify(all_blocks(message.blocks, message.attachments))
        if message.ephemeral_to:
            self._ephemerals.setdefault((message.ephemeral_to, message.channel), []).append(message)
            kind: ChangeKind = "ephemeral"
        else:
            self._messages.setdefault(message.channel, {})[message.ts] = message
            if message.is_reply:
                self._replies.setdefault((message.channel, message.thread_ts), []).append(message)
            kind = "message"
        self.announce(Change(kind=kind, user=message.ephemeral_to, channel=message.channel, message=message))
        return message

    def changed(self, message: Message) -> None:
        """Announce an edit of a stored message; blocks without an id get one."""
        identify(all_blocks(message.blocks, message.attachments))
        kind: ChangeKind = "ephemeral_changed" if message.ephemeral_to else "message_changed"
        self.announce(Change(kind=kind, user=message.ephemeral_to, channel=message.channel, message=message))

    def delete_message(self, message: Message) -> None:
        if message.ephemeral_to:
            self._ephemerals[(message.ephemeral_to, message.channel)].remove(message)
        else:
            del self._messages[message.channel][message.ts]
            if message.is_reply:
                self._replies[(message.channel, message.thread_ts)].remove(message)
        self.announce(
            Change(
                kind="message_deleted", user=message.ephemeral_to, channel=message.channel, message=message
            )
        )

    def message(self, channel_id: str, ts: str) -> Message | None:
        return self._messages.get(channel_id, {}).get(ts)

    def ephemeral(self, user_id: str, channel_id: str, ts: str) -> Message | None:
        return next((m for m in self._ephemerals.get((user_id, channel_id), []) if m.ts == ts), None)

    def messages(self, channel_id: str) -> list[Message]:
        """What stands in the channel itself, oldest first; replies are left out."""
        return [m for m in self._messages.get(channel_id, {}).values() if not m.is_reply]

    def thread(self, channel_id: str, ts: str) -> list[Message]:
        """The message with `ts` and its replies, oldest first."""
        root = self.message(channel_id, ts)
        return [*([root] if root else []), *self.replies(channel_id, ts)]

    def replies(self, channel_id: str, ts: str) -> list[Message]:
        """The replies to the message with `ts`, oldest first."""
        return list(self._replies.get((channel_id, ts), []))

    def ephemerals(self, user_id: str, channel_id: str) -> list[Message]:
        """What only this user sees there, oldest first."""
        return list(self._ephemerals.get((user_id, channel_id), []))

    def latest_ts(self, channel_id: str) -> str:
        return next(reversed(self._messages.get(channel_id, {})), "")

    # Views

    def open_view(self, user_id: str, content: Json, *, push: bool = False) -> View:
        """Open a modal, alone or on top of the user's open ones."""
        stack = self.modals.setdefault(user_id, [])
        if not push:
            stack.clear()
        view_id = self.next_id("V")
        view = View(
            id=view_id,
            user=user_id,
            content=identified(content),
            hash=self._hash(),
            root_id=stack[0].id if stack else view_id,
            previous_id=stack[-1].id if stack else "",
        )
        stack.append(view)
        self.announce(Change(kind="view_opened", user=user_id, view=view))
        return view

    def update_view(self, view: View, content: Json) -> None:
        """Replace a view's content; what was entered in blocks that keep their id stays."""
        view.content = identified(content)
        view.hash = self._hash()
        kept = {block["block_id"] for block in view.content["blocks"]}
        view.values = {block_id: each for block_id, each in view.values.items() if block_id in kept}
        self.announce(
            Change(kind="home" if view.kind == "home" else "view_updated", user=view.user, view=view)
        )

    def publish_home(self, user_id: str, content: Json) -> View:
        """Set what the app's home tab shows this user."""
        if view := self.homes.get(user_id):
            self.update_view(view, content)
            return view
        view_id = self.next_id("V")
        view = View(id=view_id, user=user_id, content=identified(content), hash=self._hash(), root_id=view_id)
        self.homes[user_id] = view
        self.announce(Change(kind="home", user=user_id, view=view))
        return view

    def close_views(self, user_id: str, keep: int) -> list[View]:
        """Close the user's modals above the lowest `keep`; the closed ones, topmost first."""
        stack = self.modals.get(user_id, [])
        closed = stack[keep:][::-1]
        del stack[keep:]
        for view in closed:
            self.announce(Change(kind="view_closed", user=user_id, view=view))
        return closed

    def view(self, view_id: str) -> View | None:
        """The open modal or home tab with this id or external id."""
        views = [*self.homes.values(), *(view for stack in self.modals.values() for view in stack)]
        return next((v for v in views if view_id in (v.id, v.content.get("external_id") or v.id)), None)

    def _hash(self) -> str:
        return f"{int(self.now().timestamp())}.{secrets.token_hex(4)}"


def identify(blocks: list[Json]) -> None:
    """Give an id to every block and interactive element without one, as Slack does."""
    for block in blocks:
        block.setdefault("block_id", secrets.token_urlsafe(4))
        for element in elements_of(block):
            element.setdefault("action_id", secrets.token_urlsafe(4))


def identified(content: Json) -> Json:
    """A view's content of its own, with an id on every block and element."""
    own = deepcopy(content)
    identify(own["blocks"])
    return own


def all_blocks(blocks: list[Json], attachments: list[Json]) -> list[Json]:
    """A message's blocks and those of its attachments."""
    return [*blocks, *(block for each in attachments for block in each.get("blocks") or [])]


def ts_value(ts: str) -> Decimal | None:
    """A timestamp as a number to compare by, or None when it is not one."""
    try:
        return Decimal(ts)
    except InvalidOperation:
        return None


def seeded(clock: Clock) -> State:
    """The workspace people find: three of them, an on-call group, four channels, and the app."""
    state = State(clock)
    state.users[BOT_USER] = User(id=BOT_USER, name="tocsin", real_name="Tocsin", bot_id=BOT_ID)
    state.add_user(User(id="U0ALEX", name="alex", real_name="Alex Moreau", title="On call this week"))
    state.add_user(User(id="U0SAM", name="sam", real_name="Sam Okafor", title="Platform"))
    state.add_user(User(id="U0KIM", name="kim", real_name="Kim Lindqvist", title="Team lead"))
    state.groups["S0ONCALL"] = UserGroup(
        id="S0ONCALL", handle="oncall", name="On call", users=["U0ALEX", "U0SAM"]
    )
    state.add_channel("general", channel_id="C0GENERAL", members=[BOT_USER])
    state.add_channel("alerts", channel_id="C0ALERTS", members=[BOT_USER])
    state.add_channel("random", channel_id="C0RANDOM")
    state.add_channel("leads", channel_id="C0LEADS", is_private=True)
    return state
