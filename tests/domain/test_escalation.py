"""What happens while nobody acknowledges: steps by time, stopped, paused, begun again, and made up for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bot.domain import alert as lifecycle
from bot.domain.alert import Alert, Change, Refusal
from bot.domain.escalation import (
    Call,
    CountsFrom,
    Escalation,
    Policy,
    Step,
    follow,
    moments,
    take_next,
    take_step,
)
from bot.domain.quiet import QuietHours
from bot.domain.severity import Severity
from tests.domain.findings import HOUR, MINUTE, NOON, firing
from tests.domain.findings import alert as an_alert

ALERT = replace(an_alert(severity=Severity.CRITICAL), id=1, version=1)
PAGE = Policy(
    name="page",
    respond_within=5 * MINUTE,
    steps=(
        Step(after=5 * MINUTE, mention=("oncall",)),
        Step(after=15 * MINUTE, to=("email",), note="Nobody has acknowledged."),
    ),
)
LEAD = Policy(name="lead", respond_within=4 * HOUR, steps=(Step(after=24 * HOUR, mention=("lead",)),))
PERSISTS = Policy(
    name="persists",
    counts_from=CountsFrom.FIRST_SEEN,
    steps=(Step(after=HOUR, to=("slack", "#leads"), note="Still failing an hour after it was first seen"),),
)


def begun(policy: Policy = PAGE, alert: Alert = ALERT, at: datetime = NOON) -> Escalation:
    found, _ = follow(None, alert, policy, at)
    assert found is not None
    return found


def taken(
    current: Escalation, policy: Policy, now: datetime, alert: Alert = ALERT
) -> tuple[Escalation, Call]:
    after, call = take_step(current, alert, policy, (), now)
    assert call is not None
    return after, call


def changed(outcome: Change | Refusal) -> Alert:
    assert isinstance(outcome, Change)
    return outcome.alert


def test_steps_fall_due_by_the_time_since_it_began() -> None:
    first = begun()
    assert first.due_at == NOON + 5 * MINUTE
    assert take_step(first, ALERT, PAGE, (), NOON + 5 * MINUTE - timedelta(seconds=1)) == (first, None)
    second, call = taken(first, PAGE, NOON + 5 * MINUTE)
    assert call == Call(
        targets=("slack",),
        mentions=("oncall",),
        text="Nobody has acknowledged this for 5 min; it was to be answered within 5 min",
        names_alerted=False,
    )
    assert (second.done, second.due_at) == (1, NOON + 15 * MINUTE)
    last, call = taken(second, PAGE, NOON + 15 * MINUTE)
    assert (call.targets, call.mentions) == (("email",), ())
    assert call.text == "Nobody has acknowledged this for 15 min. Nobody has acknowledged"
    assert (last.done, last.due_at) == (2, None)
    assert take_step(last, ALERT, PAGE, (), NOON + 9 * HOUR) == (last, None)


def test_a_time_to_respond_without_a_step_of_its_own_names_those_whom_the_alert_named() -> None:
    _, call = taken(begun(LEAD), LEAD, NOON + 4 * HOUR)
    assert call.names_alerted
    assert call.text == "Nobody has acknowledged this for 4 h; it was to be answered within 4 h"


def test_after_an_outage_the_latest_step_counts_and_nobody_is_forgotten() -> None:
    after, call = taken(begun(), PAGE, NOON + 40 * MINUTE)
    assert (after.done, after.due_at) == (2, None)
    assert call.targets == ("slack", "email")
    assert call.mentions == ("oncall",)
    assert "Nobody has acknowledged this for 40 min" in call.text
    assert "2 steps of page fell due together" in call.text


def test_an_acknowledgement_ends_it_and_taking_it_back_begins_it_again() -> None:
    acknowledged = changed(lifecycle.acknowledge(ALERT, "U1", None, NOON + MINUTE))
    assert follow(begun(), acknowledged, PAGE, NOON + MINUTE) == (None, "stopped: acknowledged")
    back = replace(changed(lifecycle.unacknowledge(acknowledged, "U1", NOON + HOUR)), version=3)
    again, reason = follow(None, back, PAGE, NOON + HOUR)
    assert again is not None
    assert (again.round, again.done, again.due_at) == (3, 0, NOON + HOUR + 5 * MINUTE)
    assert reason == "page begins"


def test_what_counts_from_first_seen_goes_on_after_an_acknowledgement_and_ends_with_the_alert() -> None:
    acknowledged = changed(lifecycle.acknowledge(ALERT, "U1", None, NOON + MINUTE))
    current = begun(PERSISTS)
    assert follow(current, acknowledged, PERSISTS, NOON + MINUTE) == (current, "")
    _, call = taken(current, PERSISTS, NOON + HOUR, acknowledged)
    assert call.text == "Not over after 1 h. Still failing an hour after it was first seen"
    assert call.targets == ("slack", "#leads")
    resolved = changed(lifecycle.resolve(acknowledged, "U1", None, NOON + HOUR))
    assert follow(current, resolved, PERSISTS, NOON + HOUR) == (None, "stopped: resolved")


def test_a_missed_time_to_respond_is_not_said_of_what_was_acknowledged() -> None:
    policy = replace(PERSISTS, respond_within=5 * MINUTE)
    acknowledged = changed(lifecycle.acknowledge(ALERT, "U1", None, NOON + MINUTE))
    after, call = take_step(begun(policy), acknowledged, policy, (), NOON + 6 * MINUTE)
    assert call is None
    assert after.due_at == NOON + HOUR


def test_a_silence_stops_the_clock_and_its_end_lets_it_go_on() -> None:
    silenced = changed(lifecycle.silence(ALERT, "U1", HOUR, None, NOON + 2 * MINUTE))
    paused, reason = follow(begun(), silenced, PAGE, NOON + 2 * MINUTE)
    assert paused is not None
    assert (paused.due_at, reason) == (None, "paused: kept quiet")
    assert follow(paused, silenced, PAGE, NOON + 30 * MINUTE) == (paused, "")
    loud = changed(lifecycle.unsilence(silenced, None, NOON + 62 * MINUTE))
    resumed, reason = follow(paused, loud, PAGE, NOON + 62 * MINUTE)
    assert resumed is not None
    assert (resumed.due_at, reason) == (NOON + 65 * MINUTE, "goes on")


def test_an_alert_that_another_explains_does_not_escalate_before_it_is_told() -> None:
    held = replace(ALERT, firing=replace(ALERT.firing, held_by="backend"))
    paused = begun(PAGE, held)
    assert paused.due_at is None
    told, _ = follow(paused, ALERT, PAGE, NOON + HOUR)
    assert told is not None
    assert told.due_at == NOON + HOUR + 5 * MINUTE


def test_another_policy_begins_anew_and_none_ends_it() -> None:
    current = begun(LEAD)
    worse, _ = follow(current, replace(ALERT, version=4), PAGE, NOON + HOUR)
    assert worse is not None
    assert (worse.policy, worse.round, worse.due_at) == ("page", 4, NOON + HOUR + 5 * MINUTE)
    assert follow(current, ALERT, None, NOON)[0] is None
    assert follow(None, ALERT, None, NOON) == (None, "")
    assert follow(None, ALERT, Policy(name="empty"), NOON) == (None, "")


def test_a_lesser_alert_waits_for_the_end_of_quiet_hours() -> None:
    night = QuietHours(start=time(11), end=time(18), zone=ZoneInfo("UTC"), below=Severity.HIGH)
    lesser = replace(ALERT, firing=firing(Severity.MEDIUM))
    waiting, call = take_step(begun(), lesser, PAGE, (night,), NOON + 5 * MINUTE)
    assert (waiting.due_at, call) == (NOON.replace(hour=18), None)
    assert take_step(begun(), ALERT, PAGE, (night,), NOON + 5 * MINUTE)[1] is not None
    done, call = take_step(waiting, lesser, PAGE, (night,), NOON.replace(hour=18))
    assert call is not None
    assert done.due_at is None


STEPS = st.lists(
    st.builds(
        Step,
        after=st.integers(1, 300).map(lambda minutes: minutes * MINUTE),
        mention=st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=5,
)


@given(
    steps=STEPS,
    respond=st.none() | st.integers(1, 300).map(lambda minutes: minutes * MINUTE),
    pauses=st.lists(st.tuples(st.integers(1, 90), st.booleans()), max_size=12),
)
def test_every_name_is_called_once_it_is_due_and_never_while_silenced(
    steps: list[Step], respond: timedelta | None, pauses: list[tuple[int, bool]]
) -> None:
    """Ticks come at odd times, silences come and go; in the end every step was taken once."""
    policy = Policy(name="any", steps=tuple(steps), respond_within=respond)
    current, alert, now, heard = begun(policy), ALERT, NOON, timedelta(0)
    called: list[str] = []
    for minutes, silenced in [*pauses, (1, False), (300, False)]:
        alert = replace(alert, silenced_until=now + 1000 * HOUR if silenced else None)
        followed, _ = follow(current, alert, policy, now)
        assert followed is not None
        now += minutes * MINUTE
        heard += timedelta(0) if silenced else minutes * MINUTE
        current, call = take_step(followed, alert, policy, (), now)
        assert not (silenced and call)
        called += call.mentions if call else ()
        if not silenced:
            assert current.done == sum(moment.after <= heard for moment in moments(policy))
    assert current.due_at is None
    assert set(called) == {name for step in steps for name in step.mention}


def test_a_step_taken_before_its_time_says_why_and_leaves_the_others_theirs() -> None:
    after, call = take_next(begun(), ALERT, PAGE, (), NOON + MINUTE, "The recovery failed")
    assert call is not None
    assert (call.mentions, call.targets) == (("oncall",), ("slack",))
    assert call.text == "The recovery failed, so the next step of page is taken at once"
    assert after.due_at == NOON + 15 * MINUTE

    after, call = take_next(after, ALERT, PAGE, (), NOON + 2 * MINUTE, "The recovery failed")
    assert call is not None
    assert call.text.endswith("is taken at once. Nobody has acknowledged")
    assert after.due_at is None
    assert take_next(after, ALERT, PAGE, (), NOON + 3 * MINUTE, "why") == (after, None)


def test_a_time_to_respond_without_a_step_is_no_step_to_take_early() -> None:
    after, call = take_next(begun(LEAD), ALERT, LEAD, (), NOON + MINUTE, "The recovery failed")
    assert call is not None
    assert call.mentions == ("lead",)
    assert after.due_at is None


def test_nothing_is_taken_early_while_it_is_kept_quiet() -> None:
    paused = replace(begun(), paused_at=NOON, due_at=None)
    assert take_next(paused, ALERT, PAGE, (), NOON + MINUTE, "why") == (paused, None)
