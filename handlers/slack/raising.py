"""An alert that a person raises by hand: in one line, or in a window."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.message import Block, Message, outside, section
from bot.domain.raised import RaisedAlert
from bot.domain.severity import Severity, parse_severity
from bot.raising import Raising
from handlers.slack.words import Question

CALLBACK = "raise"
ALERT_TYPE = "raised by hand"
_LONGEST_TITLE = 150
_NO_NAME = re.compile(r"[^\w]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Raiser:
    """Raises alerts for people; every method raises DatabaseError."""

    client: AsyncWebClient
    raising: Raising

    async def command(self, question: Question) -> Message | None:
        """`P2 checkout is slow` raises at once and answers; nothing said opens the window instead."""
        asker = question.asker
        severity, title = _parsed(question.text)
        if not title:
            await self.client.views_open(trigger_id=asker.trigger, view=window(severity, asker.channel))
            return None
        said = await self._raise(severity, title, "", "", asker.user)
        return Message(text=said, blocks=(section(said),))

    async def submit(self, view: dict[str, Any], user: str) -> str:
        """What was filled in, raised; the answer for who did it."""
        values = view["state"]["values"]
        severity = parse_severity(values["severity"]["severity"]["selected_option"]["value"])
        title, about, message = (_filled(values, name) for name in ("title", "resource", "message"))
        return await self._raise(severity, title, about, message, user)

    async def _raise(self, severity: Severity, title: str, about: str, message: str, user: str) -> str:
        raised = RaisedAlert(
            alert_type=ALERT_TYPE,
            resource=about or _resource(title),
            title=title[:_LONGEST_TITLE],
            message=message or title,
            severity=severity,
            category="manual",
            metadata={"raised_by": user},
        )
        alert = await self.raising.take(raised)
        assert alert is not None
        again = f", seen {alert.count} times by now" if alert.count > 1 else ""
        name = outside(alert.firing.title, 200)
        return f":loudspeaker: Alert #{alert.id} ({alert.severity.priority}) is raised: {name}{again}."


def origin(view: dict[str, Any]) -> str:
    """The channel in which the window was asked for."""
    return str(json.loads(str(view.get("private_metadata") or "{}")).get("channel") or "")


def _parsed(text: str) -> tuple[Severity, str]:
    """A severity, when the first word is one, and the rest."""
    first, _, rest = text.strip().partition(" ")
    try:
        return parse_severity(first.rstrip(":")), rest.strip()
    except ValueError:
        return Severity.HIGH, text.strip()


def _resource(title: str) -> str:
    """Said twice in the same words it is the same problem, whatever their case and marks."""
    return _NO_NAME.sub("-", title.casefold()).strip("-")[:80] or "-"


def _filled(values: dict[str, Any], name: str) -> str:
    return str(values.get(name, {}).get(name, {}).get("value") or "").strip()


def window(severity: Severity, channel: str) -> dict[str, Any]:
    """What is wrong, how urgent it is, and what it is about."""
    options = [{"text": _plain(f"{each.priority} {each.word}"), "value": each.word} for each in Severity]
    select = {
        "type": "static_select",
        "action_id": "severity",
        "options": options,
        "initial_option": options[severity - 1],
    }
    blocks = [
        _input("title", "What is wrong", "Checkout is slow", length=_LONGEST_TITLE),
        {"type": "input", "block_id": "severity", "label": _plain("How urgent"), "element": select},
        _input("resource", "Where", "checkout", optional=True, length=100),
        _input("message", "More", "Since when, how many are hit", optional=True, length=2000, lines=True),
    ]
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "title": _plain("Raise an alert"),
        "submit": _plain("Raise"),
        "close": _plain("Cancel"),
        "private_metadata": json.dumps({"channel": channel}),
        "blocks": blocks,
    }


def _input(
    name: str, label: str, example: str, *, length: int, optional: bool = False, lines: bool = False
) -> Block:
    element = {
        "type": "plain_text_input",
        "action_id": name,
        "multiline": lines,
        "max_length": length,
        "placeholder": _plain(example),
    }
    return {
        "type": "input",
        "block_id": name,
        "optional": optional,
        "label": _plain(label),
        "element": element,
    }


def _plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}
