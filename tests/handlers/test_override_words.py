"""`/tocsin set …` as people write it."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.slack.asking import NotUnderstood
from handlers.slack.override_words import Wish, parse_path, parse_set


@pytest.mark.parametrize(
    ("text", "path", "value", "reason"),
    [
        ("host.cpu_percent 90", "host.cpu_percent", 90, None),
        ("host.cpu_percent 90 because we deploy", "host.cpu_percent", 90, "we deploy"),
        ("host.cpu_percent to 90 Because: we deploy", "host.cpu_percent", 90, "we deploy"),
        ("`host.cpu_percent = 90`", "host.cpu_percent", 90, None),
        ("host.cpu_percent &lt; 10", "host.cpu_percent", "< 10", None),
        ("host.cpu_percent P1=95 P2=80", "host.cpu_percent", {"P1": 95, "P2": 80}, None),
        ("host.cpu_percent off", "host.cpu_percent", None, None),
        ("host.flapping off", "host.flapping", False, None),
        (
            "host.condition cpu_percent &gt; 90 &amp;&amp; up == 1",
            "host.condition",
            "cpu_percent > 90 && up == 1",
            None,
        ),
        ("host.mention @oncall @alex", "host.mention", "@oncall @alex", None),
        (
            'host.message "down because of load" because I say so',
            "host.message",
            "down because of load",
            "I say so",
        ),
        ("rule “Job failed” severity P2", 'rule."Job failed".severity', "P2", None),
        ("rule Slow severity P2", "rule.Slow.severity", "P2", None),
        ('rule "Job failed" off because it is noise', 'rule."Job failed"', None, "it is noise"),
        (
            'Rule New {condition: "x > 1", severity: P2}',
            "rule.New",
            {"condition": "x > 1", "severity": "P2"},
            None,
        ),
        ("job parse_orders sla.warning 50%", "job.parse_orders.sla.warning", "50%", None),
        ('alerts."Job failed".severity P1', 'alerts."Job failed".severity', "P1", None),
    ],
)
def test_a_wish_has_a_path_a_value_and_a_reason(text: str, path: str, value: Any, reason: str | None) -> None:
    assert parse_set(text) == Wish(path=path, value=value, reason=reason)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "What should be changed?"),
        ("because of nothing", "What should be changed?"),
        ("host.cpu_percent", "What should `host.cpu_percent` be?"),
        ("host.cpu_percent because we deploy", "What should `host.cpu_percent` be?"),
        ("rule", "Which rule?"),
        ("host.title ${SLACK_BOT_TOKEN}", "The value cannot be read"),
        ('"', "What should be changed?"),
    ],
)
def test_what_is_missing_is_asked_for(text: str, why: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse_set(text)
    assert why in str(caught.value)


def test_a_path_alone_is_taken_back() -> None:
    assert parse_path('rule "Job failed" severity') == 'rule."Job failed".severity'
    with pytest.raises(NotUnderstood, match="One path, please"):
        parse_path("host.cpu_percent 90")
