"""Slack's channels as rooms for incidents: made, named, filled with people; and what each refusal means."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

MANAGE_SCOPE, PIN_SCOPE = "channels:manage", "pins:write"
_CLOCKS_DIFFER = timedelta(minutes=5)
_PASSING = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
)
_FIRST_RETRY = timedelta(seconds=15)  # what was given up on may still be carried out; by then it was


class RoomRefused(Exception):
    """Slack will not do this, however often it is asked. `needed` names a scope that is missing."""

    def __init__(self, code: str, needed: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.needed = needed


class RoomUncertain(Exception):
    """Whether this was done is not known, or Slack cannot do it now; ask again after `retry_after`."""

    def __init__(self, reason: str, retry_after: timedelta = _FIRST_RETRY) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Rooms:
    """Every method raises RoomRefused, RoomUncertain, and can be repeated without doing anything twice."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._me: str | None = None

    async def missing_scope(self) -> str | None:
        """The scope without which no channel can be made, if Slack says that it is missing."""
        response = await self._call("auth.test")
        self._me = str(response.data.get("user_id") or "") or None
        headers = {name.lower(): value for name, value in (response.headers or {}).items()}
        granted = headers.get("x-oauth-scopes")
        if granted is None:
            return None
        return None if MANAGE_SCOPE in [each.strip() for each in granted.split(",")] else MANAGE_SCOPE

    async def create(self, name: str) -> str:
        """Make a public channel; its id. Raises RoomRefused("name_taken"): see `own`."""
        response = await self._call("conversations.create", name=name)
        return str(response.data["channel"]["id"])

    async def own(self, name: str, since: datetime) -> str | None:
        """The id of the channel of this name, if we made it since an instant: an attempt that we never heard of."""
        cursor = ""
        oldest = (since - _CLOCKS_DIFFER).timestamp()
        while True:
            page = {"types": "public_channel", "limit": 999, **({"cursor": cursor} if cursor else {})}
            data = (await self._call("conversations.list", **page)).data
            for each in data.get("channels", []):
                if each.get("name") == name:
                    ours = each.get("creator") == await self._my_id() and each.get("created", 0) >= oldest
                    return str(each["id"]) if ours and not each.get("is_archived") else None
            cursor = str((data.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return None

    async def set_topic(self, channel: str, topic: str) -> None:
        """What stands at the top of a channel."""
        await self._call("conversations.setTopic", channel=channel, topic=topic)

    async def invite(self, channel: str, user: str) -> None:
        """Bring somebody in; whoever is there already stays."""
        await self._idempotent(
            {"already_in_channel", "cant_invite_self"}, "conversations.invite", channel=channel, users=user
        )

    async def pin(self, channel: str, ts: str) -> None:
        """Pin a message."""
        await self._idempotent({"already_pinned"}, "pins.add", channel=channel, timestamp=ts)

    async def holds_file(self, channel: str, name: str, since: datetime) -> bool:
        """Whether a file of ours of this name stands in a channel since an instant."""
        oldest = f"{(since - _CLOCKS_DIFFER).timestamp():.6f}"
        data = (await self._call("conversations.history", channel=channel, oldest=oldest, limit=200)).data
        return any(
            found.get("name") == name
            for message in data.get("messages", [])
            for found in message.get("files") or []
        )

    async def upload(self, channel: str, name: str, title: str, content: str, comment: str) -> None:
        """Share a file in a channel. Not to be repeated before `holds_file` was asked."""
        try:
            await self._client.files_upload_v2(
                channel=channel, filename=name, title=title, content=content, initial_comment=comment
            )
        except SlackRequestError as error:
            raise RoomUncertain(str(error)) from error
        except SlackApiError as error:
            raise _meaning(error) from error
        except (aiohttp.ClientError, TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            raise RoomUncertain(str(error) or type(error).__name__) from error

    async def name_of(self, user: str) -> str | None:
        """What a person is called; None when Slack does not say."""
        try:
            found = (await self._call("users.info", user=user)).data["user"]
        except (RoomRefused, RoomUncertain):
            return None
        profile = found.get("profile") or {}
        return str(profile.get("real_name") or found.get("real_name") or found.get("name") or "") or None

    async def _my_id(self) -> str:
        if self._me is None:
            self._me = str((await self._call("auth.test")).data["user_id"])
        return self._me

    async def _idempotent(self, done: set[str], method: str, **arguments: Any) -> None:
        try:
            await self._call(method, **arguments)
        except RoomRefused as refused:
            if refused.code not in done:
                raise

    async def _call(self, method: str, **arguments: Any) -> Any:
        try:
            return await self._client.api_call(method, params=arguments)
        except SlackApiError as error:
            raise _meaning(error) from error
        except (aiohttp.ClientError, TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            reason = str(error) or type(error).__name__
            raise RoomUncertain(f"no answer from Slack to {method}: {reason}") from error


def _meaning(error: SlackApiError) -> RoomRefused | RoomUncertain:
    response: Any = error.response
    data = response.data if isinstance(getattr(response, "data", None), dict) else {}
    status = getattr(response, "status_code", 200)
    if status == 429 or data.get("error") == "ratelimited":
        headers = {name.lower(): value for name, value in (response.headers or {}).items()}
        return RoomUncertain("ratelimited", timedelta(seconds=float(headers.get("retry-after", 30))))
    code = str(data.get("error") or f"http_{status}")
    if status >= 500 or code in _PASSING:
        return RoomUncertain(code)
    return RoomRefused(code, str(data["needed"]) if data.get("needed") else None)
