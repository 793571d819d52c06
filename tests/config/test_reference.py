"""docs/configuration.md says what the models say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bot.config.reference import render
from tests.config.reading import read

_PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    assert _PAGE.read_text(encoding="utf-8") == render(), (
        "run: python -m bot.config.reference > docs/configuration.md"
    )


def test_the_page_begins_with_a_file_that_loads() -> None:
    example = render().split("```yaml\n")[1].split("```")[0]
    assert read(example).name == yaml.safe_load(example)["name"]


@pytest.mark.parametrize(
    "word", ["`checks.NAME`", "`escalation.NAME.steps[]`", "`type: http`", "`for`", "| share |"]
)
def test_every_part_has_its_place(word: str) -> None:
    assert word in render()


def test_every_key_of_ours_has_its_meaning() -> None:
    rows = [row for row in render().split("## Kinds of checks")[0].splitlines() if row.startswith("| `")]
    assert rows
    assert not [row for row in rows if row.endswith("|  |")]
