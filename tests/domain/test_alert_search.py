"""Which alert somebody means by a number or by words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.alert import Alert, Status, fire
from bot.domain.alert_search import alerts_meant, number_meant
from tests.domain.findings import NOON, firing


def alert(number: int, *, is_open: bool = True, **parts: Any) -> Alert:
    found = replace(fire(firing(**parts), NOON).alert, id=number)
    return found if is_open else replace(found, status=Status.RESOLVED, closed_at=NOON)


KNOWN = [
    alert(1, title="backend is down", rule="backend", resource="web-1"),
    alert(2, title="backend is slow", rule="backend.latency", resource="web-2"),
    alert(3, is_open=False, title="Disk full", rule="host.disk", resource="web-2"),
    alert(4, title="Disk full", rule="host.disk", resource="db"),
]


@pytest.mark.parametrize(
    ("text", "number"),
    [("#12", 12), ("12", 12), (" `#12` ", 12), ("alert 12", 12), ("Alert #12", 12), ("# 12", 12), ("web-12", None),
     ("", None), ("12 13", None), ("#" + "9" * 30, None)],
)  # fmt: skip
def test_a_number_is_read_however_it_is_written(text: str, number: int | None) -> None:
    assert number_meant(text) == number


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("backend", [1]),  # the rule itself goes before titles that begin so
        ("backend is", [2, 1]),
        ("WEB-2", [2, 3]),  # open ones first
        ("disk full", [4, 3]),
        ("full disk", [4, 3]),
        ("slow backend", [2]),
        ("host.", [4, 3]),
        ("down db", []),
        ("&lt;nothing&gt;", []),
        ("  ", []),
    ],
)
def test_words_find_what_is_called_so(text: str, meant: list[int]) -> None:
    assert [found.id for found in alerts_meant(text, KNOWN)] == meant
