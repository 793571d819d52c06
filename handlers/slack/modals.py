"""The windows that ask for a note, a reason or a time, and the one that shows an alert's history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.blocks.alert import render_event
from bot.blocks.message import Block, context, outside, preformatted, section, when
from bot.domain.alert import Alert, Event
from bot.domain.template import format_value
from checks.options import parse_duration

SILENCE_TIMES = ("30m", "1h", "2h", "4h", "8h", "1d", "3d", "7d")
_WORDS = {
    "30m": "30 minutes", "1h": "1 hour", "2h": "2 hours", "4h": "4 hours", "8h": "8 hours",
    "1d": "1 day", "3d": "3 days", "7d": "7 days",
}  # fmt: skip
_LONGEST_NOTE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a window was opened: which alert, and the channel to tell if it fails."""

    alert_id: int
    channel: str

    def dump(self) -> str:
        return json.dumps({"alert": self.alert_id, "channel": self.channel})

    @classmethod
    def parse(cls, text: str) -> Origin:
        values = json.loads(text)
        return cls(alert_id=int(values["alert"]), channel=str(values["channel"]))


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


def history_modal(alert: Alert, events: Sequence[Event], origin: Origin, again: str = "") -> dict[str, Any]:
    """What happened to an alert, and all that was measured; `again`: how often it came lately."""
    blocks = [section(f"*{outside(alert.firing.title, 250)}*")]
    blocks += [
        section(f"{when(event.at)} {render_event(event, alert).text}".split("\nIt lasted")[0])
        for event in events[-40:]
    ]
    measured = "\n".join(f"{name} = {format_value(value, '')}" for name, value in alert.firing.fields.items())
    if measured:
        blocks.append(preformatted("Measured", measured, 2500))
    blocks += [preformatted(item.title, item.text, 2500) for item in alert.firing.diagnostics[:8]]
    if again:
        blocks.insert(1, context(again))
    blocks.append(context(f"Alert #{alert.id} · fingerprint {alert.fingerprint}"))
    return _modal("history", f"Alert #{alert.id}", None, origin, blocks)


def submitted(view: dict[str, Any]) -> tuple[timedelta, str | None]:
    """The length and the note that were filled in."""
    values = view["state"]["values"]
    chosen = (values.get("length", {}).get("length", {}).get("selected_option") or {}).get("value", "1h")
    note = (values.get("note", {}).get("note", {}).get("value") or "").strip()
    return parse_duration(chosen), note[:_LONGEST_NOTE] or None
