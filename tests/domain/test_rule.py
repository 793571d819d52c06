"""Rules asked of one observation after another: when they raise, when they clear, when they do not apply."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.condition import Outcome, compile_condition
from bot.domain.observation import Observation, variables
from bot.domain.rule import (
    CannotRun,
    Expression,
    Judgement,
    Question,
    Rule,
    RuleGroup,
    Standing,
    Streak,
    Threshold,
    Verdict,
    judge,
)
from bot.domain.severity import Severity
from checks.result import State
from tests.domain.findings import HOUR, MINUTE, NOON, all_of, check, first_of, job, rule

TRUE, FALSE, NOT_APPLICABLE = Outcome
CRITICAL, HIGH, MEDIUM, LOW = Severity


def ask(question: Question, observation: Observation) -> Verdict:
    return question.ask(observation, variables(observation))


def judged(groups: tuple[RuleGroup, ...], *observations: Observation) -> list[Mapping[str, Judgement]]:
    """What the rules say of each observation in turn, by rule."""
    found: list[Mapping[str, Judgement]] = []
    streaks: dict[str, Streak] = {}
    for observation in observations:
        judgements = judge(groups, observation, variables(observation), streaks)
        streaks |= {judgement.rule.name: judgement.streak for judgement in judgements}
        found.append({judgement.rule.name: judgement for judgement in judgements})
    return found


def raising(one: Rule, *observations: Observation) -> list[bool]:
    return [found[one.name].raises for found in judged(all_of(one), *observations)]


def clearing(one: Rule, *observations: Observation) -> list[bool]:
    return [found[one.name].clears for found in judged(all_of(one), *observations)]


STANDING = Standing(severities={State.CRITICAL: CRITICAL, State.WARNING: MEDIUM})


@pytest.mark.parametrize(
    ("state", "outcome", "severity"),
    [
        (State.OK, FALSE, None),
        (State.WARNING, TRUE, MEDIUM),
        (State.CRITICAL, TRUE, CRITICAL),
        (State.UNKNOWN, NOT_APPLICABLE, None),
        (State.PENDING, NOT_APPLICABLE, None),
    ],
)
def test_a_check_stands_as_badly_as_it_says(
    state: State, outcome: Outcome, severity: Severity | None
) -> None:
    found = ask(STANDING, check(state=state, summary="connection refused"))
    assert (found.outcome, found.severity) == (outcome, severity)
    assert found.reason == ("connection refused" if outcome is TRUE else "")


QUEUE = Standing(
    conditions=(
        (State.CRITICAL, compile_condition("depth > 500 || oldest_hours > 168")),
        (State.WARNING, compile_condition("depth > 100 || average_hours > 48")),
    ),
    severities={State.CRITICAL: CRITICAL, State.WARNING: MEDIUM},
)


@pytest.mark.parametrize(
    ("fields", "outcome", "severity", "reason"),
    [
        ({"depth": 5, "oldest_hours": 1, "average_hours": 1}, FALSE, None, ""),
        ({"depth": 101, "oldest_hours": 1, "average_hours": 1}, TRUE, MEDIUM,
         "depth > 100 || average_hours > 48: average_hours = 1, depth = 101"),
        ({"depth": 501, "oldest_hours": 1, "average_hours": 1}, TRUE, CRITICAL,
         "depth > 500 || oldest_hours > 168: depth = 501, oldest_hours = 1"),
        ({"depth": 5, "oldest_hours": 169, "average_hours": 90}, TRUE, CRITICAL,
         "depth > 500 || oldest_hours > 168: depth = 5, oldest_hours = 169"),
        ({"depth": 0, "oldest_hours": None, "average_hours": None}, FALSE, None, ""),
        ({"depth": None, "oldest_hours": None, "average_hours": None}, NOT_APPLICABLE, None, ""),
        ({"depth": 5}, NOT_APPLICABLE, None, ""),
        ({"depth": 200, "oldest_hours": None, "average_hours": None}, TRUE, MEDIUM,
         "depth > 100 || average_hours > 48: depth = 200"),
        ({}, NOT_APPLICABLE, None, ""),
        ({"depth": "many", "average_hours": 50}, TRUE, MEDIUM,
         "depth > 100 || average_hours > 48: average_hours = 50, depth = many"),
    ],
)  # fmt: skip
def test_the_worst_state_whose_condition_holds_is_taken(
    fields: dict[str, Any], outcome: Outcome, severity: Severity | None, reason: str
) -> None:
    found = ask(QUEUE, check(fields))
    assert (found.outcome, found.severity, found.reason) == (outcome, severity, reason)


def test_conditions_do_not_excuse_a_check_that_says_itself_that_it_is_bad() -> None:
    fine = {"depth": 1, "oldest_hours": 1, "average_hours": 1}
    assert ask(QUEUE, check(fine, state=State.CRITICAL)).severity is CRITICAL
    assert ask(QUEUE, check(fine, state=State.WARNING)).severity is MEDIUM
    assert ask(QUEUE, check({**fine, "depth": 501}, state=State.WARNING)).severity is CRITICAL


def test_a_condition_that_cannot_be_calculated_hides_no_other() -> None:
    broken = Standing(
        conditions=(
            (State.CRITICAL, compile_condition("depth.sub > 1")),
            (State.WARNING, compile_condition("depth > 100")),
        ),
        severities={State.CRITICAL: CRITICAL, State.WARNING: MEDIUM},
    )
    assert ask(broken, check({"depth": 200})).severity is MEDIUM
    assert ask(broken, check({"depth": 2})).outcome is NOT_APPLICABLE
    assert ask(broken, check({"depth": 2}, state=State.WARNING)).severity is MEDIUM


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (State.UNKNOWN, TRUE),
        (State.PENDING, NOT_APPLICABLE),
        (State.OK, FALSE),
        (State.WARNING, FALSE),
        (State.CRITICAL, FALSE),
    ],
)
def test_a_check_that_cannot_run_is_a_trouble_of_its_own(state: State, outcome: Outcome) -> None:
    assert ask(CannotRun(), check(state=state)).outcome is outcome


STEPS = Threshold(field="cpu_percent", steps=((CRITICAL, 95), (HIGH, 90), (MEDIUM, 80)), bounded=True)
LIMIT = Threshold(field="response_ms", limit=1000)
LEAST = Threshold(field="free_gb", limit=10, below=True)


@pytest.mark.parametrize(
    ("question", "fields", "severity", "reason"),
    [
        (STEPS, {"cpu_percent": 80}, None, ""),
        (STEPS, {"cpu_percent": 80.1}, MEDIUM,
         "cpu_percent 80.1 is over its threshold of 80, exceeded by 0.1%"),
        (STEPS, {"cpu_percent": 91}, HIGH, "cpu_percent 91 is over its threshold of 90, exceeded by 1.1%"),
        (STEPS, {"cpu_percent": 99}, CRITICAL, "cpu_percent 99 is over its threshold of 95, exceeded by 4.2%"),
        (LIMIT, {"response_ms": 1000}, None, ""),
        (LIMIT, {"response_ms": 1100}, MEDIUM, "response_ms 1100 is over its threshold of 1000, exceeded by 10.0%"),
        (LIMIT, {"response_ms": 1600}, CRITICAL, "response_ms 1600 is over its threshold of 1000, exceeded by 60.0%"),
        (LEAST, {"free_gb": 10}, None, ""),
        (LEAST, {"free_gb": 7}, HIGH, "free_gb 7 is under its threshold of 10, exceeded by 30.0%"),
        (Threshold(field="cpu_percent", limit=80, bounded=True), {"cpu_percent": 92}, HIGH,
         "cpu_percent 92 is over its threshold of 80, exceeded by 15.0%"),
        (Threshold(field="cpu_percent", limit=80, bounded=True), {"cpu_percent": 95}, CRITICAL,
         "cpu_percent 95 is over its threshold of 80, exceeded by 18.8%"),
        (Threshold(field="cpu_percent", limit=80), {"cpu_percent": 95}, MEDIUM,
         "cpu_percent 95 is over its threshold of 80, exceeded by 18.8%"),
    ],
)  # fmt: skip
def test_a_field_past_its_limit_says_by_how_much(
    question: Threshold, fields: dict[str, Any], severity: Severity | None, reason: str
) -> None:
    found = ask(question, check(fields))
    assert (found.outcome, found.severity) == (TRUE if severity else FALSE, severity)
    assert (found.reason, found.field) == (reason, question.field if severity else None)


@pytest.mark.parametrize("value", [None, "92", True, [92], {"a": 1}, float("nan")])
def test_a_field_that_is_no_number_is_past_nothing(value: Any) -> None:
    assert ask(LIMIT, check({"response_ms": value})).outcome is NOT_APPLICABLE
    assert ask(LIMIT, check({})).outcome is NOT_APPLICABLE


def csv_rule() -> Expression:
    return Expression(condition=compile_condition("job == 'parse' && error_code == 'CSV_INVALID'"))


def test_a_condition_holds_when_it_holds_for_one_of_several_error_codes() -> None:
    found = ask(csv_rule(), job({"error_codes": ["NET", "CSV_INVALID"]}))
    assert found.outcome is TRUE
    assert ask(csv_rule(), job({"error_codes": ["CSV_INVALID"]})).outcome is TRUE
    assert ask(csv_rule(), job({"error_codes": ["NET", "DISK"]})).outcome is FALSE
    assert ask(csv_rule(), job({"error_codes": []})).outcome is NOT_APPLICABLE


def test_an_error_code_of_an_odd_kind_hides_no_other() -> None:
    starts = Expression(condition=compile_condition("error_code.startsWith('CSV')"))
    assert ask(starts, job({"error_codes": [3, None, {"a": 1}, "CSV_INVALID"]})).outcome is TRUE


def test_a_run_says_how_it_ended_and_a_check_shows_the_values_that_matter() -> None:
    invalid = Expression(condition=compile_condition("pct_invalid > 5"))
    assert ask(invalid, job({"pct_invalid": 12.0})).reason == "ERROR (pct_invalid = 12)"
    assert ask(csv_rule(), job({"error_code": "CSV_INVALID"})).reason == "ERROR"
    assert ask(invalid, check({"pct_invalid": 12.0})).reason == "pct_invalid > 5: pct_invalid = 12"


HOT, COLD, ABSENT = {"cpu": 95}, {"cpu": 5}, dict[str, Any]()


def minutes(*fields: dict[str, Any]) -> list[Observation]:
    """One observation a minute."""
    return [check(each, at=NOON + number * MINUTE) for number, each in enumerate(fields)]


def test_a_rule_raises_at_once_unless_told_otherwise() -> None:
    assert raising(rule("cpu > 90"), *minutes(COLD, HOT, HOT, COLD)) == [False, True, True, False]


def test_failures_count_observations_in_a_row() -> None:
    patient = rule("cpu > 90", failures=3)
    assert raising(patient, *minutes(HOT, HOT, COLD, HOT, HOT, HOT, HOT)) == [False] * 5 + [True, True]


def test_recoveries_count_observations_in_a_row() -> None:
    careful = rule("cpu > 90", recoveries=2)
    assert clearing(careful, *minutes(HOT, COLD, HOT, COLD, COLD, COLD)) == [False] * 4 + [True, True]


def test_what_says_nothing_neither_breaks_a_streak_nor_lengthens_it() -> None:
    patient = rule("cpu > 90", failures=2, recoveries=2)
    assert raising(patient, *minutes(HOT, ABSENT, ABSENT, HOT)) == [False, False, False, True]
    assert clearing(patient, *minutes(COLD, ABSENT, COLD)) == [False, False, True]


def test_a_rule_with_a_hold_waits_until_its_answer_has_lasted_so_long() -> None:
    slow = rule("cpu > 90", hold=3 * MINUTE)
    assert raising(slow, *minutes(HOT, HOT, HOT, HOT, HOT)) == [False, False, False, True, True]
    assert raising(slow, *minutes(HOT, HOT, COLD, HOT, HOT, HOT, HOT)) == [False] * 6 + [True]
    assert raising(slow, check(HOT, at=NOON), check(HOT, at=NOON + HOUR)) == [False, True]


def test_a_job_that_ended_well_has_none_of_the_troubles_its_run_no_longer_mentions() -> None:
    one = rule("error_code == 'CSV_INVALID'")
    failed, succeeded = job({"error_code": "CSV_INVALID"}), job({}, state=State.OK)
    assert clearing(one, failed, succeeded) == [False, True]
    assert clearing(one, failed, job({}, state=State.CRITICAL)) == [False, False]
    assert clearing(one, check({"error_code": "CSV_INVALID"}), check({})) == [False, False]


def test_a_rule_that_cannot_be_calculated_does_not_apply_and_says_why() -> None:
    (found,) = judged(all_of(rule("cpu > 90")), check({"cpu": "high"}))
    assert found["hot"].verdict.outcome is NOT_APPLICABLE
    assert "different kinds" in found["hot"].verdict.reason
    assert not found["hot"].raises


def test_the_first_rule_that_matches_decides() -> None:
    groups = first_of(rule("x > 3", "three"), rule("x > 2", "two"), rule("x > 1", "one"))
    assert [list(found) for found in judged(groups, *minutes({"x": 5}, {"x": 2.5}, {"x": 0}))] == [
        ["three"], ["three", "two"], ["three", "two", "one"],
    ]  # fmt: skip


def test_a_rule_may_let_the_next_ones_speak_too() -> None:
    groups = first_of(rule("x > 3", "three", goes_on=True), rule("x > 2", "two"), rule("x > 1", "one"))
    (found,) = judged(groups, check({"x": 5}))
    assert [name for name, each in found.items() if each.raises] == ["three", "two"]


def test_every_group_is_asked() -> None:
    groups = (*first_of(rule("x > 3", "three"), rule("x > 1", "one")), *all_of(rule("x > 2", "two")))
    (found,) = judged(groups, check({"x": 5}))
    assert list(found) == ["three", "two"]


@pytest.mark.parametrize(
    ("template", "resource"),
    [
        (None, "parse"),
        ("{location}", "LAX"),
        ("{job} at {location}", "parse at LAX"),
        ("{nowhere}", "{nowhere?}"),
        ("{empty}", "parse"),
        ("{long}", "x" * 300),
        ("{nul}", "ab"),
    ],
)
def test_a_rule_may_say_what_its_alert_is_about(template: str | None, resource: str) -> None:
    seen = job({"location": "LAX", "empty": " ", "long": "x" * 5000, "nul": "a\0b"})
    assert rule("true", resource=template).resource_of(seen, variables(seen)) == resource


def test_a_streak_begins_when_the_answer_turns() -> None:
    streak = Streak()
    for minute, outcome in enumerate([FALSE, TRUE, TRUE, NOT_APPLICABLE, TRUE]):
        streak = streak.advanced(outcome, NOON + timedelta(minutes=minute))
    assert streak == Streak(matches=3, since=NOON + MINUTE)
    assert streak.advanced(FALSE, NOON + HOUR) == Streak(clears=1)
