"""docs/checks.md says what the models say, and what it shows can be used; a kind is one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import checks
from bot.config.checks_reference import example, render
from bot.probe import probes_of
from checks.kinds import kinds
from tests.checks.means import ShiftedClock
from tests.config.reading import read

_DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_up_to_date() -> None:
    assert (_DOCS / "checks.md").read_text(encoding="utf-8") == render(), (
        "run: python -m bot.config.checks_reference > docs/checks.md"
    )


def test_every_key_has_its_meaning() -> None:
    rows = [row for row in render().splitlines() if row.startswith("| `")]
    assert len(rows) > 80
    assert not [row for row in rows if row.endswith("|  |") or row.count(" | ") < 3]


@pytest.mark.parametrize("kind", kinds())
async def test_every_kind_has_an_example_that_loads_and_builds(kind: str) -> None:
    written = example(kind)
    assert written in render()
    settings = read(written)
    assert [check.type for check in settings.checks.values()] == [kind]
    async with probes_of(settings, ShiftedClock()) as probes:
        assert len(probes) == 1


def _shown(heading: str) -> str:
    """The first block of code after a heading of new-check.md."""
    page = (_DOCS / "new-check.md").read_text(encoding="utf-8")
    return page.split(heading)[1].split("```")[1].partition("\n")[2]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that counts as a part of checks/."""
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    kinds.cache_clear()
    yield tmp_path
    kinds.cache_clear()


async def test_a_file_put_beside_the_others_is_a_kind(elsewhere: Path) -> None:
    (elsewhere / "uptime.py").write_text(_shown("## The kind"), encoding="utf-8")
    assert "uptime" in kinds()
    settings = read(_shown("## Using it"))
    async with probes_of(settings, ShiftedClock()) as probes:
        (found,) = await probes[0].observe()
    assert found.state == "ok"
    assert frozenset(found.fields) == settings.checks["host"].options.field_names()
    assert "## `type: uptime`" in render()
    assert "warn_below" in render()


async def test_the_test_shown_for_the_new_kind_passes(elsewhere: Path) -> None:
    (elsewhere / "uptime.py").write_text(_shown("## The kind"), encoding="utf-8")
    names: dict[str, object] = {}
    exec(compile(_shown("## Its test"), "test_uptime.py", "exec"), names)
    tests = [found for name, found in names.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        await test()  # type: ignore[operator]
