"""Native tables. They are never the only place of what they say.

Limits: docs.slack.dev/reference/block-kit, table block.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.message import Block

_ROWS, _COLUMNS, _CELL = 100, 20, 300


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Block:
    """A table under bold headings; `right` are the numbers of columns set to the right. Text is shown as it is."""
    shown = [[_bold(cell) for cell in head[:_COLUMNS]]]
    shown += [[_plain(cell) for cell in row[:_COLUMNS]] for row in rows[: _ROWS - 1]]
    settings = [
        {"align": "right" if number in right else "left", "is_wrapped": True}
        for number in range(len(head[:_COLUMNS]))
    ]
    return {"type": "table", "rows": shown, "column_settings": settings}


def _plain(text: str) -> Block:
    return {"type": "raw_text", "text": text[:_CELL] or "-"}


def _bold(text: str) -> Block:
    part = {"type": "text", "text": text[:_CELL] or "-", "style": {"bold": True}}
    section = {"type": "rich_text_section", "elements": [part]}
    return {"type": "rich_text", "elements": [section]}
