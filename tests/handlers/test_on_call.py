"""Who is called into an incident because they are on call."""

from __future__ import annotations

import pytest

from bot.demo.workspace import LocalWorkspace
from handlers.slack.people import People
from tests.config.reading import read
from tests.domain.findings import NOON
from tests.workspace_client import client_of, without_proxies

SETTINGS = read(
    """
people: {kim: U0KIM, platform: S0ONCALL}
oncall:
  web: {rotation: [kim], handover: "09:00"}
  base: {rotation: [platform], handover: "09:00"}
"""
)


@pytest.mark.parametrize(
    ("names", "called"),
    [
        (["web"], ["U0KIM"]),
        (["here", "base", "base"], ["U0ALEX", "U0SAM"]),
        (["kim", "here"], ["U0KIM", "U0ALEX", "U0SAM"]),
        ([], ["U0KIM", "U0ALEX", "U0SAM"]),
    ],
)
async def test_of_the_rotations_that_are_named_else_of_all(names: list[str], called: list[str]) -> None:
    with without_proxies():
        async with LocalWorkspace() as workspace:
            people = People(SETTINGS, client_of(workspace), lambda: NOON)
            assert await people.on_call(names) == called
