"""Alerts from outside: how urgent they are, what they show, when two of them are one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.alert import fingerprint
from bot.domain.decision import Memory, evaluate
from bot.domain.raised import LASTS, RaisedAlert, observation_of, rules_of
from bot.domain.severity import Severity

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ({}, Severity.MEDIUM),
        ({"error_count": 5}, Severity.MEDIUM),
        ({"error_count": 6}, Severity.HIGH),
        ({"affected_users": 10}, Severity.MEDIUM),
        ({"affected_users": 11}, Severity.CRITICAL),
        ({"alert_type": "DatabaseError"}, Severity.CRITICAL),
        ({"metadata": {"error_type": "psycopg.DatabaseError"}}, Severity.CRITICAL),
        ({"affected_users": 11, "severity": Severity.LOW}, Severity.LOW),
    ],
)
def test_what_is_said_of_an_error_makes_its_severity(said: dict[str, Any], severity: Severity) -> None:
    assert RaisedAlert(**{"alert_type": "error", "resource": "api", **said}).judged is severity


def firing(raised: RaisedAlert, **limits: Any) -> Any:
    rules = rules_of(raised, dedupe=timedelta(hours=1), expire=None)
    (change,) = evaluate(rules, observation_of(raised, NOW), Memory()).changes
    return change.alert.firing


def test_it_is_told_in_the_words_of_who_raised_it() -> None:
    found = firing(
        RaisedAlert(
            alert_type="checkout_error",
            resource="api-1",
            title="KeyError in {checkout}",
            message="the cart is {empty}",
            metadata={"endpoint": "/checkout"},
            related_logs=("one", "two"),
            stack_trace="Traceback (most recent call last)\nKeyError: 'cart'",
            recommendations=("Roll back",),
            category="business",
            affected_users=45,
        )
    )

    assert found.title == "KeyError in {checkout}"
    assert found.reason == "the cart is {empty}"
    assert (found.category, found.recommendations) == ("business", ("Roll back",))
    assert found.fields == {"endpoint": "/checkout", "affected_users": 45}
    assert [(item.title, item.text) for item in found.diagnostics] == [
        ("Stack trace", "Traceback (most recent call last)\nKeyError: 'cart'"),
        ("Related log lines", "one\ntwo"),
        ("Details", "endpoint: /checkout"),
    ]
    assert found.fingerprint == fingerprint("checkout_error", "api-1")
    assert found.expire_after == LASTS


def test_of_a_long_trace_the_part_that_names_the_cause_is_kept() -> None:
    python = "Traceback (most recent call last)\n" + "  File\n" * 1000 + "KeyError: 'cart'"
    java = "java.lang.NullPointerException: cart\n" + "\tat shop.Cart\n" * 1000

    texts = [
        firing(RaisedAlert(alert_type="e", resource="r", stack_trace=t)).diagnostics[0].text
        for t in (python, java)
    ]

    assert texts[0].endswith("KeyError: 'cart'")
    assert texts[1].startswith("java.lang.NullPointerException: cart")
    assert all(len(text) < 2600 for text in texts)


def test_one_that_is_over_begins_nothing() -> None:
    raised = RaisedAlert(alert_type="error", resource="api", over=True)
    rules = rules_of(raised, dedupe=timedelta(hours=1), expire=None)

    assert evaluate(rules, observation_of(raised, NOW), Memory()).changes == ()
