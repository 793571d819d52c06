"""The app's manifest, made from the definitions the listeners use."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import yaml

from handlers.slack.definitions import BOT_SCOPES, COMMANDS, EVENTS, OPTIONAL_BOT_SCOPES

_CREATE_APP = "https://api.slack.com/apps?new_app=1&manifest_yaml="
_HEADER = "# Made by `tocsin manifest`; change handlers/slack/definitions.py instead.\n"


def manifest(prefix: str = "tocsin") -> dict[str, Any]:
    """The manifest as data, valid against Slack's schema 1.0.0 and 2.0.0."""
    return {
        "display_information": {
            "name": "Tocsin",
            "description": "Watches checks and jobs, alerts where people can act on it",
            "background_color": "#7a1f1f",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "Tocsin", "always_online": True},
            "slash_commands": [
                {
                    "command": command.name(prefix),
                    "description": command.description,
                    "should_escape": False,
                    **({"usage_hint": command.usage_hint} if command.usage_hint else {}),
                }
                for command in COMMANDS
            ],
        },
        "oauth_config": {"scopes": {"bot": list(BOT_SCOPES), "bot_optional": list(OPTIONAL_BOT_SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True},
            "org_deploy_enabled": False,
            "socket_mode_enabled": True,
            "token_rotation_enabled": False,
        },
    }


def manifest_yaml(prefix: str = "tocsin") -> str:
    """The manifest as the file people paste into Slack."""
    return _HEADER + yaml.safe_dump(manifest(prefix), sort_keys=False, allow_unicode=True, width=110)


def create_app_link(prefix: str = "tocsin") -> str:
    """The address that opens Slack with the manifest filled in."""
    return _CREATE_APP + quote(yaml.safe_dump(manifest(prefix), sort_keys=False), safe="")
