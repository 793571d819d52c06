"""Conditions tried when the file is read."""

from __future__ import annotations

import pytest

from bot.config.trial import parts_of, try_condition, try_expression
from bot.domain.condition import ConditionError


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("2 * x > 1", "'2 * x > 1' calculates with a whole number; write 2.0 * x > 1.0"),
        (
            "x < 2 * baseline.x",
            "'x < 2 * baseline.x' calculates with a whole number; write x < 2.0 * baseline.x",
        ),
        (
            "job == 'a' && !(b || 10 - x > 3)",
            "'10 - x > 3' calculates with a whole number; write 10.0 - x > 3.0",
        ),
        (
            "name == 'v2' ? x / 2 > 1 : y > 1",
            "'x / 2 > 1' calculates with a whole number; write x / 2.0 > 1.0",
        ),
        ("x % 2 == 0", "'x % 2 == 0' divides with a rest, which needs whole numbers; write int(x) % 2 == 0"),
        ("x + 1.0", "'x + 1.0' gives a number, not true or false; compare it with something"),
        ("x > 1 || 'yes'", "\"'yes'\" gives a text, not true or false; compare it with something"),
    ],
)
def test_what_could_never_be_calculated_is_refused_with_its_remedy(source: str, message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        try_condition(source)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "source",
    [
        "x > 5 && x <= 10",
        "bookings_per_hour < 0.65 * baseline.bookings_per_hour",
        "deploy_status in ['build_failed', 'update_failed']",
        "name.startsWith('a && b') && y > 1",
        "first + ' ' + last == 'a b'",
        "size(tags) * 2 > 3",
        "failing",
        "!failing",
        "checks.api.failing",
        "x ? y > 1 : z > 1",
        "has(x.y) && x.y > 1",
        "tags.exists(tag, tag == 'a')",
        "scores[0] > 1 || limits['cpu'] * 2 > 1",
        "int(x) % 2 == 0",
        "timestamp(at) > timestamp('2026-01-01T00:00:00Z')",
        "true",
    ],
)
def test_what_may_hold_for_some_values_is_taken(source: str) -> None:
    assert try_condition(source).source == source


def test_an_expression_may_give_a_text() -> None:
    source = "resource_type == 'blacklist' ? 'cleanup_blacklist' : 'cleanup_' + resource_type + 's'"
    assert try_expression(source).source == source


def test_a_condition_is_tried_in_its_parts() -> None:
    assert list(parts_of("!(a == ')&&' && (b || f(c || d))) ? e : g[h ? 1 : 2]")) == [
        "a == ')&&'",
        "b",
        "f(c || d)",
        "e",
        "g[h ? 1 : 2]",
    ]
