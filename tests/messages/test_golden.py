"""No message changes, comes or goes without being looked at."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bot.blocks
import bot.demo
import handlers.slack
from bot.blocks import remedies
from bot.blocks.message import Message
from bot.domain.alert import EventKind
from tests.messages import page
from tests.messages.catalogue import CATALOGUE
from tests.messages.golden import FOLDER, dumped, path_of
from tests.messages.kinds import USUAL

EMOJI = Path(bot.demo.__file__).parent / "workspace" / "page" / "emoji.js"
AGAIN = "look at it, then run: python -m tests.messages --write"
_WINDOWS = ("_modal", "_window", "_view")


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_message_is_as_it_was_reviewed(name: str) -> None:
    path = path_of(name)
    assert path.exists(), f"{name} was never reviewed; {AGAIN}"
    assert dumped(CATALOGUE[name]) == path.read_text("utf-8"), f"{name} has changed; {AGAIN}"


def test_nothing_is_kept_of_kinds_that_are_gone() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {*CATALOGUE}


def test_every_function_that_renders_something_has_a_kind() -> None:
    shown = {of for kind in CATALOGUE.values() for of in kind.of}
    missing = [f"{each.__module__}.{each.__name__}" for each in _renderers() if each not in shown]
    assert not missing, f"add a kind to tests/messages/catalogue for {', '.join(missing)}"


def test_every_event_of_an_alert_has_its_line() -> None:
    assert {f"line-{kind.value.replace('_', '-')}" for kind in EventKind} <= {*CATALOGUE}


@pytest.mark.parametrize("name", [name for name, kind in CATALOGUE.items() if kind.says])
def test_the_top_level_text_alone_says_what_matters(name: str) -> None:
    found = CATALOGUE[name].render(USUAL)
    assert isinstance(found, Message)
    text = found.payload()["text"]
    assert [part for part in CATALOGUE[name].says if part not in text] == [], text


def test_the_workspace_can_draw_every_emoji_there_is_in_a_message() -> None:
    """Not every machine has a font with emoji."""
    drawn = set(re.findall(r"(\w+): ", EMOJI.read_text("utf-8")))
    used = {
        name for kind in CATALOGUE.values() for name in re.findall(r"(?<!\w):([a-z_]{3,}):", dumped(kind))
    }
    assert used <= drawn, used - drawn


def test_the_page_shows_every_kind() -> None:
    assert page.PAGE.read_text("utf-8") == page.written(CATALOGUE), AGAIN


def _renderers() -> Iterator[Callable[..., Any]]:
    """All that makes a message or a window: `render_…` in bot/blocks, the steps of a recovery, windows."""
    for module in _modules(bot.blocks):
        yield from (each for name, each in _own(module) if name.startswith("render_"))
    yield from (each for name, each in _own(remedies) if inspect.signature(each).return_annotation == "str"
                and name != "offer_value")  # fmt: skip
    for module in _modules(handlers.slack):
        for name, each in _own(module):
            if name == "window" or name.endswith(_WINDOWS):
                yield each


def _modules(package: Any) -> Iterator[Any]:
    for found in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{package.__name__}.{found.name}")


def _own(module: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, each in inspect.getmembers(module, inspect.isfunction):
        if each.__module__ == module.__name__ and not name.startswith("_"):
            yield name, each
