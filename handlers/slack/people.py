"""Who may do what: the configured people against the person who pressed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.message import outside
from bot.config.plans import rotations_of
from bot.config.references import is_person_id
from bot.config.settings import Settings
from bot.domain.clock import Clock
from bot.domain.oncall import Rotation, on_call

log = structlog.get_logger(__name__)

LOOK = "look"
"""What every member of the workspace may do, and nobody else."""

_REMEMBERED = timedelta(minutes=5)
_WORDS = {
    "configuration": "see or change the configuration",
    "incident": "open, join or close incidents",
    "remedy": "run remedies",
}


class People:
    """Resolves names of `people:` and checks permissions. User groups are asked of Slack and remembered."""

    def __init__(self, settings: Settings, client: AsyncWebClient, clock: Clock) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._groups: dict[str, tuple[datetime, frozenset[str]]] = {}
        self.home_team: str | None = settings.slack.team

    async def refusal(self, action: str, body: Mapping[str, Any]) -> str | None:
        """Why the person of a payload may not do this, or None when they may."""
        user = body.get("user") or {}
        team = user.get("team_id") or (body.get("team") or {}).get("id")
        if self.home_team and team and team != self.home_team:
            return "Only members of this workspace may do that."
        allowed: Sequence[str] | None = getattr(self._settings.permissions, action, None)
        if allowed is None or await self._holds(allowed, str(user.get("id"))):
            return None
        return f"You may not {_WORDS.get(action, action)} here. Ask {_listed(allowed)}."

    async def on_call(self, names: Sequence[str]) -> list[str]:
        """Users on call at this moment: of the rotations among some names, of all of them when none is named."""
        rotations = rotations_of(self._settings)
        meant = [name for name in dict.fromkeys(names) if name in rotations] or list(rotations)
        now, found = self._clock(), dict[str, None]()
        for entry in expand([on_call(rotations[name], now) for name in meant], self._settings):
            members = sorted(await self._members(entry)) if entry.startswith("S") else [entry]
            found |= dict.fromkeys(member for member in members if is_person_id(member))
        return list(found)

    async def _holds(self, allowed: Sequence[str], user: str) -> bool:
        for entry in expand(allowed, self._settings):
            if entry == user or (entry.startswith("S") and user in await self._members(entry)):
                return True
        return False

    async def _members(self, group: str) -> frozenset[str]:
        """The users of a user group; what was known before when Slack does not answer."""
        now = self._clock()
        known = self._groups.get(group)
        if known is not None and now - known[0] < _REMEMBERED:
            return known[1]
        try:
            answer = await self._client.usergroups_users_list(usergroup=group)
        except SlackApiError as error:
            log.warning("user_group_unknown", group=group, reason=str(error.response.get("error")))
            return known[1] if known is not None else frozenset()
        members = frozenset(answer.get("users") or ())
        self._groups[group] = (now, members)
        return members


def expand(names: Sequence[str], settings: Settings) -> list[str]:
    """Ids of users and user groups behind names of `people:`; ids pass through."""
    found: list[str] = []
    for name in names:
        if name in settings.people:
            found += expand([entry for entry in settings.people[name] if entry != name], settings)
        else:
            found.append(name)
    return found


def mention_of(
    names: Sequence[str], settings: Settings, rotations: Mapping[str, Rotation], now: datetime
) -> str:
    """Slack's way to call people by their names, each once; a rotation is whoever is on call at this instant."""
    everybody = {"here", "channel", "everyone"}
    called = [f"<!{name}>" for name in names if name in everybody]
    present = [on_call(rotations[name], now) if name in rotations else name for name in names]
    for entry in expand([name for name in present if name not in everybody], settings):
        called.append(_called(entry))
    return " ".join(dict.fromkeys(called))


def _called(entry: str) -> str:
    """A user group, a user, or a name that the file no longer has: that one can only be read."""
    if not is_person_id(entry):
        return outside(f"@{entry}", 80)
    return f"<!subteam^{entry}>" if entry.startswith("S") else f"<@{entry}>"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"<@{name}>" if name[:1] in "UW" and name.isupper() else name for name in names)
