"""The windows that ask for a note, a reason or a time, and those that show an alert's details and its why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.blocks.alert_detail import detail_blocks
from bot.blocks.message import Block, outside, section
from bot.blocks.why import render_why
from bot.domain.alert import Alert
from bot.domain.why import Why
from bot.reports.alert_detail import AlertDetail
from checks.options import parse_duration

DETAILS = "details"
SILENCE_TIMES = ("30m", "1h", "2h", "4h", "8h", "1d", "3d", "7d")
_WORDS = {
    "30m": "30 minutes", "1h": "1 hour", "2h": "2 hours", "4h": "4 hours", "8h": "8 hours",
    "1d": "1 day", "3d": "3 days", "7d": "7 days",
}  # fmt: skip
_LONGEST_NOTE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a window was opened: which alert, the channel to tell if it fails (empty: from Home).

    `over_details`: on top of the window with the alert's details, which is to be made true afterwards.
    """

    alert_id: int
    channel: str
    over_details: bool = False

    def dump(self) -> str:
        values = {"alert": self.alert_id, "channel": self.channel}
        return json.dumps({**values, "over": True} if self.over_details else values)

    @classmethod
    def parse(cls, text: str) -> Origin:
        values = json.loads(text)
        return cls(
            alert_id=int(values["alert"]),
            channel=str(values["channel"]),
            over_details=bool(values.get("over")),
        )


def origin_channel(view: Mapping[str, Any]) -> str:
    """The conversation that a window was opened in; empty for one opened from Home."""
    try:
        return str(json.loads(str(view.get("private_metadata")))["channel"])
    except (ValueError, LookupError, TypeError):
        return ""


def words_of(time: str) -> str:
    """One of the times to choose from, in words."""
    return _WORDS[time]


def _modal(
    callback: str, title: str, submit: str | None, origin: Origin, blocks: list[Block]
) -> dict[str, Any]:
    view: dict[str, Any] = {
        "type": "modal",
        "callback_id": callback,
        "title": {"type": "plain_text", "text": title[:24]},
        "close": {"type": "plain_text", "text": "Cancel" if submit else "Close"},
        "private_metadata": origin.dump(),
        "blocks": blocks[:100],
    }
    if submit:
        view["submit"] = {"type": "plain_text", "text": submit[:24]}
    return view


def _note_input(label: str, hint: str) -> Block:
    element = {
        "type": "plain_text_input",
        "action_id": "note",
        "multiline": True,
        "max_length": _LONGEST_NOTE,
    }
    return {
        "type": "input",
        "block_id": "note",
        "optional": True,
        "label": {"type": "plain_text", "text": label},
        "hint": {"type": "plain_text", "text": hint},
        "element": element,
    }


def silence_modal(alert: Alert, origin: Origin) -> dict[str, Any]:
    """How long, and why."""
    options = [
        {"text": {"type": "plain_text", "text": _WORDS[time]}, "value": time} for time in SILENCE_TIMES
    ]
    times = {
        "type": "input",
        "block_id": "length",
        "label": {"type": "plain_text", "text": "For how long"},
        "element": {
            "type": "static_select",
            "action_id": "length",
            "options": options,
            "initial_option": options[1],
        },
    }
    about = section(
        f"*{outside(alert.firing.title, 250)}*\nIt goes on being checked, and resolves when it recovers; "
        "until then nobody is told of it."
    )
    return _modal(
        "silence", "Silence", "Silence", origin, [about, times, _note_input("Why", "Shown on the alert")]
    )


def note_modal(action: str, alert: Alert, origin: Origin) -> dict[str, Any]:
    """A note to acknowledge or resolve with."""
    word = action.capitalize()
    about = section(f"*{outside(alert.firing.title, 250)}*")
    return _modal(
        action, word, word, origin, [about, _note_input("Note", "Shown on the alert and in its thread")]
    )


def details_modal(detail: AlertDetail, origin: Origin) -> dict[str, Any]:
    """Everything about an alert, with its buttons."""
    return _modal(DETAILS, f"Alert #{detail.alert.id}", None, origin, detail_blocks(detail))


def why_modal(why: Why, origin: Origin) -> dict[str, Any]:
    """Why an alert called somebody or kept silent."""
    return _modal("why", f"Why alert #{why.alert.id}", None, origin, list(render_why(why).blocks))


def submitted(view: dict[str, Any]) -> tuple[timedelta, str | None]:
    """The length and the note that were filled in."""
    values = view["state"]["values"]
    chosen = (values.get("length", {}).get("length", {}).get("selected_option") or {}).get("value", "1h")
    note = (values.get("note", {}).get("note", {}).get("value") or "").strip()
    return parse_duration(chosen), note[:_LONGEST_NOTE] or None
