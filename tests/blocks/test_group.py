"""The message of many alerts: within Slack's limits whatever they are called, and true to how they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.alert import ACKNOWLEDGED, FIRING, RESOLVED, SILENCED
from bot.blocks.group import about, render_group, render_joined, render_together
from bot.blocks.message import Message, section
from bot.domain.alert import Alert, Change, acknowledge, expire, fire, recover, resolve, silence
from bot.domain.grouping import CALL_AGAIN, MOST_NAMES, GroupState, Tally, join, standing_of, takes_more
from bot.domain.severity import Severity
from tests.blocks.reading import HOSTILE, accepted, buttons, pings, shown
from tests.domain.findings import HOUR, MINUTE, NOON, firing
from tests.properties import quick

LATER = NOON + 5 * MINUTE


def alert(number: int, severity: Severity = Severity.MEDIUM, **parts: Any) -> Alert:
    found = firing(
        **{"severity": severity, "title": f"Job {number} failed", "resource": f"job_{number}", **parts}
    )
    return replace(fire(found, NOON).alert, id=number)


def after(change: object) -> Alert:
    assert isinstance(change, Change)
    return change.alert


def state_of(members: Sequence[Alert], total: int | None = None) -> GroupState:
    """A group of alerts; with a `total` of them those beyond stand as the last."""
    standing = [(each.severity, standing_of(each, LATER)) for each in members]
    standing += standing[-1:] * ((total or len(members)) - len(members))
    counted = sorted(Counter(standing).items())
    closed = [each.closed_at for each in members if each.closed_at is not None]
    return GroupState(
        id=3,
        urgent=False,
        tallies=tuple(Tally(severity=each[0], standing=each[1], count=count) for each, count in counted),
        first=tuple(members[:100]),
        began_at=NOON,
        ended_at=max(closed) if len(closed) == len(members) else None,
    )


def rendered(members: Sequence[Alert], total: int | None = None, mention: str = "") -> Message:
    return render_group(state_of(members, total), LATER, mention)


def test_it_counts_by_priority_and_by_how_they_stand() -> None:
    members = [
        alert(1, Severity.HIGH),
        alert(2),
        after(acknowledge(alert(3), "U0ALEX", None, LATER)),
        after(silence(alert(4), "U0SAM", HOUR, None, NOON)),
        after(recover(alert(5, Severity.LOW), "fine", LATER)),
        after(expire(alert(6, Severity.LOW), LATER)),
    ]
    text = shown(rendered(members))
    assert "*6 alerts at once: 1 P2, 3 P3, 2 P4*" in text
    assert "2 open · 1 acknowledged · 1 silenced · 1 resolved · 1 expired" in text
    assert "acknowledged by <@U0ALEX>" in text
    assert "… and" not in text


@pytest.mark.parametrize(
    ("members", "color", "offers"),
    [
        ([alert(1), after(resolve(alert(2), "U0SAM", None, LATER))], FIRING, ["Acknowledge all"]),
        ([after(acknowledge(alert(1), "U0ALEX", None, LATER))], ACKNOWLEDGED, []),
        ([after(silence(alert(1), "U0ALEX", HOUR, None, NOON))], SILENCED, []),
        ([after(resolve(alert(1), "U0SAM", None, LATER))], RESOLVED, []),
    ],
)
def test_colour_and_buttons_follow_the_worst_standing(
    members: list[Alert], color: str, offers: list[str]
) -> None:
    message = rendered(members)
    assert message.color == color
    assert [label for label in buttons(message) if not label.startswith("P")] == offers


def test_when_all_are_over_it_says_how_long_it_lasted() -> None:
    message = rendered([after(recover(alert(number), "fine", LATER)) for number in range(1, 8)])
    assert "*7 alerts: all over* after 5 min" in shown(message)


def test_ten_thousand_alerts_fit_and_say_how_many_are_not_listed() -> None:
    message = rendered([alert(number) for number in range(1, 101)], total=10_000, mention="<@U0ALEX>")
    text = shown(message)
    assert "*10000 alerts at once: 10000 P3* <@U0ALEX>" in text
    assert "… and 9970 more: `/tocsin alerts`" in text
    assert len([label for label in buttons(message) if label.startswith("P3 #")]) == 100


@given(
    titles=st.lists(
        st.one_of(
            st.text(max_size=400), st.sampled_from([HOSTILE * 20, "x" * 5000, " ", "&" * 300, "W" * 80])
        ),
        min_size=1,
        max_size=100,
    ),
    names=st.integers(0, 60),
)
@quick
def test_no_title_breaks_the_message_or_pings_anybody(titles: list[str], names: int) -> None:
    members = [alert(number, title=title, resource=title[:300]) for number, title in enumerate(titles, 1)]
    called = " ".join(f"<@U{number:010}>" for number in range(names))
    message = rendered(members, total=10_000, mention=called)
    assert pings(message) <= set(called.split(" "))
    assert "more: `/tocsin alerts`" in shown(message)


def test_a_hundred_of_the_longest_fit() -> None:
    long = "& " * 300
    accepted(rendered([alert(n, title=long, resource=long) for n in range(1, 101)], total=10_000))
    accepted(rendered([alert(n, title="W" * 300, resource="W" * 300) for n in range(1, 101)], total=10_000))


def test_a_line_in_the_thread_says_which_alert_it_is_about() -> None:
    line = Message(text="Escalated", blocks=(section("Escalated"),))
    assert shown(about(alert(7), line)).startswith(":large_yellow_circle: P3 Job 7 failed #7\nEscalated")


def test_who_joins_is_named_with_those_called() -> None:
    text = shown(render_joined(alert(7), 3, "<@U0KIM>"))
    assert "Job 7 failed* #7 and 2 more <@U0KIM>" in text
    assert "more" not in shown(render_joined(alert(7), 1, ""))


def test_what_happened_to_many_is_one_line() -> None:
    text = shown(render_together(alert(7), {"escalated": 900, "reopened": 3}, "<@U0KIM>"))
    assert "900 escalated because nobody has acknowledged them, 3 open again*" in text
    assert "Job 7 failed* #7 <@U0KIM>" in text


def test_a_group_takes_more_while_it_is_young_and_not_over() -> None:
    assert takes_more(NOON, True, NOON + 9 * MINUTE)
    assert not takes_more(NOON, True, NOON + 10 * MINUTE)
    assert not takes_more(NOON, False, NOON)


@pytest.mark.parametrize(
    ("known", "posted", "passed", "called"),
    [
        ((), False, timedelta(0), ()),  # its message will name them
        ((), True, timedelta(0), ("a", "b")),
        (("a",), True, timedelta(0), ("b",)),
        (("a", "b"), True, timedelta(0), ()),
        (("a", "b"), True, CALL_AGAIN, ("a", "b")),
    ],
)
def test_each_name_is_called_once_and_again_after_a_while(
    known: tuple[str, ...], posted: bool, passed: timedelta, called: tuple[str, ...]
) -> None:
    joining = join(known, ["a", "b", "a"], posted=posted, called_at=NOON, now=NOON + passed)
    assert joining.called == called
    assert joining.names == ("a", "b")


def test_names_are_bounded() -> None:
    wanted = [f"person {number}" for number in range(100)]
    assert len(join((), wanted, posted=False, called_at=NOON, now=NOON).names) == MOST_NAMES
    assert len(join((), wanted, posted=True, called_at=NOON, now=NOON + HOUR).called) == MOST_NAMES
