"""A message and its parts: escaping and Slack's limits live here and nowhere else.

Limits: docs.slack.dev/reference/block-kit, and the sum of all text that Slack accepts in practice.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

Block = dict[str, Any]

SECTION = 3000
FIELD = 2000
CONTEXT = 2000
PREFORMATTED = 1200
TOP_TEXT = 3500
ALL_TEXT = 12_000  # of a message's blocks together: Slack refuses somewhat above 13,000, documented nowhere
MOST_BLOCKS = 50
CHART = "data_visualization"
_ELLIPSIS = "…"
_USER = re.compile(r"[UW][A-Z0-9]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What Slack is given. `text` alone must say everything: screen readers and notifications read only it.

    With a `color` the `body` stands behind a bar of that colour, below `blocks`.
    """

    text: str
    blocks: tuple[Block, ...] = ()
    body: tuple[Block, ...] = ()
    color: str | None = None

    def payload(self) -> dict[str, Any]:
        """The arguments of chat.postMessage and chat.update that carry content."""
        text = cut(self.text, TOP_TEXT)
        if self.color is None:
            return {"text": text, "blocks": [*self.blocks, *self.body], "attachments": []}
        attachment = {"color": self.color, "blocks": list(self.body), "fallback": cut(self.text, 500)}
        return {"text": text, "blocks": list(self.blocks), "attachments": [attachment]}

    @property
    def has_chart(self) -> bool:
        return any(block.get("type") == CHART for block in self.blocks)

    def without_charts(self) -> Message:
        """The same for a Slack that refuses charts; what they show stands in the text as well."""
        return replace(self, blocks=tuple(block for block in self.blocks if block.get("type") != CHART))

    def plain(self) -> dict[str, Any]:
        """The same without blocks, for when Slack refuses them."""
        return {"text": cut(self.text, TOP_TEXT), "blocks": [], "attachments": []}

    def identity(self) -> str:
        """Equal for messages that look the same."""
        content = json.dumps(self.payload(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()[:32]


def noted(note: str, message: Message) -> Message:
    """A message with a remark before it."""
    return replace(message, text=f"{note}\n{message.text}", blocks=(section(note), *message.blocks))


def escape(text: str) -> str:
    """Outside text made harmless: nothing in it can mention, link or format by angle brackets."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of escaped text, never ending inside `&amp;`, `<@U…>` or a link."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    for opening, closing, longest in (("<", ">", limit), ("&", ";", len("&amp;"))):
        start = kept.rfind(opening)
        if start != -1 and closing not in kept[start:] and len(kept) - start < longest:
            kept = kept[:start]
    return kept.rstrip() + _ELLIPSIS


def outside(text: str, limit: int) -> str:
    """Text from outside as mrkdwn: escaped, its formatting signs disarmed, cut."""
    quiet = escape(text.replace("\r", "")).replace("`", "ˋ").replace("*", "∗").replace("~", "∼")
    return cut(quiet, limit)


def code(text: str, limit: int = 200) -> str:
    """Outside text as inline code."""
    return "`" + cut(escape(text.replace("`", "ˋ").replace("\n", " ")), limit) + "`" if text.strip() else "-"


def fitted(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """As many of the blocks as one message takes, from the first; says so when some are left out."""
    room = ALL_TEXT
    for number, block in enumerate(blocks):
        room -= sum(map(len, _texts(block)))
        if room < 0 or (number == MOST_BLOCKS - 1 < len(blocks) - 1):
            return (*blocks[:number], context(f"… {len(blocks) - number} more parts do not fit here"))
    return tuple(blocks)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a block."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name == "text" and isinstance(each, str):
                yield each
            else:
                yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def section(text: str) -> Block:
    """A paragraph of mrkdwn whose outside parts are escaped already."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION) or " "}}


def fields(pairs: Iterable[tuple[str, str]]) -> Block:
    """Up to ten labelled values in two columns."""
    cells = [{"type": "mrkdwn", "text": cut(f"*{label}*\n{value}", FIELD)} for label, value in pairs]
    return {"type": "section", "fields": cells[:10]}


def rows(pairs: Sequence[tuple[str, str]]) -> list[Block]:
    """Any number of labelled values, ten a block."""
    return [fields(pairs[start : start + 10]) for start in range(0, len(pairs), 10)]


def context(*texts: str) -> Block:
    """Small print."""
    elements = [{"type": "mrkdwn", "text": cut(text, CONTEXT)} for text in texts if text.strip()]
    return {"type": "context", "elements": elements[:10]}


def divider() -> Block:
    return {"type": "divider"}


def preformatted(title: str, text: str, limit: int = PREFORMATTED) -> Block:
    """Outside text exactly as it is; rich text is not parsed, so nothing in it can mention or link."""
    shown = text.strip("\n") or "-"
    if len(shown) > limit:
        shown = shown[: limit - 1] + _ELLIPSIS
    heading = {
        "type": "rich_text_section",
        "elements": [{"type": "text", "text": title[:150].strip() or "-", "style": {"bold": True}}],
    }
    body = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": shown}]}
    return {"type": "rich_text", "elements": [heading, body]}


def button(text: str, action_id: str, value: str, *, style: str | None = None) -> Block:
    """A button; `style` is primary or danger."""
    element: Block = {
        "type": "button",
        "text": {"type": "plain_text", "text": text[:75], "emoji": True},
        "action_id": action_id[:255],
        "value": value[:2000],
    }
    return {**element, "style": style} if style else element


def overflow(action_id: str, options: Iterable[tuple[str, str]]) -> Block:
    """A menu of up to five (text, value) options."""
    return {
        "type": "overflow",
        "action_id": action_id,
        "options": [
            {"text": {"type": "plain_text", "text": text[:75]}, "value": value[:150]}
            for text, value in list(options)[:5]
        ],
    }


def select(placeholder: str, action_id: str, options: Iterable[tuple[str, str]]) -> Block:
    """A menu of one up to a hundred (text, value) options."""
    return {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": {"type": "plain_text", "text": placeholder[:150]},
        "options": [
            {"text": {"type": "plain_text", "text": text[:75]}, "value": value[:150]}
            for text, value in list(options)[:100]
        ],
    }


def actions(block_id: str, elements: Iterable[Block]) -> Block:
    """A row of up to 25 elements."""
    return {"type": "actions", "block_id": block_id[:255], "elements": list(elements)[:25]}


def when(instant: datetime, style: str = "{date_short_pretty} {time}") -> str:
    """An instant in each reader's own zone and language; UTC where that cannot be shown."""
    return f"<!date^{int(instant.timestamp())}^{style}|{instant:%Y-%m-%d %H:%M} UTC>"


def clock(instant: datetime) -> str:
    """The time of day in each reader's own zone."""
    return when(instant, "{time}")


def person(user: str | None) -> str:
    """A Slack user by id, shown by name (pings nobody in an edit or a context); any other name as it is."""
    if not user:
        return "Tocsin"
    return f"<@{user}>" if _USER.fullmatch(user) else outside(user, 60)
