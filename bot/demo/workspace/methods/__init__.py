"""The Web API's methods, and what each needs of a token."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bot.demo.workspace.arguments import Arguments
from bot.demo.workspace.core import Core
from bot.demo.workspace.errors import Refusal
from bot.demo.workspace.state import BOT_USER, Channel, Json

TokenKind = Literal["bot", "app"]
Run = Callable[[Core, Arguments], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method, the scopes of which any one suffices, and the kind of token it takes."""

    run: Run
    scopes: tuple[str, ...] = ()
    token: TokenKind = "bot"  # noqa: S105 - the kind of token, not one


METHODS: dict[str, Method] = {}


def method(name: str, *scopes: str, takes: TokenKind = "bot") -> Callable[[Run], Run]:
    """Register a function as the method `name`."""

    def register(run: Run) -> Run:
        METHODS[name] = Method(run=run, scopes=scopes, token=takes)
        return run

    return register


def need_scope(core: Core, *scopes: str) -> None:
    """Raise `missing_scope` unless the token has one of these."""
    if scopes and not core.scopes.intersection(scopes):
        raise Refusal("missing_scope", needed=",".join(scopes), provided=",".join(sorted(core.scopes)))


def visible_channel(core: Core, channel_id: str) -> Channel:
    """The channel with this id, or `channel_not_found`: private ones exist only for their members."""
    channel = core.state.channels.get(channel_id)
    if channel is None or (channel.is_private and BOT_USER not in channel.members):
        raise Refusal("channel_not_found")
    return channel


def joined_channel(core: Core, args: Arguments) -> Channel:
    """The channel named by the argument `channel`, which the app must be in."""
    channel = visible_channel(core, args.required("channel"))
    if BOT_USER not in channel.members:
        raise Refusal("not_in_channel")
    return channel
