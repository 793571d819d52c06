"""The examples of docs/routing.md load without a warning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.config import not_yet, warnings
from bot.config.plans import plan_of, rotations_of
from tests.config.reading import read

_PAGE = Path(__file__).parents[2] / "docs" / "routing.md"
_EXAMPLES = re.findall(r"```yaml\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", _EXAMPLES)
def test_an_example_of_the_page_loads_and_means_something(text: str) -> None:
    settings = read(text)
    assert warnings(settings) == ()
    assert not_yet(settings) == ()
    assert plan_of(settings).routes or plan_of(settings).quiet_hours or rotations_of(settings)


def test_the_page_has_an_example_of_everything() -> None:
    assert len(_EXAMPLES) == 4
