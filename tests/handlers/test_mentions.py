"""Names of the file as Slack calls them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.config.plans import rotations_of
from handlers.slack.people import mention_of
from tests.config.reading import read
from tests.domain.findings import NOON

SETTINGS = read(
    """
people: {ethan: U0ETHAN, nadia: U0NADIA, ops: S0OPS, both: [ethan, ops]}
oncall: {primary: {rotation: [ethan, both], handover: "13:00", starts: 2026-11-20}}
"""
)  # one who takes turns may be a list of several


@pytest.mark.parametrize(
    ("names", "called"),
    [
        (["ethan"], "<@U0ETHAN>"),
        (["ops", "nadia"], "<!subteam^S0OPS> <@U0NADIA>"),
        (["here", "ethan", "both"], "<!here> <@U0ETHAN> <!subteam^S0OPS>"),
        (["U0SAM"], "<@U0SAM>"),
        (["gone"], "@gone"),
        ([], ""),
    ],
)
def test_everybody_named_is_called_once_as_slack_calls_them(names: list[str], called: str) -> None:
    assert mention_of(names, SETTINGS, rotations_of(SETTINGS), NOON) == called


def test_a_rotation_is_whoever_is_on_call_at_that_moment() -> None:
    rotations = rotations_of(SETTINGS)
    first = NOON + timedelta(hours=1)
    assert mention_of(["primary", "ethan"], SETTINGS, rotations, first) == "<@U0ETHAN>"
    assert (
        mention_of(["primary"], SETTINGS, rotations, first + timedelta(days=1))
        == "<@U0ETHAN> <!subteam^S0OPS>"
    )
