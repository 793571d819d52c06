"""Slack as a destination: posts, edits, looks messages up by key, and says what each failure means."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from bot.channels.delivery import DeliveryFailed, Failure, Payload, Posted, Upload

log = structlog.get_logger(__name__)

EVENT_TYPE = "tocsin_post"
_CLOCKS_DIFFER = timedelta(minutes=5)
_PAGES = 20
_SETTLED = timedelta(seconds=15)  # what was given up on may still be carried out; then its message is there

_FAILURES: dict[str, tuple[Failure, str | None]] = {
    "ratelimited": (Failure.RATE_LIMITED, None),
    "rate_limited": (Failure.RATE_LIMITED, None),
    "channel_not_found": (
        Failure.NO_CHANNEL,
        "check the channel's name in tocsin.yml; a private channel needs /invite @Tocsin",
    ),
    "not_in_channel": (Failure.NO_CHANNEL, "write /invite @Tocsin in that channel"),
    "is_archived": (Failure.NO_CHANNEL, "unarchive the channel or name another in tocsin.yml"),
    "restricted_action": (Failure.NO_CHANNEL, "let apps post in that channel or name another in tocsin.yml"),
    "restricted_action_read_only_channel": (Failure.NO_CHANNEL, "name a channel that apps may post in"),
    "messages_tab_disabled": (Failure.NO_CHANNEL, "switch the app's messages tab on"),
    "invalid_auth": (Failure.UNUSABLE, "SLACK_BOT_TOKEN is wrong; copy it again from OAuth & Permissions"),
    "not_authed": (Failure.UNUSABLE, "SLACK_BOT_TOKEN is empty; copy it from OAuth & Permissions"),
    "token_revoked": (
        Failure.UNUSABLE,
        "the bot token was revoked; install the app again and set the new one",
    ),
    "token_expired": (Failure.UNUSABLE, "the bot token expired; install the app again and set the new one"),
    "account_inactive": (Failure.UNUSABLE, "the app was removed from the workspace; install it again"),
    "missing_scope": (Failure.UNUSABLE, "add the scope under OAuth & Permissions and install the app again"),
    "no_permission": (Failure.UNUSABLE, "let this app post messages in the workspace's settings"),
    "invalid_blocks": (Failure.CONTENT, None),
    "invalid_blocks_format": (Failure.CONTENT, None),
    "invalid_attachments": (Failure.CONTENT, None),
    "msg_blocks_too_long": (Failure.CONTENT, None),
    "msg_too_long": (Failure.CONTENT, None),
    "no_text": (Failure.CONTENT, None),
    "invalid_metadata_format": (Failure.CONTENT, None),
    "metadata_too_large": (Failure.CONTENT, None),
    "message_not_found": (Failure.GONE, None),
    "is_inactive": (Failure.GONE, None),  # the channel was archived after the message was posted
    "cant_update_message": (Failure.GONE, None),
    "edit_window_closed": (Failure.GONE, None),
    "thread_not_found": (Failure.GONE, None),
    "file_uploads_disabled": (Failure.CONTENT, "let apps upload files in the workspace's settings"),
    "storage_limit_reached": (Failure.CONTENT, "delete files in Slack: the workspace has no room left"),
}


class SlackDestination:
    """Posts through a client that never sends anything twice by itself (`retry_handlers=[]`)."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._channel_ids: dict[str, str] = {}

    async def ping(self) -> None:
        await self._call("auth.test", {})

    async def post(
        self,
        channel: str,
        payload: Payload,
        *,
        key: str,
        thread_ts: str | None = None,
        broadcast: bool = False,
    ) -> Posted:
        arguments: dict[str, Any] = {
            "channel": channel,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": key}},
            "unfurl_links": False,
            "unfurl_media": False,
            **payload,
        }
        if thread_ts is not None:
            arguments |= {"thread_ts": thread_ts, "reply_broadcast": broadcast}
        answer = await self._post_by_name(channel, arguments)
        posted = Posted(channel=str(answer["channel"]), ts=str(answer["ts"]))
        self._channel_ids[channel] = posted.channel
        return posted

    async def _post_by_name(self, channel: str, arguments: dict[str, Any]) -> Any:
        """Post where the name leads; when nothing has that name any more, where it led: it was renamed."""
        try:
            return await self._call("chat.postMessage", arguments)
        except DeliveryFailed as failed:
            known = self._channel_ids.get(channel)
            if known is None or known == channel or not failed.reason.startswith("channel_not_found"):
                raise
            answer = await self._call("chat.postMessage", {**arguments, "channel": known})
            log.warning("channel_renamed", name=channel, id=known, remedy="write its new name in tocsin.yml")
            return answer

    def remember(self, channels: Mapping[str, str]) -> None:
        """The ids of channels that are written as names, from before."""
        self._channel_ids = {**channels, **self._channel_ids}

    async def update(self, posted: Posted, payload: Payload) -> None:
        await self._call("chat.update", {"channel": posted.channel, "ts": posted.ts, **payload})

    async def upload(self, channel: str, file: Upload, *, thread_ts: str | None = None) -> Posted:
        """In the three steps that Slack wants. A workspace that takes no files is CONTENT: nothing mends it soon."""
        channel_id = await self.channel_id(channel)
        try:
            with _failures_of("files.completeUploadExternal", channel):
                await self._client.files_upload_v2(
                    channel=channel_id,
                    filename=file.filename,
                    title=file.title,
                    content=file.content,
                    thread_ts=thread_ts,
                )
        except DeliveryFailed as failed:
            if failed.failure not in (Failure.UNUSABLE, Failure.REFUSED):
                raise
            raise DeliveryFailed(Failure.CONTENT, failed.reason, remedy=failed.remedy) from failed
        return Posted(channel=channel_id, ts="")

    async def find(
        self,
        channel: str,
        key: str,
        *,
        since: datetime,
        thread_ts: str | None = None,
        filename: str | None = None,
    ) -> Posted | None:
        """Reads the channel's history, or the thread's, from a little before `since` on.

        Raises DeliveryFailed(UNREADABLE) where Tocsin may post but not read: it is not in the channel.
        """
        try:
            return await self._find(channel, key, since, thread_ts, filename)
        except DeliveryFailed as failed:
            if failed.failure is Failure.NO_CHANNEL or failed.reason.startswith("missing_scope"):
                raise DeliveryFailed(Failure.UNREADABLE, failed.reason, remedy=failed.remedy) from failed
            raise

    async def _find(
        self, channel: str, key: str, since: datetime, thread_ts: str | None, filename: str | None
    ) -> Posted | None:
        channel_id = await self.channel_id(channel)
        arguments: dict[str, Any] = {
            "channel": channel_id,
            "oldest": f"{(since - _CLOCKS_DIFFER).timestamp():.6f}",
            "include_all_metadata": True,
            "limit": 200,
        }
        method = "conversations.history"
        if thread_ts is not None:
            method, arguments["ts"] = "conversations.replies", thread_ts
        for _ in range(_PAGES):
            answer = await self._call(method, arguments)
            for message in answer.get("messages", []):
                if _carries(message, key, filename):
                    return Posted(channel=channel_id, ts=str(message["ts"]))
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return None
            arguments["cursor"] = cursor
        return None

    async def channel_id(self, channel: str) -> str:
        """The id of `#name`; ids pass through. Raises DeliveryFailed(NO_CHANNEL) for an unknown name."""
        name = channel.removeprefix("#")
        if channel == name and name[:1] in "CGD" and name.isupper():
            return channel
        if channel in self._channel_ids:
            return self._channel_ids[channel]
        arguments: dict[str, Any] = {"limit": 999, "types": "public_channel,private_channel"}
        while True:
            answer = await self._call("conversations.list", arguments)
            for item in answer.get("channels", []):
                self._channel_ids[f"#{item['name']}"] = item["id"]
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if f"#{name}" in self._channel_ids:
                return self._channel_ids[f"#{name}"]
            if not cursor:
                raise DeliveryFailed(*_with_reason("channel_not_found", channel))
            arguments["cursor"] = cursor

    async def _call(self, method: str, arguments: dict[str, Any]) -> Any:
        with _failures_of(method, str(arguments.get("channel", ""))):
            response = await self._client.api_call(method, json=arguments)
        return response.data


