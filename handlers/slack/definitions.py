"""What Tocsin is to Slack: its commands, scopes and events. The manifest and the listeners are made from these."""

from __future__ import annotations

import re
from dataclasses import dataclass

from handlers.slack.words import usage_hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A slash command: `/<prefix>` with its ending."""

    ending: str
    description: str
    usage_hint: str

    def name(self, prefix: str) -> str:
        return f"/{prefix}{self.ending}"


COMMANDS = (
    Command(
        ending="",
        description="How things stand, and everything else Tocsin can do",
        usage_hint=usage_hint(),
    ),
    Command(
        ending="-status",
        description="How everything stands, or one job or check and how it went lately",
        usage_hint="[job, check or #alert]",
    ),
    Command(
        ending="-logs",
        description="The newest runs of jobs",
        usage_hint='[job] [success|error|timeout] [24h, today, a day, a..b] [number] ["text"]',
    ),
)

# `/status` and `/logs` belong to Slack or to others in a manifest, but a listener may still be sent them.
COMMAND_PATTERN = re.compile(r"^/[a-z0-9_-]+$")

BOT_SCOPES = (
    "app_mentions:read",
    "channels:history",
    "channels:read",
    "chat:write",
    "chat:write.public",
    "commands",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "usergroups:read",
    "users:read",
)
OPTIONAL_BOT_SCOPES = ("channels:manage", "pins:write")  # channels of incidents, and what is pinned there
APP_TOKEN_SCOPE = "connections:write"  # noqa: S105 - a scope's name

EVENTS = ("app_home_opened", "app_mention", "message.channels", "message.groups", "message.im")


def word_of(command: str, prefix: str) -> str:
    """What a command asks for: `status`, `logs`, or empty for the plain `/<prefix>` whose text says it."""
    name = command.removeprefix("/")
    if name == prefix:
        return ""
    return name.rpartition("-")[2]
