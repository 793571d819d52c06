"""A real Bolt app in a local workspace, for every test that needs Slack."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.workspace import LocalWorkspace

BUTTON: dict[str, Any] = {
    "type": "button",
    "text": {"type": "plain_text", "text": "Press"},
    "action_id": "press",
    "value": "7",
}
ACTIONS: dict[str, Any] = {"type": "actions", "block_id": "row", "elements": [BUTTON]}


class ShiftedClock:
    """A clock that stands still until it is shifted."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def shift(self, by: timedelta) -> None:
        self.now += by


@contextmanager
def without_proxies() -> Iterator[None]:
    """Take away the proxies the environment names: slack_sdk sends even loopback calls through them."""
    kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    for name in kept:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(kept)


def client_of(workspace: LocalWorkspace) -> AsyncWebClient:
    """The app's Web API client; it never repeats a call by itself."""
    return AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url, retry_handlers=[])


def bolt_app(workspace: LocalWorkspace) -> AsyncApp:
    """An app without listeners."""
    return AsyncApp(client=client_of(workspace), process_before_response=True)


@asynccontextmanager
async def connected(workspace: LocalWorkspace, app: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    """The app with its socket open; closed afterwards."""
    handler = AsyncSocketModeHandler(app, workspace.app_token, ping_interval=1)
    handler.client.web_client.base_url = workspace.api_url
    before = workspace.connections
    await handler.connect_async()  # type: ignore[no-untyped-call]
    try:
        await workspace.wait_for(lambda: workspace.connections > before)
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


def modal(*blocks: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """A modal that can be submitted."""
    return {
        "type": "modal",
        "callback_id": "form",
        "title": {"type": "plain_text", "text": "Form"},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": list(blocks),
        **parts,
    }


def text_input(block_id: str = "reason", **parts: Any) -> dict[str, Any]:
    """An input block for a line of text."""
    return {
        "type": "input",
        "block_id": block_id,
        "label": {"type": "plain_text", "text": "Reason"},
        "element": {"type": "plain_text_input", "action_id": "typed"},
        **parts,
    }


def section(text: str = "Hello", **parts: Any) -> dict[str, Any]:
    """A section block."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **parts}
