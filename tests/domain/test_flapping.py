"""Going back and forth: when it begins, when it ends, and that nobody is told of every turn."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.alert import Alert, Event, EventKind, resolve
from bot.domain.decision import Memory, evaluate
from bot.domain.flapping import REMEMBERED, FlappingLimits, Recent, percent
from bot.domain.rule import Streak
from tests.domain.findings import MINUTE, NOON, all_of, check, rule

LIMITS = FlappingLimits()


@pytest.mark.parametrize(
    ("answers", "share"),
    [
        ("", 0.0),
        ("1", 0.0),
        ("0" * 21, 0.0),
        ("10" * 10 + "1", 99.0),
        ("0" * 20 + "1", 5.9),  # the newest change weighs 1.18 of 20
        ("1" + "0" * 20, 4.0),  # the oldest 0.8
        ("01", 5.9),
    ],
)
def test_newer_changes_weigh_more(answers: str, share: float) -> None:
    assert percent(answers) == pytest.approx(share)


@given(st.lists(st.booleans(), max_size=80))
def test_what_is_steady_for_all_that_is_remembered_does_not_flap(answers: list[bool]) -> None:
    recent = Recent()
    for answer in [*answers, *[True] * REMEMBERED]:
        recent = recent.advanced(answer, LIMITS)
    assert not recent.flapping
    assert len(recent.answers) == REMEMBERED


class Watched:
    """One rule of one check, observed again and again as Tocsin does it."""

    def __init__(self, **parts: Any) -> None:
        self.groups = all_of(rule("load > 5.0", flapping=LIMITS, **parts))
        self.streaks: dict[str, Streak] = {}
        self.alert: Alert | None = None
        self.events: list[Event] = []
        self.now = NOON

    def see(self, bad: bool) -> None:
        self.now += MINUTE
        key = {self.alert.fingerprint: self.alert} if self.alert is not None else {}
        is_open = self.alert is not None and self.alert.status.is_open
        memory = Memory(streaks=self.streaks, open=key if is_open else {}, closed={} if is_open else key)
        decision = evaluate(self.groups, check({"load": 9.0 if bad else 1.0}, at=self.now), memory)
        self.streaks = dict(decision.streaks)
        for change in decision.changes:
            self.alert = change.alert
            self.events += change.events

    def told(self) -> list[str]:
        return [event.kind.value for event in self.events]


def test_one_message_is_held_while_it_flaps_and_resolves_when_it_is_steady() -> None:
    watched = Watched()
    for turn in range(40):
        watched.see(turn % 2 == 0)
    told_while_flapping = watched.told()
    assert watched.alert is not None
    assert watched.alert.status.is_open
    assert watched.alert.firing.flapping == "changed between bad and good 20 times in the last 21 looks"

    for _ in range(REMEMBERED):
        watched.see(False)

    assert told_while_flapping == [
        "fired",
        "recovered",
        "reopened",
        "recovered",
        "reopened",
        "recovered",
        "reopened",
        "flapping",
    ]
    assert watched.told()[len(told_while_flapping) :] == ["recovered"]
    assert not watched.alert.status.is_open
    assert watched.alert.firing.flapping is None


def test_when_it_ends_bad_that_is_said_once() -> None:
    watched = Watched()
    for turn in range(10):
        watched.see(turn % 2 == 0)
    for _ in range(REMEMBERED):
        watched.see(True)

    assert watched.told().count("flapping") == 1
    assert watched.told()[-1] == "steady"
    assert watched.alert is not None
    assert watched.alert.firing.flapping is None


def test_somebodys_resolve_of_a_flapping_alert_is_respected() -> None:
    watched = Watched()
    for turn in range(11):
        watched.see(turn % 2 == 0)
    assert watched.alert is not None
    closed = resolve(watched.alert, "U1", None, watched.now)
    watched.alert = closed.alert
    before = len(watched.events)

    for turn in range(10):
        watched.see(turn % 2 == 1)

    assert len(watched.events) == before


def test_a_rule_that_does_not_hold_back_tells_every_turn() -> None:
    watched = Watched()
    watched.groups = all_of(rule("load > 5.0"))
    for turn in range(20):
        watched.see(turn % 2 == 0)

    assert watched.told() == ["fired", *["recovered", "reopened"] * 9, "recovered"]


@given(st.lists(st.booleans(), max_size=120), st.sampled_from([timedelta(0), timedelta(hours=1)]))
def test_whatever_comes_an_alert_that_fired_is_resolved_once_all_is_steady(
    answers: list[bool], dedupe: timedelta
) -> None:
    watched = Watched(dedupe=dedupe)
    for answer in answers:
        watched.see(answer)
    for _ in range(REMEMBERED):
        watched.see(False)

    assert watched.alert is None or not watched.alert.status.is_open
    fired = sum(event.kind in (EventKind.FIRED, EventKind.REOPENED) for event in watched.events)
    assert fired == sum(event.kind is EventKind.RECOVERED for event in watched.events)
