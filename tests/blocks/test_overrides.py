"""Settings changed at run time as messages: within Slack's limits, and harmless whatever people wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.blocks.message import Message, section
from bot.blocks.overrides import (
    render_history,
    render_overrides,
    render_reverted,
    render_set,
    render_yaml,
    small_print,
    with_changes,
)
from bot.domain.override import Override
from tests.blocks.reading import HOSTILE, accepted, buttons, pings, shown

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def override(**parts: Any) -> Override:
    given = {
        "id": 7,
        "path": "checks.host.thresholds.cpu_percent",
        "value": 90,
        "in_file": True,
        "file_value": 80,
    }
    return Override(**{**given, "by": "U0ALEX", "at": AT, **parts})


def in_file(each: Override) -> tuple[bool, Any]:
    return each.in_file, each.file_value


def test_a_list_of_many_fits_and_offers_each_back() -> None:
    found = [
        override(id=number, path=f"checks.host-{number}.severity", reason="x" * 1000) for number in range(60)
    ]
    message = render_overrides(found, {found[0].path: "y" * 2000}, in_file, "tocsin")
    assert "60 changed at run time" in shown(message)
    assert "Without effect" in shown(message)
    assert set(buttons(message)) == {"Revert"}
    assert "`tocsin overrides` lists them all" in shown(message) or "do not fit here" in shown(message)
    accepted(render_history(found))


def test_what_people_wrote_pings_nobody_but_shows_who_they_are() -> None:
    bad = override(path=f'alerts."{HOSTILE}".message', value=HOSTILE, file_value=HOSTILE, reason=HOSTILE)
    over = override(value={"P1": HOSTILE}, reason=HOSTILE, reverted_at=AT, reverted_by="U0SAM")
    for message in (
        render_set(bad, (True, HOSTILE), [HOSTILE]),
        render_reverted(over),
        render_overrides([bad], {bad.path: HOSTILE}, in_file, "tocsin"),
        render_history([bad, over]),
        with_changes(Message(text="x", blocks=(section("x"),)), [small_print(bad, (True, HOSTILE))]),
    ):
        assert pings(message) <= {"<@U0ALEX>", "<@U0SAM>"}
    yaml = render_yaml(f"alerts: {HOSTILE}")
    assert not pings(yaml)
    assert "<!channel>" not in yaml.payload()["text"]


def test_a_list_says_when_the_file_says_something_else_than_it_did() -> None:
    said = shown(render_overrides([override()], {}, lambda _each: (True, 85), "tocsin"))
    assert "the file says `85` (it said `80` when this was set)" in said


def test_what_is_taken_away_is_told_as_such() -> None:
    assert "took away `checks.host.thresholds.cpu_percent` (the file says `80`)" in shown(
        render_set(override(value=None))
    )
    assert "= nothing" in shown(render_reverted(override(value=None, reverted_at=AT, reverted_by="U0SAM")))


def test_a_long_fragment_names_the_command_that_prints_it() -> None:
    assert "`tocsin overrides --yaml` prints it" in shown(render_yaml("x: y\n" * 3000))
