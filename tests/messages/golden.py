"""The kept renderings: one JSON file a kind, as Slack is given it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bot.blocks.message import Message
from tests.messages.kinds import USUAL, Kind

FOLDER = Path(__file__).parent / "golden"


def payload(kind: Kind) -> dict[str, Any]:
    """The usual rendering of a kind, as it is sent."""
    found = kind.render(USUAL)
    return found.payload() if isinstance(found, Message) else found


def dumped(kind: Kind) -> str:
    return json.dumps(payload(kind), indent=1, ensure_ascii=False) + "\n"


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def write_all(kinds: dict[str, Kind]) -> list[str]:
    """Rewrite what has changed and remove what no kind has; the names of those files."""
    FOLDER.mkdir(exist_ok=True)
    wanted = {path_of(name): dumped(each) for name, each in kinds.items()}
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in changed:
        path.write_text(wanted[path], encoding="utf-8")
    gone = sorted({*FOLDER.glob("*.json")} - {*wanted})
    for path in gone:
        path.unlink()
    return [path.name for path in [*changed, *gone]]
