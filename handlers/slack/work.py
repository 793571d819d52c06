"""What is done after an envelope was acknowledged: in tasks, and whoever asked is told what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.message import outside, section
from handlers.slack.modals import origin_channel
from storage.database import DatabaseError

log = structlog.get_logger(__name__)

Tell = Callable[[str], Awaitable[None]]

_TROUBLES = {
    "expired_trigger_id": "Slack gave up waiting for the window; press the button again.",
    "exchanged_trigger_id": "",
    "missing_scope": "The Slack app lacks a scope; `tocsin doctor` says which.",
    "push_limit_reached": "Slack shows no more than three windows over one another; close one and try again.",
}


class Work:
    """Tasks that envelopes began."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], tell: Tell | None) -> None:
        """Do it in a task; `tell` reaches who asked for it."""
        task = asyncio.create_task(_guarded(work, tell))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for what is being worked on."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)


async def _guarded(work: Coroutine[Any, Any, None], tell: Tell | None) -> None:
    """Whoever asked is told what went wrong."""
    try:
        await work
    except (DatabaseError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error)
        log.error("request_failed", reason=reason)
        trouble = (
            f"Tocsin cannot use its database at present ({outside(reason, 200)}). "
            "Nothing was changed; try again."
        )
    except SlackApiError as error:
        log.warning("slack_refused", reason=str(error.response.get("error")), method=error.response.api_url)
        trouble = _TROUBLES.get(str(error.response.get("error")), "")
    except Exception:
        log.exception("request_crashed")
        trouble = "Something went wrong inside Tocsin; its log says what. Nothing was changed."
    else:
        return
    if tell is not None and trouble:
        try:
            await tell(f":warning: {trouble}")
        except Exception:
            log.exception("trouble_not_told")


def teller(client: AsyncWebClient, body: Mapping[str, Any], respond: Any = None) -> Tell:
    """Reaches who pressed a button or filled a window, seen by nobody else.

    In the conversation, where there is one; from Home and from windows opened there, in a window or a direct message.
    """
    user = str((body.get("user") or {}).get("id") or "")

    async def tell(text: str) -> None:
        if body.get("response_url") and respond is not None:
            await respond(text=text, response_type="ephemeral", replace_original=False)
            return
        view = body.get("view") or {}
        if channel := origin_channel(view):
            await client.chat_postEphemeral(channel=channel, user=user, text=text)
            return
        if view.get("type") == "home" and body.get("trigger_id"):
            try:
                await client.views_open(trigger_id=body["trigger_id"], view=_notice(text))
            except SlackApiError as error:  # the trigger is used up or too old
                log.info("notice_not_opened", reason=str(error.response.get("error")))
            else:
                return
        await client.chat_postMessage(channel=user, text=text)

    return tell


def _notice(text: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": "notice",
        "title": {"type": "plain_text", "text": "Tocsin"},
        "close": {"type": "plain_text", "text": "Close"},
        "blocks": [section(text)],
    }
