"""What becomes of alerts when something is observed, and when people act on them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.alert import (
    Alert,
    Change,
    Event,
    EventKind,
    Refusal,
    Status,
    acknowledge,
    expire,
    fingerprint,
    recover,
    reopen,
    repeat,
    resolve,
    silence,
    unacknowledge,
    unsilence,
)
from bot.domain.decision import Memory, evaluate, fingerprints, spell
from bot.domain.observation import variables
from bot.domain.rule import CannotRun, Rule, Standing, Threshold
from bot.domain.severity import Severity
from bot.domain.silence import Silence
from checks.result import Diagnostic, State
from tests.domain.findings import (
    HOUR,
    MINUTE,
    NOON,
    History,
    alert,
    all_of,
    check,
    firing,
    first_of,
    job,
    rule,
)

HOT, COLD = {"cpu": 95}, {"cpu": 5}


def kinds(changes: list[Change]) -> list[str]:
    """What happened, in a word each; a mere count says nothing."""
    return [event.kind.value for change in changes for event in change.events]


def done(result: Change | Refusal) -> Alert:
    assert isinstance(result, Change), result
    return result.alert


def refused(result: Change | Refusal) -> str:
    assert isinstance(result, Refusal), result
    return result.reason


# --- observations -----------------------------------------------------------------------------------------


def test_trouble_makes_an_alert_that_says_what_where_when_and_why() -> None:
    history = History(
        all_of(
            rule("cpu > 90", title="{resource} is hot", message="CPU at {cpu:.0f}%", category="system",
                 runbook="https://runbooks/cpu", mention="@oncall", channel="#ops", expire=HOUR)
        )
    )  # fmt: skip
    seen = replace(
        check({**HOT, "load": 4}, resource="web-1"),
        diagnostics=(Diagnostic(title="Processes", text="cc1 99%"),),
        remedy="stop the compiler",
    )
    (change,) = history.see(seen)
    found, told = change.alert, change.alert.firing
    assert kinds([change]) == ["fired"]
    assert (found.status, found.count, found.opened_at, found.last_seen) == (Status.ACTIVE, 1, NOON, NOON)
    assert (told.title, told.message, told.reason) == ("web-1 is hot", "CPU at 95%", "cpu > 90: cpu = 95")
    assert (told.resource, told.fields["load"], told.diagnostics[0].text) == ("web-1", 4, "cc1 99%")
    assert told.recommendations[0] == "stop the compiler"
    assert len(told.recommendations) > 1
    assert (told.runbook, told.mention, told.channel) == ("https://runbooks/cpu", "@oncall", "#ops")
    assert found.expires_at == NOON + HOUR


def test_sixty_sightings_in_an_hour_are_one_alert_with_a_count_of_sixty() -> None:
    history = History(all_of(rule("cpu > 90")))
    for minute in range(60):
        changes = history.see(check(HOT, at=NOON + minute * MINUTE))
        assert kinds(changes) == (["fired"] if minute == 0 else [])
        assert changes[0].urgent == (minute == 0)
    assert (history.only.count, history.only.reopened) == (60, 0)
    assert history.only.last_seen == NOON + 59 * MINUTE


def test_the_same_trouble_elsewhere_is_another_alert() -> None:
    history = History(all_of(rule("cpu > 90")))
    history.see(check(HOT, resource="web-1"))
    history.see(check(HOT, resource="web-2"))
    assert len(history.open) == 2


def test_an_alert_recovers_by_itself_and_says_what_was_seen() -> None:
    history = History(all_of(rule("cpu > 90")))
    history.see(check(HOT))
    (change,) = history.see(check(COLD, at=NOON + MINUTE, summary="cpu 5%"))
    assert (kinds([change]), change.events[0].text) == (["recovered"], "cpu 5%")
    assert (change.alert.status, change.alert.closed_at) == (Status.RESOLVED, NOON + MINUTE)
    assert change.alert.closed_by is None
    assert history.see(check(COLD, at=NOON + 2 * MINUTE)) == []


def test_what_says_nothing_about_a_trouble_ends_none() -> None:
    history = History(all_of(rule("cpu > 90")))
    history.see(check(HOT))
    assert history.see(check({}, at=NOON + MINUTE, state=State.UNKNOWN)) == []
    assert history.only.status is Status.ACTIVE


@pytest.mark.parametrize(
    ("after", "happens"),
    [(MINUTE, "reopened"), (59 * MINUTE, "reopened"), (HOUR, "fired"), (timedelta(days=2), "fired")],
)
def test_a_trouble_that_comes_back_within_the_window_is_the_same_alert(
    after: timedelta, happens: str
) -> None:
    history = History(all_of(rule("cpu > 90", dedupe=HOUR)))
    history.see(check(HOT))
    history.see(check(COLD, at=NOON + MINUTE))
    (change,) = history.see(check(HOT, at=NOON + MINUTE + after))
    assert kinds([change]) == [happens]
    if happens == "reopened":
        assert (change.alert.count, change.alert.reopened, change.alert.opened_at) == (2, 1, NOON)
        assert (change.alert.closed_at, change.alert.status) == (None, Status.ACTIVE)
        assert change.events[0].text.startswith("came back after")
    else:
        assert (change.alert.count, change.alert.opened_at) == (1, NOON + MINUTE + after)


def test_a_manual_resolve_is_believed_for_the_window_though_the_trouble_never_stopped() -> None:
    history = History(all_of(rule("cpu > 90", dedupe=15 * MINUTE)))
    history.see(check(HOT))
    history.keep(done(resolve(history.only, "U1", "restarted it", NOON + MINUTE)))
    for minute in range(2, 16):
        assert history.see(check(HOT, at=NOON + minute * MINUTE)) == []
    (change,) = history.see(check(HOT, at=NOON + 16 * MINUTE))
    assert kinds([change]) == ["reopened"]
    assert change.events[0].text == "still failing 15 min after it was resolved"
    assert (change.alert.note, change.alert.closed_by) == (None, None)


def test_after_a_manual_resolve_a_trouble_that_stopped_and_came_back_is_told_at_once() -> None:
    history = History(all_of(rule("cpu > 90", dedupe=15 * MINUTE)))
    history.see(check(HOT))
    history.keep(done(resolve(history.only, "U1", None, NOON + MINUTE)))
    assert history.see(check(COLD, at=NOON + 2 * MINUTE)) == []
    (change,) = history.see(check(HOT, at=NOON + 3 * MINUTE))
    assert (kinds([change]), change.events[0].text) == (["reopened"], "came back after 2 min")


def test_an_alert_that_expired_and_is_seen_again_is_the_same_within_the_window() -> None:
    history = History(all_of(rule("cpu > 90", expire=5 * MINUTE)))
    history.see(check(HOT))
    history.keep(done(expire(history.only, NOON + 5 * MINUTE)))
    assert kinds(history.see(check(HOT, at=NOON + 10 * MINUTE))) == ["reopened"]


def steps() -> Rule:
    question = Threshold(field="cpu", steps=((Severity.CRITICAL, 95), (Severity.MEDIUM, 80)))
    return Rule(name="host.cpu", question=question, title="CPU at {cpu}")


def test_an_alert_that_gets_worse_says_so_and_needs_somebody_again() -> None:
    history = History(all_of(steps()))
    history.see(check({"cpu": 85}))
    history.keep(done(acknowledge(history.only, "U1", None, NOON + MINUTE)))
    (change,) = history.see(check({"cpu": 97}, at=NOON + 2 * MINUTE))
    assert kinds([change]) == ["severity"]
    assert "P3 → P1" in change.events[0].text
    assert "needs somebody again" in change.events[0].text
    assert (change.alert.status, change.alert.acknowledged_by) == (Status.ACTIVE, None)
    assert (change.alert.severity, change.urgent, change.alert.firing.title) == (
        Severity.CRITICAL,
        True,
        "CPU at 97",
    )


def test_an_alert_that_gets_better_stays_acknowledged() -> None:
    history = History(all_of(steps()))
    history.see(check({"cpu": 97}))
    history.keep(done(acknowledge(history.only, "U1", None, NOON + MINUTE)))
    (change,) = history.see(check({"cpu": 85}, at=NOON + 2 * MINUTE))
    assert (kinds([change]), change.alert.status) == (["severity"], Status.ACKNOWLEDGED)
    assert change.events[0].text.startswith("P1 → P3")


def test_the_first_match_leaves_the_alerts_of_rules_it_did_not_ask_alone() -> None:
    history = History(first_of(rule("exit_code == 124", "Timeout"), rule("exit_code != 0", "Failed")))
    history.see(job({"exit_code": 3}))
    history.see(job({"exit_code": 124}, at=NOON + MINUTE))
    assert sorted(each.firing.rule for each in history.open.values()) == ["Failed", "Timeout"]
    changes = history.see(job({"exit_code": 0}, at=NOON + 2 * MINUTE, state=State.OK))
    assert kinds(changes) == ["recovered", "recovered"]


def test_a_rule_that_was_not_asked_keeps_its_streak() -> None:
    slow = rule("exit_code != 0", "Failed", hold=2 * MINUTE)
    history = History(first_of(rule("exit_code == 124", "Timeout"), slow))
    history.see(job({"exit_code": 3}))
    history.see(job({"exit_code": 124}, at=NOON + MINUTE))
    changes = history.see(job({"exit_code": 3}, at=NOON + 2 * MINUTE))
    assert [(change.alert.firing.rule, kinds([change])) for change in changes if change.events] == [
        ("Failed", ["fired"]), ("Timeout", ["recovered"]),
    ]  # fmt: skip


def test_streaks_of_rules_that_are_gone_are_forgotten() -> None:
    history = History(all_of(rule("cpu > 90", "old"), rule("cpu > 80", "new")))
    history.see(check(HOT))
    history.groups = all_of(rule("cpu > 80", "new"))
    history.see(check(HOT, at=NOON + MINUTE))
    assert list(history.streaks) == ["new"]


def test_two_jobs_that_raise_one_alert_end_it_only_when_the_one_that_was_bad_is_well() -> None:
    history = History(first_of(rule("exit_code != 0", "Failed", resource="pipeline")))
    history.see(job({"exit_code": 1}, name="a"))
    history.streaks = {}
    assert kinds(history.see(job({"exit_code": 0}, name="b", state=State.OK, at=NOON + MINUTE))) == []
    assert history.only.status is Status.ACTIVE
    assert kinds(history.see(job({"exit_code": 1}, name="b", at=NOON + 2 * MINUTE))) == []
    assert history.only.count == 2
    assert kinds(history.see(job({"exit_code": 0}, name="b", state=State.OK, at=NOON + 3 * MINUTE))) == [
        "recovered"
    ]


def test_rules_that_share_a_name_make_one_alert_and_bad_news_go_first() -> None:
    history = History((*all_of(rule("cpu > 99", "host")), *first_of(rule("cpu > 90", "host"))))
    assert kinds(history.see(check(HOT))) == ["fired"]
    assert kinds(history.see(check(HOT, at=NOON + MINUTE))) == []
    assert history.only.count == 2
    assert kinds(history.see(check(COLD, at=NOON + 2 * MINUTE))) == ["recovered"]


@pytest.mark.parametrize(
    ("own", "conditions", "stands"),
    [
        (State.OK, [], State.OK),
        (State.OK, [("cpu > 90", Severity.HIGH)], State.WARNING),
        (State.OK, [("cpu > 90", Severity.CRITICAL)], State.CRITICAL),
        (State.WARNING, [("cpu > 90", Severity.CRITICAL)], State.CRITICAL),
        (State.CRITICAL, [("cpu > 90", Severity.LOW)], State.CRITICAL),
        (State.OK, [("cpu > 99", Severity.CRITICAL)], State.OK),
        (State.UNKNOWN, [], State.UNKNOWN),
        (State.PENDING, [], State.PENDING),
    ],
)
def test_a_source_stands_as_badly_as_it_reports_or_its_rules_say(
    own: State, conditions: list[tuple[str, Severity]], stands: State
) -> None:
    rules = [rule(source, f"r{number}", severity=level) for number, (source, level) in enumerate(conditions)]
    cannot = Rule(name="unknown", question=CannotRun(), title="cannot run", severity=Severity.MEDIUM)
    standing = Rule(
        name="self",
        question=Standing(severities={State.CRITICAL: Severity.CRITICAL, State.WARNING: Severity.MEDIUM}),
        title="is failing",
    )
    assert evaluate(all_of(*rules, cannot, standing), check(HOT, state=own), Memory()).state is stands


def test_an_observation_of_hundreds_of_fields_shows_as_many_as_anybody_reads() -> None:
    history = History(all_of(rule("cpu > 90")))
    (change,) = history.see(check({**HOT, **{f"field_{number}": number for number in range(500)}}))
    assert 0 < len(change.alert.firing.fields) <= 60


def test_all_the_alerts_an_observation_could_raise_are_known_beforehand() -> None:
    groups = (*all_of(rule("a > 1", "one", resource="{where}")), *first_of(rule("b > 1", "two")))
    seen = check({"where": "LAX"})
    assert fingerprints(groups, seen, variables(seen)) == (
        fingerprint("one", "LAX"),
        fingerprint("two", "host"),
    )


def test_a_fingerprint_is_of_rule_and_resource_and_of_nothing_else() -> None:
    assert alert(severity=Severity.LOW, title="x").fingerprint == alert().fingerprint
    assert len({fingerprint(*pair) for pair in [("a", "bc"), ("ab", "c"), ("", "abc"), ("a", "b")]}) == 4


# --- silences ---------------------------------------------------------------------------------------------

HUSH = Silence(
    id=7,
    fingerprint=fingerprint("hot", "host"),
    starts_at=NOON,
    ends_at=NOON + HOUR,
    created_by="U2",
    reason="deployment",
)


def test_a_problem_that_begins_under_a_silence_is_silenced_from_the_first() -> None:
    history = History(all_of(rule("cpu > 90")))
    history.silences = (HUSH,)
    (change,) = history.see(check(HOT, at=NOON + MINUTE))
    assert kinds([change]) == ["fired", "silenced"]
    assert change.alert.is_silenced(NOON + MINUTE)
    assert (change.alert.silenced_by, change.alert.silence_reason) == ("U2", "deployment")
    assert not change.alert.is_silenced(NOON + HOUR)


def test_a_silence_never_stops_counting_or_resolving() -> None:
    history = History(all_of(rule("cpu > 90")))
    history.see(check(HOT))
    history.keep(done(silence(history.only, "U2", HOUR, None, NOON)))
    history.see(check(HOT, at=NOON + MINUTE))
    assert history.only.count == 2
    assert kinds(history.see(check(COLD, at=NOON + 2 * MINUTE))) == ["recovered"]


def test_a_problem_that_comes_back_under_its_silence_stays_silenced() -> None:
    history = History(all_of(rule("cpu > 90")))
    history.silences = (HUSH,)
    history.see(check(HOT))
    history.see(check(COLD, at=NOON + MINUTE))
    (change,) = history.see(check(HOT, at=NOON + 2 * MINUTE))
    assert kinds([change]) == ["reopened", "silenced"]
    assert change.alert.is_silenced(NOON + 3 * MINUTE)


def test_a_problem_that_comes_back_after_its_silence_carries_none_of_it() -> None:
    history = History(all_of(rule("cpu > 90")))
    history.see(check(HOT))
    history.keep(done(silence(history.only, "U2", 2 * MINUTE, "deploy", NOON)))
    history.see(check(COLD, at=NOON + MINUTE))
    history.silences = (replace(HUSH, ends_at=NOON + 2 * MINUTE),)
    (change,) = history.see(check(HOT, at=NOON + 10 * MINUTE))
    assert kinds([change]) == ["reopened"]
    assert (change.alert.silenced_until, change.alert.silenced_by, change.alert.silence_reason) == (
        None,
        None,
        None,
    )


# --- what people and time do ------------------------------------------------------------------------------

LATER = NOON + 5 * MINUTE


def test_an_acknowledged_alert_says_who_and_when_and_what_they_noted() -> None:
    change = acknowledge(alert(), "U1", "on it", LATER)
    found = done(change)
    assert (found.status, found.acknowledged_by, found.acknowledged_at, found.note) == (
        Status.ACKNOWLEDGED, "U1", LATER, "on it",
    )  # fmt: skip
    assert isinstance(change, Change)
    assert change.events == (Event(kind=EventKind.ACKNOWLEDGED, at=LATER, text="on it", actor="U1"),)


def test_second_acknowledge_changes_nothing_and_says_whose_the_first_was() -> None:
    taken = done(acknowledge(alert(), "U1", None, LATER))
    for who in ("U1", "U2"):
        answer = acknowledge(taken, who, "me too", LATER + MINUTE)
        assert refused(answer) == "already acknowledged by <@U1>"
        assert answer.alert == taken


def test_an_acknowledgement_can_be_taken_back_once() -> None:
    taken = done(acknowledge(alert(), "U1", "on it", LATER))
    back = done(unacknowledge(taken, "U2", LATER))
    assert (back.status, back.acknowledged_by, back.acknowledged_at) == (Status.ACTIVE, None, None)
    assert refused(unacknowledge(back, "U2", LATER)) == "not acknowledged: it is active"


def test_a_resolved_alert_says_by_whom_and_refuses_all_but_coming_back() -> None:
    over = done(resolve(alert(), "U1", "restarted", LATER))
    assert (over.status, over.closed_at, over.closed_by, over.note) == (
        Status.RESOLVED,
        LATER,
        "U1",
        "restarted",
    )
    assert refused(resolve(over, "U2", None, LATER)) == "already resolved by <@U1>"
    assert refused(acknowledge(over, "U2", None, LATER)) == "already resolved"
    assert refused(unacknowledge(over, "U2", LATER)) == "not acknowledged: it is resolved"
    assert refused(silence(over, "U2", HOUR, None, LATER)) == "already resolved"
    assert refused(expire(over, LATER)) == "already resolved"
    assert refused(resolve(recover(alert(), "fine", LATER).alert, "U2", None, LATER)) == "already resolved"


def test_a_note_is_kept_until_there_is_a_newer_one() -> None:
    taken = done(acknowledge(alert(), "U1", "on it", LATER))
    assert done(resolve(taken, "U1", None, LATER)).note == "on it"
    assert done(resolve(taken, "U1", "done", LATER)).note == "done"


def test_a_silence_ends_at_its_time_or_when_somebody_says_so() -> None:
    quiet = done(silence(alert(), "U1", HOUR, "deploy", LATER))
    assert [quiet.is_silenced(LATER + after) for after in (timedelta(0), HOUR - MINUTE, HOUR)] == [
        True,
        True,
        False,
    ]
    assert quiet.status is Status.ACTIVE
    loud = done(unsilence(quiet, "U2", LATER + MINUTE))
    assert not loud.is_silenced(LATER + MINUTE)
    assert refused(unsilence(loud, "U2", LATER)) == "not silenced"


def test_an_expired_alert_says_since_when_nothing_was_heard_of_it() -> None:
    change = expire(alert(), NOON + 24 * HOUR)
    assert isinstance(change, Change)
    assert (change.alert.status, change.alert.closed_by) == (Status.EXPIRED, None)
    assert change.events[0].text == "nothing was heard of it since 2026-11-20 12:00 UTC"


def test_an_alert_seen_again_lives_longer_and_one_without_a_limit_for_ever() -> None:
    limited = alert(expire_after=HOUR)
    seen = repeat(limited, firing(expire_after=HOUR), NOON + 30 * MINUTE).alert
    assert (limited.expires_at, seen.expires_at) == (NOON + HOUR, NOON + 90 * MINUTE)
    assert alert().expires_at is None


def test_news_that_arrive_late_take_no_time_back() -> None:
    seen = repeat(alert(), firing(), NOON - HOUR).alert
    assert (seen.last_seen, seen.count) == (NOON, 2)


def test_a_reopened_alert_keeps_its_number_and_beginning_and_drops_what_ended_it() -> None:
    over = done(resolve(replace(alert(), id=7, version=3), "U1", "fixed", LATER))
    back = reopen(over, firing(title="Hot again"), LATER + MINUTE, "came back").alert
    assert (back.id, back.version, back.opened_at, back.firing.title) == (7, 3, NOON, "Hot again")
    assert (back.closed_at, back.closed_by, back.note, back.acknowledged_by) == (None, None, None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (-5, "0 s"), (0.4, "0 s"), (59, "59 s"), (60, "1 min"), (252, "4 min 12 s"), (3600, "1 h"),
     (3601, "1 h"), (3660, "1 h 1 min"), (86400 * 2 + 3600 * 5, "2 d 5 h"), (86400 * 400, "400 d")],
)  # fmt: skip
def test_lengths_of_time_read_in_their_two_largest_units(seconds: float, text: str) -> None:
    assert spell(timedelta(seconds=seconds)) == text


def test_what_a_rule_shows_of_odd_fields_never_loses_the_alert() -> None:
    fields: dict[str, Any] = {"cpu": 95, "n": 0xD800, "items": [1, {"a": None}], "text": "<!channel>"}
    history = History(
        all_of(rule("cpu > 90", title="{n:c} {items} {text:.1f} {gone}", message="{items:>99}"))
    )
    (change,) = history.see(check(fields))
    assert change.alert.firing.title == "55296 1, {'a': None} <!channel> {gone?}"
