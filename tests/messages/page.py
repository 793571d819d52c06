"""docs/messages.md: every kind with its photograph, written from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.messages.kinds import Kind

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "messages.md"
IMAGES = DOCS / "images" / "messages"
EVERY = "desktop-light"
LOOKS = (EVERY, "desktop-dark", "phone-light")
_TITLES = {
    "alerts": "Alerts",
    "answers": "Answers",
    "console": "Console: Home, details, groups, settings",
    "incidents": "Incidents",
    "silences": "Silences",
    "reports": "Reports and notices",
    "windows": "Windows",
}
_HEAD = """# Messages

Everything that Tocsin says in Slack, photographed in the local workspace (`tocsin demo`), whose look is not Slack's but
whose limits are. Those that matter most stand here in dark and at the width of a phone too.

This page and the photographs are written by `python -m tests.messages --write` and `--shots`; the payloads are in
`tests/messages/golden`, and a test compares them. A new kind is one entry in `tests/messages/catalogue`; another test
fails until every function that renders something has one. Each is also rendered with the longest names, fifty mounts,
no data, right-to-left text, emoji, HTML and Slack's own marks, and checked against Slack's limits.
"""


def written(kinds: Mapping[str, Kind]) -> str:
    """The page's text."""
    parts = [_HEAD]
    for group, title in _TITLES.items():
        mine = [kind for kind in kinds.values() if kind.group == group]
        parts.append(f"## {title}\n")
        pictured = [kind for kind in mine if image(kind.name, EVERY).exists()]
        parts += [_shown(kind) for kind in pictured]
        rest = [kind for kind in mine if kind not in pictured]
        if rest:
            parts.append("\n".join(f"- `{kind.name}`: {_sentence(kind)}" for kind in rest) + "\n")
    return "\n".join(parts)


def image(name: str, look: str) -> Path:
    return IMAGES / f"{name}-{look}.png"


def _shown(kind: Kind) -> str:
    found = [look for look in LOOKS if image(kind.name, look).exists()]
    pictures = "\n".join(
        f"![{kind.name}, {look.replace('-', ', ')}](images/messages/{image(kind.name, look).name})"
        for look in found
    )
    return f"### {kind.name}\n\n{_sentence(kind)}\n\n{pictures}\n"


def _sentence(kind: Kind) -> str:
    return kind.seen if kind.seen.endswith((".", "?")) else f"{kind.seen}."
