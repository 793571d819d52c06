"""docs/destinations.md and docs/webhooks-out.md say what is so."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot.blocks.plain import letter_of
from bot.channels.webhook import document, signature
from bot.config import not_yet, warnings
from bot.domain.news import NewsKind
from tests.config.reading import read
from tests.domain.findings import NOON, alert

_DOCS = Path(__file__).parents[2] / "docs"
_OUT = (_DOCS / "webhooks-out.md").read_text(encoding="utf-8")


def test_the_example_of_the_page_loads_and_switches_off_what_is_empty() -> None:
    page = (_DOCS / "destinations.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    settings = read(text)
    assert not_yet(settings) == ()
    assert {each.message for each in warnings(settings)} == {"the address is empty, so nothing is sent there"}
    assert settings.destinations["email"].fallback


def test_every_key_of_the_body_is_documented_and_no_other() -> None:
    letter = letter_of(NewsKind.FIRING, replace(alert(), id=1), zone=ZoneInfo("UTC"), system="Shop")
    body = document(letter, "key", NOON, "Shop")
    outer, inner = _OUT.split("An alert:")
    assert _keys(outer.split("## Body")[1]) == set(body)
    assert _keys(inner) == set(body["alert"])
    for kind in NewsKind:
        assert f"`{kind.value}`" in _OUT


def test_the_way_to_check_a_request_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", _OUT, re.DOTALL)
    found: dict[str, Any] = {}
    exec(code, found)
    now = found["time"].time()
    stamp, body = str(int(now)), b'{"version":1}'
    headers = {"Tocsin-Timestamp": stamp, "Tocsin-Signature": signature("s3cret", stamp, body)}
    assert found["is_genuine"]("s3cret", headers, body)
    assert not found["is_genuine"]("another", headers, body)
    assert not found["is_genuine"]("s3cret", headers, body + b" ")
    old = str(int(now) - 3600)
    late = {"Tocsin-Timestamp": old, "Tocsin-Signature": signature("s3cret", old, body)}
    assert not found["is_genuine"]("s3cret", late, body)


def _keys(text: str) -> set[str]:
    first = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {key for cell in first for key in re.findall(r"`(\w+)`", cell)}
