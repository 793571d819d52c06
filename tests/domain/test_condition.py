"""Conditions in CEL: what they say of fields that are there, missing, null, or of another kind."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.condition import Condition, ConditionError, Outcome, compile_condition
from tests.properties import quick

TRUE, FALSE, NOT_APPLICABLE = Outcome


def answer(source: str, fields: dict[str, Any]) -> Outcome | str:
    """What a condition says, or why it says nothing."""
    try:
        return Condition(source).evaluate(fields)
    except ConditionError as error:
        return str(error)


@pytest.mark.parametrize(
    ("source", "fields", "outcome"),
    [
        (
            "job == 'parse' && error_code == 'CSV_INVALID'",
            {"job": "parse", "error_code": "CSV_INVALID"},
            TRUE,
        ),
        ("pct_invalid > 5 && pct_invalid <= 10", {"pct_invalid": 5}, FALSE),
        ("pct_invalid > 5 && pct_invalid <= 10", {"pct_invalid": 5.1}, TRUE),
        ("pct_invalid > 5 && pct_invalid <= 10", {"pct_invalid": 10}, TRUE),
        ("exit_code == 124", {"exit_code": 124}, TRUE),
        ("exit_code == 124", {"exit_code": 124.0}, TRUE),
        ("exit_code != 0", {"exit_code": 0}, FALSE),
        ("state in ['build_failed', 'update_failed']", {"state": "build_failed"}, TRUE),
        ("state in ['build_failed', 'update_failed']", {"state": "live"}, FALSE),
        ("ok", {"ok": True}, TRUE),
        ("!ok", {"ok": True}, FALSE),
        ("name.startsWith('api-')", {"name": "api-1"}, TRUE),
        ("size(errors) > 2", {"errors": ["a", "b", "c"]}, TRUE),
        ("errors.exists(e, e.contains('deadlock'))", {"errors": ["a deadlock"]}, TRUE),
        ("rows.all(r, r.count > 1)", {"rows": [{"count": 2}, {"count": 1}]}, FALSE),
        ("bookings < 0.65 * baseline.bookings", {"bookings": 6, "baseline": {"bookings": 10}}, TRUE),
        ("int(minute) % 2 == 0", {"minute": 30}, TRUE),
        ("failed / total > 0.1", {"failed": 3, "total": 10}, TRUE),
        ("a == '1'", {"a": 1}, FALSE),
    ],
)
def test_a_condition_says_of_fields_whether_it_holds(
    source: str, fields: dict[str, Any], outcome: Outcome
) -> None:
    assert Condition(source).evaluate(fields) is outcome


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("cpu > 90", {}),
        ("cpu > 90", {"cpu": None}),
        ("cpu != 0", {}),
        ("!(cpu > 90)", {}),
        ("cpu == null", {}),
        ("a && b", {"b": True}),
        ("a || b", {"b": False}),
        ("a ? true : false", {}),
        ("x.y > 1", {"x": {}}),
        ("x.y > 1", {"x": {"y": None}}),
        ("baseline.x > 1", {"baseline": {"other": 1}}),
        ("rows[0] > 1", {"rows": []}),
        ("rows[3] > 1", {"rows": [1, 2]}),
        ("rows[0].count > 1", {"rows": [{}]}),
        ("size(errors) > 2", {"errors": 5}),
        ("int(text) > 1", {"text": "abc"}),
        ("timestamp(at) < timestamp('2026-01-01T00:00:00Z')", {"at": "yesterday"}),
        ("name.matches('(')", {"name": "x"}),
        ("int(a) / int(b) > 1", {"a": 1, "b": 0}),
        ("int(a) % int(b) == 0", {"a": 1, "b": 0}),
        ("cpu > 90", {"cpu": float("nan")}),
    ],
)
def test_a_condition_without_what_it_needs_does_not_apply(source: str, fields: dict[str, Any]) -> None:
    assert Condition(source).evaluate(fields) is NOT_APPLICABLE


@pytest.mark.parametrize(
    ("source", "fields", "outcome"),
    [
        ("a && b", {"b": False}, FALSE),
        ("a && b", {"a": False}, FALSE),
        ("a || b", {"b": True}, TRUE),
        ("cpu > 90 || memory > 90", {"memory": 95}, TRUE),
        ("has(x.y)", {"x": {}}, FALSE),
        ("has(x.y) && x.y > 1", {"x": {}}, FALSE),
    ],
)
def test_what_is_missing_does_not_matter_where_the_rest_decides(
    source: str, fields: dict[str, Any], outcome: Outcome
) -> None:
    assert Condition(source).evaluate(fields) is outcome


@pytest.mark.parametrize(
    ("source", "fields", "message"),
    [
        ("cpu > 90", {"cpu": "high"}, "different kinds"),
        ("cpu + 1.0 > 90", {"cpu": "high"}, "different kinds"),
        ("x.y > 1", {"x": 3}, "different kinds"),
        ("cpu", {"cpu": 5}, "gives 5.0, not true or false; compare it with something"),
        ("cpu - 1 > 2", {"cpu": 5}, "whole number; write it with a point: 1.0"),
        ("9223372036854775807 + 1 > 0", {}, "whole number"),
    ],
)
def test_what_can_never_be_calculated_says_why(source: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        Condition(source).evaluate(fields)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "at character 1"),
        ("cpu >", "is not a condition"),
        ("cpu = 90", "; write == to compare"),
        ("cpu > 90 and disk > 90", "; write && for and"),
        ("not ok", "! for not"),
        ("now() > 3", "now.., which there is none of"),
        ("open('/etc/passwd') == ''", "open.., which there is none of"),
        ("a\0 == 1", "is not a condition"),
        ("a == '\ud800'", "is not a condition"),
    ],
)
def test_what_is_no_condition_is_refused_with_what_to_write(source: str, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        Condition(source)


@pytest.mark.parametrize(
    "bomb",
    [
        "(" * 5000 + "1" + ")" * 5000,
        "[" * 3000 + "]" * 3000,
        "{1:" * 3000 + "1" + "}" * 3000,
        "size(" * 400 + "x" + ")" * 400,
        "a?b:" * 2400 + "c",
        "a == '" + "x" * 20_000 + "'",
        "(" * 1_000_000,
    ],
    ids=["brackets", "lists", "maps", "calls", "ternaries", "long", "megabyte"],
)
def test_a_condition_too_deep_or_too_long_is_refused_and_harms_nobody(bomb: str) -> None:
    with pytest.raises(ConditionError) as caught:
        Condition(bomb)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "chain",
    ["!" * 9000 + "a", "-" * 9000 + "1", "a" + ".a" * 4900, "a" + "[0]" * 3000, "&&".join(["a"] * 3000)],
    ids=["nots", "minuses", "members", "indexes", "ands"],
)
def test_a_long_chain_is_answered_or_refused_but_never_crashes(chain: str) -> None:
    assert answer(chain, {"a": True})


def test_brackets_within_a_text_nest_nothing() -> None:
    assert Condition("text == '" + "(" * 50 + "'").evaluate({"text": "(" * 50}) is TRUE


def test_the_fields_a_condition_needs_are_known() -> None:
    assert Condition("a.b > 1 && c in ['x'] && items.all(i, i > 0)").variables >= {"a", "c", "items"}


def test_a_condition_is_compiled_once() -> None:
    assert compile_condition("once > 1") is compile_condition("once > 1")


FIELDS = st.dictionaries(
    st.sampled_from(["a", "b", "x"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)
SOURCES = st.sampled_from(
    [
        "a > 1",
        "a.b == x",
        "a[0] < b",
        "a in x",
        "size(a) > 1",
        "a / b > 0.5",
        "!a",
        "a && b || x",
        "int(a) > 0",
        "a.contains(b)",
        "a + b == x",
        "a ? b : x",
        "x.all(i, i > a)",
        "a.matches(b)",
        "timestamp(a) == b",
    ]
)


@quick
@given(source=SOURCES, fields=FIELDS)
def test_whatever_the_fields_hold_there_is_an_answer_or_a_reason(source: str, fields: dict[str, Any]) -> None:
    assert answer(source, fields)


@quick
@given(source=st.text(alphabet=string.printable + "é\0", max_size=40))
def test_whatever_is_written_there_is_a_condition_or_a_reason(source: str) -> None:
    assert answer(source, {"a": 1})
