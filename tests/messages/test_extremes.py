"""Whatever comes from outside, Slack takes every message whole, and nobody is called by it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bot.blocks.message import Message
from bot.demo.workspace.limits import check_view
from tests.blocks.reading import accepted, all_texts, parsed_texts
from tests.messages.catalogue import CATALOGUE
from tests.messages.kinds import EXTREMES, Sample

_OURS = re.compile(r"<@U0(ALEX|SAM|KIM)>|<#C0INC>|<!subteam\^S0ONCALL>|<!date\^")
_CALLS = re.compile(r"<[!@#][^>]*>?")
_NOTHING = re.compile(r"\bNone\b(?! began| is kept)|\bnan\b")  # a value that is not there, printed
_HALF = re.compile(r"&(?!amp;|lt;|gt;)")


@pytest.mark.parametrize("sample", EXTREMES, ids=lambda sample: sample.name)
@pytest.mark.parametrize("name", CATALOGUE)
def test_slack_takes_it_and_nobody_is_called_by_what_it_quotes(name: str, sample: Sample) -> None:
    found = CATALOGUE[name].render(sample)
    if isinstance(found, Message):
        content: dict[str, Any] = accepted(found)
        accepted(found.without_charts())
        assert found.identity() == CATALOGUE[name].render(sample).identity()  # type: ignore[union-attr]
    else:
        check_view(found, str(found["type"]))
        content = found
    for text in parsed_texts(content):
        assert [call for call in _CALLS.findall(text) if not _OURS.match(call)] == []
        assert not _HALF.search(text), f"half an entity, or one that was not escaped: {text[:200]}"
    assert not _NOTHING.search(" ".join(all_texts(_without_values(content))))


@pytest.mark.parametrize("sample", EXTREMES, ids=lambda sample: sample.name)
def test_an_alert_stays_readable_in_its_text_alone(sample: Sample) -> None:
    for name in ("alert-firing", "alert-acknowledged", "alert-silenced"):
        found = CATALOGUE[name].render(sample)
        assert isinstance(found, Message)
        text = found.payload()["text"]
        for part in ("P1", "critical", "Where: ", "Since <!date^", "Alert #41"):
            assert part in text, f"{name} lost {part!r}: {text[-300:]}"


def _without_values(content: dict[str, Any]) -> Any:
    """The content without what nobody sees."""
    hidden = ("value", "private_metadata", "action_id", "block_id", "callback_id")
    return json.loads(
        json.dumps(content),
        object_hook=lambda found: {name: each for name, each in found.items() if name not in hidden},
    )
