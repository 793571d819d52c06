"""What every way into the workspace shares: state, tokens, what expires, the app's connections, the log."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.demo.workspace import envelopes
from bot.demo.workspace.clock import Clock
from bot.demo.workspace.errors import Refusal
from bot.demo.workspace.faults import Faults
from bot.demo.workspace.rates import RateLimits
from bot.demo.workspace.socket import Envelope, SocketHub
from bot.demo.workspace.state import APP_ID, BOT_ID, BOT_USER, Change, Channel, Json, Message, State, seeded

# The scopes Tocsin's manifest asks for, the optional ones for incident channels among them.
DEFAULT_SCOPES = (
    "app_mentions:read",
    "channels:history",
    "channels:manage",
    "channels:read",
    "chat:write",
    "chat:write.public",
    "commands",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "pins:write",
    "usergroups:read",
    "users:read",
)
# docs.slack.dev, handling user interaction: a trigger lives 3 seconds, a response_url 30 minutes or 5 uses.
TRIGGER_LIFE = timedelta(seconds=3)
RESPONSE_URL_LIFE = timedelta(minutes=30)
RESPONSE_URL_USES = 5
# What is remembered of those that were issued, so that a long demo does not grow without end.
MOST_REMEMBERED = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the Web API as the log keeps it; `outcome` is "ok" or the error."""

    method: str
    args: Json
    outcome: str
    at: datetime
    status: int = 200


@dataclass(slots=True, kw_only=True)
class Trigger:
    """Leave to open one modal for this user, for three seconds."""

    user: str
    issued: datetime
    view: str = ""
    used: bool = False


