"""The Socket Mode connection: opened, watched, and opened anew when it stays dead."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

log = structlog.get_logger(__name__)

_LOOK = timedelta(seconds=2)
_CONNECT = timedelta(seconds=20)
_DEAD_AFTER = timedelta(seconds=20)
_SLOWEST_RETRY = timedelta(seconds=60)
_REMEDIES = {
    "invalid_auth": "check SLACK_BOT_TOKEN (xoxb-…) and SLACK_APP_TOKEN (xapp-…)",
    "not_authed": "set SLACK_BOT_TOKEN and SLACK_APP_TOKEN",
    "token_revoked": "install the app again and set the new SLACK_BOT_TOKEN",
    "account_inactive": "install the app again and set the new SLACK_BOT_TOKEN",
    "not_allowed_token_type": "SLACK_APP_TOKEN must be an app-level token (xapp-…), SLACK_BOT_TOKEN a bot token",
    "missing_scope": "give the app-level token the scope connections:write",
    "socket_mode_not_enabled": "switch Socket Mode on in the app's settings",
}


class Identity:
    """Who Tocsin is in the workspace, known after the first auth.test."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self.team: str | None = None
        self._result: AuthorizeResult | None = None

    async def learn(self) -> None:
        """Ask Slack. Raises SlackApiError."""
        answer = await self._client.auth_test()
        self.team = answer["team_id"]
        self._result = AuthorizeResult(
            enterprise_id=answer.get("enterprise_id"),
            team_id=answer["team_id"],
            bot_user_id=answer["user_id"],
            bot_id=answer.get("bot_id"),
            bot_token=self._client.token,
        )

    def authorization(self) -> Callable[[], Awaitable[AuthorizeResult]]:
        """For Bolt: what auth.test said before the socket opened, instead of asking for every envelope."""

        async def authorize() -> AuthorizeResult:
            assert self._result is not None
            return self._result

        return authorize  # a plain function: Bolt fills in arguments by their names


class SocketConnection:
    """Keeps one Socket Mode connection. `on_identity` is called each time Slack said who we are."""

    def __init__(
        self,
        *,
        app: AsyncApp,
        client: AsyncWebClient,
        app_token: str,
        identity: Identity,
        on_identity: Callable[[], None],
    ) -> None:
        self._app = app
        self._client = client
        self._app_token = app_token
        self._identity = identity
        self._on_identity = on_identity
        self._handler: AsyncSocketModeHandler | None = None
        self._stopping = asyncio.Event()
        self.trouble: str | None = "not connected yet"
        """Why Slack cannot send us anything at present, or None."""

    async def run(self) -> None:
        """Stay connected until `stop`."""
        pause = _LOOK
        while not self._stopping.is_set():
            if await self._connect():
                pause = _LOOK
                await self._watch()
            else:
                await self._sleep(pause)
                pause = min(pause * 2, _SLOWEST_RETRY)

    async def stop(self) -> None:
        """Take no more envelopes and close the connection."""
        self._stopping.set()
        await self._close()

    async def _connect(self) -> bool:
        try:
            await self._identity.learn()
            self._on_identity()
            # Asked here, because connect() itself would try for ever without a word.
            opened = await self._client.apps_connections_open(app_token=self._app_token)
            self._handler = AsyncSocketModeHandler(
                self._app, self._app_token, web_client=self._client, ping_interval=5
            )
            self._handler.client.wss_uri = opened["url"]
            async with asyncio.timeout(_CONNECT.total_seconds()):
                await self._handler.connect_async()  # type: ignore[no-untyped-call]
        except SlackApiError as error:
            code = _code(error)
            self._note(f"{code}; {_REMEDIES[code]}" if code in _REMEDIES else code)
        except (OSError, TimeoutError, ValueError) as error:
            self._note(f"Slack cannot be reached: {error}")
        except Exception as error:  # noqa: BLE001 - aiohttp's own tree; trying again is the answer to all of it
            self._note(f"Slack cannot be reached: {type(error).__name__}: {error}")
        else:
            log.info("slack_connected", team=self._identity.team)
            self.trouble = None
            return True
        await self._close()
        return False

    def _note(self, reason: str) -> None:
        if reason != self.trouble:
            log.error("slack_not_connected", reason=reason)
        self.trouble = reason

    async def _watch(self) -> None:
        """Return when the connection has been dead for a while; the client mends shorter breaks itself."""
        dead = timedelta(0)
        while not self._stopping.is_set():
            await self._sleep(_LOOK)
            handler = self._handler
            if handler is None:
                return
            client = handler.client
            assert isinstance(client, SocketModeClient)
            if await client.is_connected():
                dead, self.trouble = timedelta(0), None
                continue
            dead += _LOOK
            self.trouble = "the connection broke; opening it again"
            if dead >= _DEAD_AFTER:
                log.warning("slack_connection_rebuilt")
                await self._close()
                return

    async def _close(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            with contextlib.suppress(Exception):
                await handler.close_async()  # type: ignore[no-untyped-call]

    async def _sleep(self, length: timedelta) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(length.total_seconds()):
                await self._stopping.wait()


def _code(error: SlackApiError) -> str:
    """Slack's word for what is wrong; of an answer that is none of Slack's, a gateway's page, its status."""
    data = error.response.data
    found = data.get("error") if isinstance(data, dict) else None
    return str(found or f"http_{error.response.status_code}")
