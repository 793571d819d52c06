"""Which way a drill goes."""

from __future__ import annotations

import pytest

from bot.config.plans import plan_of
from bot.domain.drill import NoSuchRoute, way_of_route, way_of_severity
from bot.domain.plan import Plan
from bot.domain.severity import Severity
from tests.config.reading import read
from tests.domain.findings import NOON

ROUTES = """
destinations: {email: {url: "mailtos://user:pass@example.com"}, sms: {url: "json://example.com"}}
routes:
  - {match: severity == 'critical', to: [slack, "#ops", email]}
  - {match: category == 'security', to: [slack, sms]}
  - {match: severity == 'low', to: [digest]}
  - {to: [slack]}
"""


def plan(*deliverable: str) -> Plan:
    return plan_of(read(ROUTES), deliverable=frozenset(deliverable))


def places(way_plan: Plan, severity: Severity) -> list[tuple[str, str]]:
    way = way_of_severity(way_plan, severity, NOON)
    return [(place.destination, place.channel) for place in way.places]


def test_a_severity_goes_where_its_alerts_go_destinations_beside_slack_included() -> None:
    assert places(plan(), Severity.CRITICAL) == [("slack", "#alerts"), ("slack", "#ops")]
    assert places(plan("email"), Severity.CRITICAL)[-1] == ("email", "")
    assert places(plan(), Severity.LOW) == []


def test_a_route_is_tried_by_its_number_whatever_it_takes() -> None:
    way = way_of_route(plan(), 2, Severity.CRITICAL, NOON)
    assert [place.channel for place in way.places] == ["#alerts"]
    assert way.about == "Route 2 (category == 'security') → slack, sms"
    assert way.notes == ("sms was left out: nothing can be sent to it",)


@pytest.mark.parametrize("number", [0, 5])
def test_a_route_that_is_not_there_is_refused(number: int) -> None:
    with pytest.raises(NoSuchRoute):
        way_of_route(plan(), number, Severity.CRITICAL, NOON)
