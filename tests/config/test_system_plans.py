"""The teams' routes and escalations do what their files say, without and with the destinations to come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.config.plans import plan_of
from bot.domain.escalation import follow, take_step
from bot.domain.severity import Severity
from tests.config.test_systems import system
from tests.domain.findings import NOON, alert

P1, P2, P3, P4 = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW
ADDRESSES = dict.fromkeys(
    ("MAIL_URL", "SMS_URL", "DISCORD_URL", "WEBHOOK_URL", "GCHAT_URL", "PAGERDUTY_URL", "SENTRY_DSN", "TEAMS_URL"),
    "json://127.0.0.1/",
) | {"SENTRY_DSN": "https://key@sentry.example.com/1"}  # fmt: skip
ALL = frozenset({"email", "sms", "discord", "webhook", "gchat", "pagerduty", "sentry", "teams"})


@pytest.mark.parametrize(
    ("name", "severity", "category", "now", "then", "escalation"),
    [
        ("homeverse", P1, "availability", "#production", "#production email", "page"),
        ("homeverse", P2, "performance", "#production", "#production email", None),
        ("homeverse", P3, "system", "#production", "email", None),
        ("homeverse", P4, "system", "", "", None),
        ("keto-meals", P1, "application", "#ops", "#ops sentry pagerduty", "page"),
        ("keto-meals", P3, "application", "#ops", "#ops sentry", "lead"),
        ("keto-meals", P2, "application", "#ops", "#ops", None),
        ("alertacall", P1, "database", "#data-pipelines", "#data-pipelines gchat email", "persists"),
        ("alertacall", P3, "database", "#data-pipelines", "#data-pipelines gchat", None),
        ("myhibachi", P1, "security", "#alerts", "#alerts email sms webhook", None),
        ("myhibachi", P2, "security", "#alerts", "#alerts email discord", None),
        ("myhibachi", P3, "system", "#alerts", "#alerts", None),
        ("fleetyield", P1, "application", "#fleetyield-alerts", "#fleetyield-alerts", None),
    ],
)
def test_each_severity_goes_where_the_team_wants_it(
    name: str, severity: Severity, category: str, now: str, then: str, escalation: str | None
) -> None:
    found = alert(severity=severity, category=category)
    today = plan_of(system(name, **ADDRESSES)).route(found, NOON)
    later = plan_of(system(name, **ADDRESSES), deliverable=ALL).route(found, NOON)
    off = plan_of(system(name), deliverable=ALL).route(found, NOON)
    for routing, expected in ((today, now), (later, then), (off, now)):
        assert [place.channel or place.destination for place in routing.places] == expected.split()
        assert routing.escalation == escalation


@pytest.mark.parametrize(
    ("name", "severity", "minutes", "mentions", "targets", "said"),
    [
        ("homeverse", P1, 5, ["oncall"], ["slack"], "to be answered within 5 min"),
        ("homeverse", P1, 15, [], ["email"], "Nobody has acknowledged"),
        ("keto-meals", P1, 15, [], ["slack"], "to be answered within 15 min"),
        ("keto-meals", P1, 30, ["oncall"], ["pagerduty"], "for 30 min"),
        ("keto-meals", P3, 240, [], ["slack"], "to be answered within 4 h"),
        ("keto-meals", P3, 1440, ["lead"], ["email"], "for 1 d"),
        (
            "alertacall",
            P1,
            60,
            [],
            ["slack", "gchat", "email"],
            "Still failing an hour after it was first seen",
        ),
    ],
)
def test_nobody_answering_calls_whom_the_team_wants_when_it_wants(
    name: str, severity: Severity, minutes: int, mentions: list[str], targets: list[str], said: str
) -> None:
    plan = plan_of(system(name))
    found = replace(alert(severity=severity), id=1, version=1)
    policy = plan.policy(plan.route(found, NOON).escalation)
    assert policy is not None
    current, _ = follow(None, found, policy, NOON)
    for minute in range(minutes + 1):
        assert current is not None
        current, call = take_step(current, found, policy, (), NOON + timedelta(minutes=minute))
    assert call is not None, "due in this very minute"
    assert (list(call.mentions), list(call.targets)) == (mentions, targets)
    assert said in call.text