@contextlib.contextmanager
def _failures_of(method: str, channel: str) -> Iterator[None]:
    """Whatever goes wrong with a call, as DeliveryFailed."""
    try:
        yield
    except SlackApiError as error:
        raise _classify(error, method, channel) from error
    except aiohttp.ClientConnectorError as error:
        raise DeliveryFailed(Failure.UNREACHABLE, f"Slack cannot be reached: {error}") from error
    except TimeoutError as error:
        raise DeliveryFailed(
            Failure.AMBIGUOUS, f"no answer from Slack to {method} in time", retry_after=_SETTLED
        ) from error
    except (aiohttp.ClientError, asyncio.IncompleteReadError, SlackRequestError, OSError) as error:
        reason = f"no answer from Slack to {method}: {str(error) or type(error).__name__}"
        raise DeliveryFailed(Failure.AMBIGUOUS, reason) from error


def _carries(message: dict[str, Any], key: str, filename: str | None) -> bool:
    if filename is not None:
        return any(file.get("name") == filename for file in message.get("files") or ())
    metadata = message.get("metadata") or {}
    return bool((metadata.get("event_payload") or {}).get("key") == key)


def _with_reason(code: str, channel: str) -> tuple[Failure, str]:
    return _FAILURES[code][0], f"{code} ({channel})"


def _classify(error: SlackApiError, method: str, channel: str) -> DeliveryFailed:
    response: Any = error.response
    status = getattr(response, "status_code", 200)
    data = response.data if isinstance(getattr(response, "data", None), dict) else {}
    code = str(data.get("error", "")) or f"http_{status}"
    if status == 429:
        headers = {name.lower(): value for name, value in (response.headers or {}).items()}
        seconds = float(headers.get("retry-after", 30))
        return DeliveryFailed(
            Failure.RATE_LIMITED, f"{method} is rate limited", retry_after=timedelta(seconds=seconds)
        )
    if status >= 500:
        return DeliveryFailed(Failure.AMBIGUOUS, f"Slack answered {status} to {method}")
    failure, remedy = _FAILURES.get(code, (Failure.REFUSED, None))
    details = "; ".join(str(item) for item in (data.get("response_metadata") or {}).get("messages", [])[:3])
    if needed := data.get("needed"):
        details = f"needs {needed}, has {data.get('provided', 'none')}"
    reason = f"{code} ({channel})" if failure is Failure.NO_CHANNEL else code
    return DeliveryFailed(failure, f"{reason}: {details}" if details else reason, remedy=remedy)
