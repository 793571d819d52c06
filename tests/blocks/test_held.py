"""What quiet hours held back and who is on call, as messages."""

from __future__ import annotations

from dataclasses import replace

from bot.blocks.duty import render_oncall
from bot.blocks.held import render_held
from bot.domain.alert import Status
from bot.domain.oncall import Duty
from tests.blocks.reading import pings, shown
from tests.domain.findings import NOON, alert

HOSTILE = "<!channel> *bold* `code` " * 20


def test_the_morning_says_how_many_are_still_open_and_lists_each() -> None:
    over = replace(alert(title="Queue is long"), id=2, status=Status.RESOLVED, closed_at=NOON)
    message = render_held([replace(alert(), id=1), over])
    text = shown(message)
    assert "*2 alerts in quiet hours: 1 still open*" in text
    assert ":large_orange_circle: P2 Host is hot · `host` · #1, began " in text
    assert ":white_check_mark: P2 Queue is long" in text
    assert "Each that is still open is shown here too." in text
    assert "all over by now" in shown(render_held([over]))


def test_slack_takes_the_worst_night_and_it_pings_nobody() -> None:
    message = render_held(
        [replace(alert(title=HOSTILE, resource=HOSTILE), id=number) for number in range(500)]
    )
    assert pings(message) == set()
    assert "… and 475 more" in shown(message)


def test_who_is_on_call_is_told_by_name() -> None:
    duties = {
        "primary": Duty(who="ethan", until=NOON, then="nadia"),
        "always": Duty(who="U0KIM"),
    }
    message = render_oncall(duties)
    assert "`@primary` is *ethan* until <!date^" in shown(message)
    assert "then nadia" in message.text
    assert "`@always` is *U0KIM*, always" in message.text
    assert pings(message) == set()
