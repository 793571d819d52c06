"""Remedies decided: when one begins, whether it may run now and why not, and what follows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.alert import Alert, Status, expire, fire, recover, resolve, silence
from bot.domain.alert import Change as AlertChange
from bot.domain.condition import compile_condition
from bot.domain.filling import Command, Unfit
from bot.domain.observation import Source, SourceKind
from bot.domain.remedy import (
    After,
    AskFirst,
    Attempt,
    AttemptState,
    End,
    Move,
    Offer,
    PutOff,
    Refuse,
    Rehearse,
    Remedy,
    Rivals,
    Run,
    after_verifying,
    first_attempt,
    following,
    next_move,
    prepare,
)
from bot.domain.severity import Severity
from tests.storage.stored import HOUR, MINUTE, NOON, firing

CLEAR = Command(arguments=("redis-cli", "DEL", "{key}"))


def remedy(when: str = "check == 'host'", **parts: Any) -> Remedy:
    return Remedy(
        **{"name": "clear", "when": compile_condition(when), "action": CLEAR, "attempts": 2, **parts}
    )


def alert(**parts: Any) -> Alert:
    fired = fire(firing(**{"fields": {"key": "lock:a"}, **parts}), NOON).alert
    return replace(fired, id=7)


def attempt(**parts: Any) -> Attempt:
    return replace(following(remedy(), alert(), 1, NOON), **parts)


def silenced(found: Alert, length: timedelta = HOUR) -> Alert:
    change = silence(found, "U1", length, "we know", NOON)
    assert isinstance(change, AlertChange)
    return change.alert


def closed(found: Alert, by: str | None = None) -> Alert:
    change = resolve(found, by, None, NOON) if by else recover(found, "fine", NOON)
    assert isinstance(change, AlertChange)
    return change.alert


def decided(
    mine: Attempt | None = None,
    about: Alert | None = None,
    rule: Remedy | None = None,
    rivals: Rivals | None = None,
) -> Move:
    mine, about, rule = mine or attempt(), about or alert(), rule or remedy()
    prepared = prepare(rule, about, mine if mine.approved_by else None)
    return next_move(mine, about, rule, prepared, rivals or Rivals(), NOON)


# --- which alerts it applies to ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "applies"),
    [
        ("check == 'host'", True),
        ("check in ['backend', 'host'] && severity == 'high'", True),
        ("severity == 'critical'", False),
        ("job == 'host'", False),
        ("no_such_field > 3", False),
        ("key == 'lock:a' && priority == 'P2'", True),
        ("key > 5", False),
    ],
)
def test_a_remedy_applies_to_the_alerts_its_condition_holds_for(when: str, *, applies: bool) -> None:
    assert remedy(when).applies_to(alert()) is applies


# --- when it begins ---------------------------------------------------------------------------------------


def test_a_remedy_begins_once_each_time_its_alert_opens() -> None:
    first = first_attempt(remedy(), alert(), None, NOON)
    assert first is not None
    assert (first.number, first.episode, first.state, first.resource) == (1, 0, AttemptState.DUE, "web-1")
    for state in AttemptState:
        if state is not AttemptState.EXPIRED:
            there = replace(first, state=state, target="t")
            assert first_attempt(remedy(), alert(), there, NOON) is None, state
    again = first_attempt(
        remedy(), replace(alert(), reopened=1), replace(first, state=AttemptState.FAILED), NOON
    )
    assert again is not None
    assert (again.number, again.episode) == (1, 1)


def test_nothing_begins_at_an_alert_that_is_over_or_that_it_does_not_apply_to() -> None:
    assert first_attempt(remedy(), closed(alert()), None, NOON) is None
    assert first_attempt(remedy("check == 'other'"), alert(), None, NOON) is None


def test_what_lapsed_begins_again_when_its_condition_holds_again_and_asks_the_check_first() -> None:
    lapsed = attempt(state=AttemptState.EXPIRED)
    again = first_attempt(remedy(), alert(), lapsed, NOON)
    assert again is not None
    assert (again.number, again.waited) == (2, True)


def test_what_lacked_a_field_begins_when_the_field_is_there() -> None:
    unfilled = attempt(state=AttemptState.REFUSED)
    assert first_attempt(remedy(), alert(fields={}), unfilled, NOON) is None
    again = first_attempt(remedy(), alert(), unfilled, NOON)
    assert again is not None
    assert again.number == 2


# --- whether it may run now -------------------------------------------------------------------------------


def test_an_attempt_that_nothing_speaks_against_runs() -> None:
    assert decided() == Run(ordinal=1)
    assert decided(rivals=Rivals(used=(NOON,))) == Run(ordinal=2)


@pytest.mark.parametrize("acknowledged", [True, False])
def test_an_acknowledged_alert_is_remedied_like_any_other(*, acknowledged: bool) -> None:
    about = replace(alert(), status=Status.ACKNOWLEDGED if acknowledged else Status.ACTIVE)
    assert decided(about=about) == Run(ordinal=1)


def test_an_alert_that_is_over_or_opened_anew_needs_it_no_more() -> None:
    assert isinstance(decided(about=closed(alert())), End)
    assert isinstance(decided(about=replace(alert(), reopened=1)), End)


def test_a_condition_that_holds_no_more_ends_it_unless_somebody_approved() -> None:
    low = alert(severity=Severity.LOW)
    strict = remedy("severity == 'high'")
    assert decided(about=low, rule=strict) == End(reason="its condition does not hold any more")
    prepared = prepare(strict, low)
    assert not isinstance(prepared, Unfit)
    approved = attempt(approved_by="U1", values=prepared.values, target=prepared.target)
    assert decided(approved, low, strict) == Run(ordinal=1)


def test_a_silenced_alert_is_left_alone_until_then_but_looked_at_every_minute() -> None:
    move = decided(about=silenced(alert()))
    assert move == PutOff(until=NOON + MINUTE, reason="the alert is silenced")
    soon = decided(about=silenced(alert(), timedelta(seconds=20)))
    assert soon == PutOff(until=NOON + timedelta(seconds=20), reason="the alert is silenced")


def test_an_alert_that_another_explains_is_left_alone() -> None:
    move = decided(about=alert(held_by="backend"))
    assert move == PutOff(until=NOON + MINUTE, reason="check backend fails too and explains it")


def test_never_while_another_like_it_is_under_way() -> None:
    move = decided(rivals=Rivals(busy=True))
    assert move == PutOff(until=NOON + timedelta(seconds=10), reason="another attempt is under way")


def test_never_more_often_than_it_may() -> None:
    move = decided(rivals=Rivals(used=(NOON - MINUTE, NOON)))
    assert move == Refuse(reason="2 of 2 attempts in 1 h are used", exhausted=True)


def test_what_had_to_wait_asks_the_check_before_it_acts_or_gives_up() -> None:
    waited = attempt(waited=True)
    assert decided(waited) == AskFirst()
    assert decided(waited, rivals=Rivals(used=(NOON, NOON))) == AskFirst()
    assert isinstance(decided(waited, rivals=Rivals(busy=True)), PutOff)


def test_a_hole_is_refused_with_the_name_of_the_field() -> None:
    assert decided(about=alert(fields={})) == Refuse(reason="the alert has no field key")


def test_approval_comes_before_running_and_a_dry_run_before_both() -> None:
    assert decided(rule=remedy(approve=True)) == Offer()
    assert decided(rule=remedy(approve=True, dry_run=True)) == Rehearse()
    assert decided(rule=remedy(dry_run=True)) == Rehearse()


def test_what_somebody_approved_runs_as_it_was_shown_even_on_a_silenced_alert() -> None:
    rule = remedy(approve=True)
    seen = prepare(rule, alert())
    assert not isinstance(seen, Unfit)
    approved = attempt(approved_by="U1", values=seen.values, target=seen.target)
    now = silenced(alert(fields={"key": "lock:b"}))
    assert decided(approved, now, rule) == Run(ordinal=1)
    prepared = prepare(rule, now, approved)
    assert not isinstance(prepared, Unfit)
    assert prepared.action == Command(arguments=("redis-cli", "DEL", "lock:a"))


def test_an_approval_does_not_hold_for_another_configuration() -> None:
    seen = prepare(remedy(approve=True), alert())
    assert not isinstance(seen, Unfit)
    approved = attempt(approved_by="U1", values=seen.values, target=seen.target)
    other = remedy(approve=True, action=Command(arguments=("redis-cli", "UNLINK", "{key}")))
    assert decided(approved, rule=other) == Refuse(
        reason="the configuration says something else than what was approved"
    )


# --- what follows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "healthy", "used", "after"),
    [
        (alert(), True, 2, After.RECOVERED),
        (closed(alert()), None, 2, After.RECOVERED),
        (closed(alert(), "U1"), True, 1, After.RECOVERED),
        (closed(alert(), "U1"), False, 1, After.ENDED),
        (alert(), False, 1, After.AGAIN),
        (alert(), False, 2, After.EXHAUSTED),
        (replace(alert(), reopened=1), False, 1, After.ENDED),
        (alert(source=Source(kind=SourceKind.JOB, name="nightly")), None, 1, After.UNKNOWN),
    ],
)
def test_what_the_check_found_decides_what_follows(
    about: Alert, healthy: bool | None, used: int, after: After
) -> None:
    assert after_verifying(attempt(), about, remedy(), healthy, [NOON] * used) is after


def test_an_alert_that_nothing_was_heard_of_has_not_recovered() -> None:
    change = expire(alert(), NOON)
    assert isinstance(change, AlertChange)
    assert after_verifying(attempt(), change.alert, remedy(), None, []) is After.ENDED


def test_the_tally_is_said_in_words() -> None:
    assert remedy(per=timedelta(minutes=90)).tally(1) == "attempt 1 of 2 in 1 h 30 min"
