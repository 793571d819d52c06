"""Patterns as a message: the chart shows what the words say, whatever the names are."""

from __future__ import annotations

from bot.blocks.message import Message
from bot.blocks.patterns import render_patterns
from bot.domain.pattern import Episode
from tests.blocks.reading import HOSTILE, accepted, pings, shown
from tests.domain.test_pattern import ZONE, episode, found


def rendered(*episodes: Episode) -> Message:
    message = render_patterns(found(*episodes), ZONE, "Shop")
    accepted(message)
    return message


def test_the_figures_stand_in_the_text_and_in_the_blocks() -> None:
    message = rendered(*[episode(lasted=4)] * 6, episode("CPU", 3, 40, resolved_by="U1", resource="web-1"))
    for text in (message.text, shown(message)):
        for told in (
            "Disk (6)", "14:00 to 15:00 (6)", "9 min on average, median 4 min, of 7 resolved", "6 of 7 (85%)",
            "03:00 1 · 14:00 6", "6 Disk\n1 CPU", "7 high", "Fri 13 Nov 04:00 to Fri 20 Nov 04:00 America/Los_Angeles",
        ):  # fmt: skip
            assert told in text


def test_the_chart_has_a_bar_for_every_two_hours() -> None:
    message = rendered(*[episode(hour=hour) for hour in (14, 15, 15, 23)])
    (chart,) = [block for block in message.blocks if block["type"] == "data_visualization"]
    bars = {point["label"]: point["value"] for point in chart["chart"]["series"][0]["data"]}
    assert len(bars) == 12
    assert (bars["14-16 h"], bars["22-24 h"], sum(bars.values())) == (3, 1, 4)


def test_without_alerts_it_says_so_and_draws_nothing() -> None:
    message = rendered()
    assert "No alert began in 7 days." in message.text
    assert not message.has_chart


def test_slack_takes_any_names_and_nobody_is_pinged() -> None:
    message = rendered(
        *[episode(f"{number} {HOSTILE}" * 9, resource=HOSTILE, times=9) for number in range(40)]
    )
    assert pings(message) == set()
    assert "32 of 32 more" in shown(message)
