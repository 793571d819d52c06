"""What Slack would make of a message: whether it takes it, what it says, whom it pings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bot.blocks.message import Message
from bot.demo.workspace.limits import check_message

HOSTILE = (
    "<!channel> <!here|x> <@U0VICTIM> <#C0ROOM> <https://evil.example|innocent> `code` ```block``` *bold* ~gone~ "
    "&amp; & < > \u202eright to left\u202c \U0001f642\U0001f468\u200d\U0001f469\u200d\U0001f467 "
    "<b>html</b> \0 \r\n {field} %s \\n "
)
PING = re.compile(r"<!(?!date\^)[a-z]+|<[@#]")


def accepted(message: Message) -> dict[str, Any]:
    """The payload, which Slack takes whole, with and without its blocks."""
    payload = message.payload()
    check_message(payload["blocks"], payload["attachments"])
    for text in (payload["text"], message.plain()["text"]):
        assert text.strip()
        assert len(text) <= 4000
    return payload


def parsed_texts(value: Any) -> Iterator[str]:
    """Every text that Slack looks into for mentions: not plain and preformatted ones."""
    if isinstance(value, list):
        for each in value:
            yield from parsed_texts(each)
    elif isinstance(value, dict) and value.get("type") not in ("rich_text", "plain_text", "raw_text"):
        for name, each in value.items():
            if isinstance(each, str) and name in ("text", "fallback"):
                yield each
            else:
                yield from parsed_texts(each)


def all_texts(value: Any) -> Iterator[str]:
    """Every text anywhere."""
    if isinstance(value, list):
        for each in value:
            yield from all_texts(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from all_texts(each)
    elif isinstance(value, str):
        yield value


def pings(message: Message) -> set[str]:
    """Whom or what a message mentions."""
    return {
        found
        for text in parsed_texts(accepted(message))
        for found in re.findall(r"<[!@#][^>]*>?", text)
        if PING.match(found)
    }


def shown(message: Message) -> str:
    """All that is read in a message."""
    return "\n".join(all_texts(accepted(message)))


def buttons(message: Message) -> list[str]:
    """The labels of its buttons and of its menu's entries."""
    payload = accepted(message)
    blocks = [*payload["blocks"], *(block for each in payload["attachments"] for block in each["blocks"])]
    found = []
    for block in blocks:
        for element in block.get("elements", []) if block["type"] == "actions" else []:
            found += [element["text"]["text"]] if element["type"] == "button" else []
            found += [option["text"]["text"] for option in element.get("options", [])]
    return found