@dataclass(slots=True, kw_only=True)
class ResponseUrl:
    """Leave to answer one interaction a few times; `source` is the message that was clicked."""

    channel: str
    user: str
    issued: datetime
    source: str = ""
    is_ephemeral: bool = False
    uses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A slash command as its app registered it."""

    command: str
    description: str = ""
    usage_hint: str = ""


# docs.slack.dev: commands Slack keeps for itself; a manifest that lists one is rejected whole.
_RESERVED = (
    "archive away call collapse dm dnd expand feed feedback invite join leave me msg mute open people pro "
    "prefs remind remove rename search shortcuts shrug status topic who"
)
RESERVED_COMMANDS = frozenset(f"/{name}" for name in _RESERVED.split(" "))


@dataclass(slots=True, kw_only=True)
class Core:
    """The workspace without its doors."""

    clock: Clock
    state: State
    rates: RateLimits
    hub: SocketHub
    scopes: set[str]
    faults: Faults = field(default_factory=Faults)
    bot_token: str = field(default_factory=lambda: f"xoxb-local-{secrets.token_hex(12)}")
    app_token: str = field(default_factory=lambda: f"xapp-1-{APP_ID}-{secrets.token_hex(12)}")
    token_state: str = ""
    calls: list[Call] = field(default_factory=list)
    commands: dict[str, Command] = field(default_factory=dict)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    response_urls: dict[str, ResponseUrl] = field(default_factory=dict)
    on_call: Callable[[], None] = lambda: None

    @property
    def origin(self) -> str:
        """The workspace's own address, without a slash at its end."""
        return self.state.origin

    # Events to the app

    def post(self, message: Message) -> list[Envelope]:
        """Store a message and tell the app, when it may read the channel."""
        self.state.add_message(message)
        sent = self._tell(message, envelopes.message_event(self.state, message))
        if self._is_mention(message):
            mention = envelopes.event(self.state, envelopes.mention_event(self.state, message))
            sent.append(self.hub.send("events_api", mention))
        return sent

    def _is_mention(self, message: Message) -> bool:
        """Whether this names the app where a mention reaches it: in a channel it is in."""
        channel = self.state.channels[message.channel]
        is_heard = BOT_USER in channel.members and not channel.is_im and "app_mentions:read" in self.scopes
        return is_heard and message.user != BOT_USER and f"<@{BOT_USER}>" in message.text

    def edited(self, message: Message, editor: str) -> None:
        """Mark a stored message edited, and tell everybody."""
        message.edited, message.edited_by = self.state.next_ts(), editor
        self.state.changed(message)
        if not message.ephemeral_to:
            self._tell(message, envelopes.change_event(self.state, message, message.edited, deleted=False))

    def delete(self, message: Message) -> None:
        """Remove a message, and tell everybody."""
        self.state.delete_message(message)
        if not message.ephemeral_to:
            self._tell(
                message, envelopes.change_event(self.state, message, self.state.next_ts(), deleted=True)
            )

    def _tell(self, message: Message, content: Json) -> list[Envelope]:
        if message.ephemeral_to or not self.may_read(self.state.channels[message.channel]):
            return []
        return [self.hub.send("events_api", envelopes.event(self.state, content))]

    def may_read(self, channel: Channel) -> bool:
        """Whether the app gets this channel's messages: it is in it and has the scope."""
        return BOT_USER in channel.members and history_scope(channel) in self.scopes

    def bot_message(self, channel: str, text: str, **parts: object) -> Message:
        """A message from the app, not stored yet."""
        return Message(
            ts=self.state.next_ts(),
            channel=channel,
            user=BOT_USER,
            bot_id=BOT_ID,
            text=text,
            **parts,  # type: ignore[arg-type]
        )

    # Things that expire

    def issue_trigger(self, user: str, view: str = "") -> str:
        """A new trigger_id."""
        trigger_id = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        _make_room(self.triggers)
        self.triggers[trigger_id] = Trigger(user=user, issued=self.clock(), view=view)
        return trigger_id

    def redeem_trigger(self, trigger_id: object) -> Trigger:
        """Use a trigger_id up, or raise the Refusal Slack has for it."""
        trigger = self.triggers.get(str(trigger_id))
        if trigger is None:
            raise Refusal("invalid_trigger_id")
        if trigger.used:
            raise Refusal("exchanged_trigger_id")
        if self.clock() - trigger.issued > TRIGGER_LIFE:
            raise Refusal("expired_trigger_id")
        trigger.used = True
        return trigger

    def issue_response_url(
        self, channel: str, user: str, source: str = "", *, is_ephemeral: bool = False
    ) -> str:
        """The address of a new response_url."""
        key = secrets.token_urlsafe(18)
        _make_room(self.response_urls)
        self.response_urls[key] = ResponseUrl(
            channel=channel, user=user, source=source, issued=self.clock(), is_ephemeral=is_ephemeral
        )
        return f"{self.origin}/response/{key}"

    def redeem_response_url(self, key: str) -> ResponseUrl:
        """Count one use of a response_url, or raise the Refusal Slack has for it (HTTP 404)."""
        issued = self.response_urls.get(key)
        if issued is None:
            raise Refusal("no_such_url", status=404)
        if self.clock() - issued.issued > RESPONSE_URL_LIFE:
            raise Refusal("expired_url", status=404)
        if issued.uses >= RESPONSE_URL_USES:
            raise Refusal("used_url", status=404)
        issued.uses += 1
        return issued

    # Commands and notices

    def register(self, commands: Iterable[Command]) -> None:
        """Replace the app's slash commands; ValueError when one is Slack's own, as a manifest is rejected."""
        wanted = {each.command: each for each in commands}
        if taken := sorted(RESERVED_COMMANDS & wanted.keys()):
            raise ValueError(f"Slack keeps these commands for itself: {', '.join(taken)}")
        self.commands.clear()
        self.commands.update(wanted)
        self.state.announce(Change(kind="app_status"))

    def notice(self, user: str, channel: str, text: str) -> None:
        """Show one user a line that Slack itself would show."""
        self.state.announce(Change(kind="notice", user=user, channel=channel, text=text))


def _make_room(issued: dict[str, Any]) -> None:
    while len(issued) >= MOST_REMEMBERED:
        del issued[next(iter(issued))]


def history_scope(channel: Channel) -> str:
    """The scope that reading this conversation's messages takes."""
    return "im:history" if channel.is_im else "groups:history" if channel.is_private else "channels:history"


def new_core(clock: Clock, *, realistic_limits: bool, scopes: Iterable[str], ack_timeout: float) -> Core:
    """A freshly seeded workspace."""
    state = seeded(clock)
    hub = SocketHub(ack_timeout=ack_timeout)
    hub.on_status = lambda: state.announce(Change(kind="app_status"))
    return Core(
        clock=clock, state=state, rates=RateLimits(enabled=realistic_limits), hub=hub, scopes=set(scopes)
    )
