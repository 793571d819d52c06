"""The window of one run: all its fields, the end of what it printed, and all of it as a file on request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.message import (
    Block,
    actions,
    button,
    code,
    context,
    fields,
    outside,
    preformatted,
    section,
    when,
)
from bot.blocks.runs import run_emoji
from bot.domain.run import Run, summary, tail
from bot.domain.template import format_value
from storage import runs
from storage.database import Database

log = structlog.get_logger(__name__)

_SHOWN_OUTPUT = 2900
_SHOWN_FIELDS = 2900
_GONE = ":grey_question: Tocsin does not keep this run any more."
REFUSALS = {
    "not_in_channel": "I am not in this channel. Invite me, or open the run in a direct message with me.",
    "channel_not_found": "I cannot see this channel. Invite me, or open the run in a direct message with me.",
    "is_archived": "this channel is archived.",
    "missing_scope": "the Slack app lacks the scope files:write; `tocsin doctor` says what to do.",
    "access_denied": "this workspace does not let apps upload files.",
    "file_uploads_disabled": "this workspace does not let apps upload files.",
    "storage_limit_reached": "this workspace has no room for files left.",
    "ratelimited": "Slack takes no more files at the moment; try again in a minute.",
}

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunWindow:
    """Opens runs and sends what they printed. Methods raise DatabaseError, SlackApiError."""

    client: AsyncWebClient
    database: Database

    async def open(self, number: int, body: Body) -> str | None:
        """Show a run to who asked; returns why that cannot be, else None."""
        run = await self._load(number)
        if run is None:
            return _GONE
        channel = str((body.get("channel") or {}).get("id") or "")
        await self.client.views_open(trigger_id=body["trigger_id"], view=run_view(run, channel))
        return None

    async def send(self, number: int, body: Body) -> None:
        """Send what a run printed to the channel the window was opened in; the window says what came of it."""
        view, user = body["view"], str(body["user"]["id"])
        channel = _channel(view)
        run = await self._load(number)
        if run is None or not run.output:
            note = _GONE if run is None else ":grey_question: What this run printed is not kept any more."
        else:
            note = await self._upload(run, channel, user)
        shown = run_view(run, channel, note) if run is not None else _bare(note)
        try:
            await self.client.views_update(view_id=view["id"], view=shown)
        except SlackApiError as error:  # closed meanwhile
            log.info("window_gone", reason=str(error.response.get("error")))
            await self.tell(note, body)

    async def tell(self, text: str, body: Body) -> None:
        """Say something to who pressed a button of the window, where it was opened."""
        user = str(body["user"]["id"])
        await self.client.chat_postEphemeral(channel=_channel(body["view"]) or user, user=user, text=text)

    async def _upload(self, run: Run, channel: str, user: str) -> str:
        try:
            await self.client.files_upload_v2(
                channel=channel,
                filename=f"{_file_name(run.job)}-{run.finished_at:%Y-%m-%dT%H%M%S}.log",
                title=f"{run.job}: {summary(run)}"[:200],
                content=run.output,
                initial_comment=f"What *{outside(run.job, 100)}* printed, for <@{user}>: {outside(summary(run), 300)}",
            )
        except SlackApiError as error:
            code = str(error.response.get("error"))
            log.warning("upload_refused", reason=code, run=run.number)
            return f":warning: Not sent: {REFUSALS.get(code, f'Slack answered {code}.')}"
        except (SlackRequestError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("upload_failed", reason=str(error), run=run.number)
            return ":warning: Not sent: Slack did not take the file; try again."
        return ":white_check_mark: Sent to the conversation behind this window."

    async def _load(self, number: int) -> Run | None:
        async with self.database.snapshot() as connection:
            return await runs.get(connection, number)


def run_view(run: Run, channel: str, note: str = "") -> dict[str, Any]:
    """The window. `channel` is where it was opened; `note` stands on top."""
    blocks: list[Block] = [section(note)] if note else []
    blocks.append(section(f"{run_emoji(run)} *{outside(run.job, 200)}*\n{outside(summary(run), 500)}"))
    blocks.append(fields(_facts(run)))
    if said := "\n".join(f"{name} = {format_value(value, '')}" for name, value in run.fields.items()):
        blocks.append(preformatted("Fields", said, _SHOWN_FIELDS))
    if run.output:
        blocks += _output(run)
    blocks.append(context(f"Run {run.number}" + (f" · id {code(run.run_id)}" if run.run_id else "")))
    return {**_bare(""), "private_metadata": json.dumps({"channel": channel}), "blocks": blocks}


def _facts(run: Run) -> list[tuple[str, str]]:
    facts = [
        ("Ended", when(run.finished_at, "{date_short_pretty} {time_secs}")),
        ("Status", run.status.value),
    ]
    if run.duration_seconds is not None:
        facts.append(("Duration", f"{format_value(run.duration_seconds, '')} s"))
    if run.exit_code is not None:
        facts.append(("Exit code", str(run.exit_code)))
    return [*facts, ("Level", outside(run.level, 20))]


def _output(run: Run) -> list[Block]:
    end = tail(run.output, _SHOWN_OUTPUT)
    whole = end == run.output.rstrip()
    size = len(run.output.encode())
    title = "Output" if whole else f"Output, its end ({_size(size)} in all)"
    send = button("Send all of it here as a file", "run:send", str(run.number))
    return [actions("output", [send]), preformatted(title, end, _SHOWN_OUTPUT)]


def _size(count: int) -> str:
    return f"{count / 1024:.1f} KiB" if count >= 1024 else f"{count} bytes"


def _bare(note: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": "run",
        "title": {"type": "plain_text", "text": "Run"},
        "close": {"type": "plain_text", "text": "Close"},
        "blocks": [section(note)] if note else [],
    }


def _channel(view: Body) -> str:
    try:
        return str(json.loads(str(view.get("private_metadata")))["channel"])
    except (ValueError, LookupError, TypeError):
        return ""


def _file_name(job: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in job)[:80] or "run"
