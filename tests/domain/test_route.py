"""Where an alert goes, whom it names there, and the reasons given."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.condition import compile_condition
from bot.domain.quiet import QuietHours
from bot.domain.route import Place, Route, Routing, route
from bot.domain.severity import Severity
from tests.domain.findings import NOON, alert

P1, P2, P3, P4 = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW
UTC_ZONE = ZoneInfo("UTC")
NIGHT = QuietHours(start=time(22), end=time(7), zone=UTC_ZONE, below=P2)
ELEVEN_AT_NIGHT = NOON.replace(hour=23)


def to(*targets: str, match: str | None = None, **parts: object) -> Route:
    condition = None if match is None else compile_condition(match)
    return Route(to=targets, condition=condition, **parts)  # type: ignore[arg-type]


# The routes of four of the teams.
HOMEVERSE = (
    to("slack", "email", match="severity == 'critical'", escalation="page"),
    to("slack", "email", match="severity == 'high'"),
    to("email", match="severity == 'medium'"),
    to("digest", match="severity == 'low'"),
)
KETO = (
    to("slack", "sentry", "pagerduty", match="severity == 'critical'", escalation="page"),
    to("slack", "sentry", match="severity == 'medium'", escalation="lead"),
    to("slack"),
)


def routed(
    routes: tuple[Route, ...], *, deliverable: set[str] | None = None, now: datetime = NOON,
    quiet: tuple[QuietHours, ...] = (), **firing: object,
) -> Routing:  # fmt: skip
    return route(
        alert(**firing),
        routes,
        channel="#alerts",
        deliverable=deliverable or set(),
        respond_within={"page": timedelta(minutes=15), "lead": None},
        quiet_hours=quiet,
        now=now,
    )


def channels(routing: Routing) -> list[str]:
    return [place.channel or place.destination for place in routing.places]


@pytest.mark.parametrize(
    ("routes", "deliverable", "severity", "places", "targets"),
    [
        ((), set(), P1, ["#alerts"], ("slack",)),
        (HOMEVERSE, {"email"}, P1, ["#alerts", "email"], ("slack", "email")),
        (HOMEVERSE, set(), P1, ["#alerts"], ("slack", "email")),
        (HOMEVERSE, {"email"}, P3, ["email"], ("email",)),
        (HOMEVERSE, set(), P3, ["#alerts"], ("email",)),  # told in Slack rather than nowhere
        (HOMEVERSE, set(), P4, [], ("digest",)),
        (HOMEVERSE, {"email"}, P4, [], ("digest",)),
        (KETO, {"sentry", "pagerduty"}, P1, ["#alerts", "sentry", "pagerduty"], ("slack", "sentry", "pagerduty")),
        (KETO, set(), P2, ["#alerts"], ("slack",)),
        (HOMEVERSE[:2], set(), P4, ["#alerts"], ("slack",)),  # no route takes it
        ((to("#ops", "#db"),), set(), P3, ["#ops", "#db"], ("#ops", "#db")),
        ((to("digest", "email"),), set(), P3, ["#alerts"], ("digest", "email")),
    ],
)  # fmt: skip
def test_an_alert_goes_where_the_first_route_that_takes_it_says(
    routes: tuple[Route, ...],
    deliverable: set[str],
    severity: Severity,
    places: list[str],
    targets: tuple[str, ...],
) -> None:
    found = routed(routes, deliverable=deliverable, severity=severity)
    assert channels(found) == places
    assert found.targets == targets


def test_the_reasons_name_the_route_its_condition_and_the_places() -> None:
    found = routed((*HOMEVERSE[:1], to("#ops", "email", match="severity == 'high'", mention=("ethan",))))
    assert found.reasons == (
        "route 2 matched (severity == 'high') → #ops, email",
        "nothing can be sent to email",
        "told in #ops (naming ethan)",
    )
    assert routed(HOMEVERSE, severity=P4).reasons == (
        "route 4 matched (severity == 'low') → digest",
        "it is told in the digest only",
    )
    assert routed(HOMEVERSE[:1], severity=P4).reasons == ("no route takes it", "told in #alerts")


def test_an_alert_for_what_nothing_can_be_sent_to_says_so_once_in_slack() -> None:
    found = routed((to("email", "sms", mention=("lead",)),), mention="@ops")
    assert found.instead_of == ("email", "sms")
    assert found.places == (Place(destination="slack", channel="#alerts", mentions=("ops", "lead")),)
    assert "nothing can be sent to email, sms, so it is told in Slack" in found.reasons


def test_continue_asks_the_routes_after_it_and_adds_their_places_and_names() -> None:
    found = routed(
        (
            to("#db", match="category == 'system'", mention=("dba",), goes_on=True),
            to("slack", mention=("dba", "oncall"), escalation="page"),
            to("#never"),
        )
    )
    assert found.places == (
        Place(destination="slack", channel="#db", mentions=("dba",)),
        Place(destination="slack", channel="#alerts", mentions=("oncall",)),
    )
    assert found.escalation == "page"
    assert found.respond_within == timedelta(minutes=15)


def test_the_rule_names_its_people_at_the_first_place_and_its_channel_stands_for_slack() -> None:
    found = routed((to("slack", "#ops"),), channel="#shop", mention="@oncall @ethan @oncall")
    assert found.places == (
        Place(destination="slack", channel="#shop", mentions=("oncall", "ethan")),
        Place(destination="slack", channel="#ops"),
    )


def test_a_route_that_goes_to_slack_and_elsewhere_names_its_people_in_slack() -> None:
    found = routed((to("email", "#ops", mention=("lead",)),), deliverable={"email"})
    assert {place.channel: place.mentions for place in found.places if place.is_slack} == {"#ops": ("lead",)}


def test_a_route_that_cannot_be_calculated_is_passed_over_and_says_so() -> None:
    found = routed((to("#never", match="fields.cpu / 2 > 1"), to("#ops")), fields={"cpu": "hot"})
    assert channels(found) == ["#ops"]
    assert found.reasons[0].startswith("route 1 was passed over: ")


@pytest.mark.parametrize(("severity", "minutes"), [(P1, 5), (P2, 30), (P3, 120), (P4, 1440)])
def test_without_a_policy_the_time_to_respond_follows_the_severity(severity: Severity, minutes: int) -> None:
    assert routed((), severity=severity).respond_within == timedelta(minutes=minutes)
    assert routed((to("slack", escalation="lead"),), severity=severity).respond_within == timedelta(
        minutes=minutes
    )


def test_in_quiet_hours_a_lesser_alert_names_nobody_and_a_severe_one_does() -> None:
    routes = (to("slack", "#ops", mention=("oncall",)),)
    quiet = routed(routes, quiet=(NIGHT,), now=ELEVEN_AT_NIGHT, severity=P3, mention="@ethan")
    assert quiet.mentions == ()
    assert channels(quiet) == ["#alerts", "#ops"]
    assert quiet.reasons[-1] == "quiet hours (22:00-07:00 UTC) until 07:00: nobody is named"
    assert routed(routes, quiet=(NIGHT,), now=ELEVEN_AT_NIGHT, severity=P2).mentions == ("oncall",)
    assert routed(routes, quiet=(NIGHT,), now=NOON, severity=P3).mentions == ("oncall",)


def test_quiet_hours_that_hold_alerts_back_keep_whom_to_name_for_their_end() -> None:
    night = QuietHours(start=time(22), end=time(7), zone=UTC_ZONE, below=P2, hold=True)
    found = routed((to("slack", mention=("oncall",)),), quiet=(night,), now=ELEVEN_AT_NIGHT, severity=P3)
    assert found.held_until == NOON.replace(hour=7) + timedelta(days=1)
    assert found.mentions == ("oncall",)
    assert found.told_quietly("over").mentions == ()


TARGETS = st.sampled_from(["slack", "#ops", "#db", "digest", "email", "sms"])
ROUTES = st.lists(
    st.builds(
        Route,
        to=st.lists(TARGETS, min_size=1, max_size=4).map(tuple),
        condition=st.sampled_from([None, "severity == 'high'", "severity == 'low'", "nothing > 3"]).map(
            lambda source: None if source is None else compile_condition(source)
        ),
        mention=st.lists(st.sampled_from(["a", "b", "c"]), max_size=3).map(tuple),
        goes_on=st.booleans(),
    ),
    max_size=5,
)


@given(
    routes=ROUTES, deliverable=st.sets(st.sampled_from(["email", "sms"])), severity=st.sampled_from(Severity)
)
def test_no_alert_vanishes_and_nobody_is_named_twice(
    routes: list[Route], deliverable: set[str], severity: Severity
) -> None:
    found = routed(tuple(routes), deliverable=deliverable, severity=severity, mention="@a")
    assert found.places or set(found.targets) == {"digest"}
    names = [name for place in found.places for name in place.mentions]
    assert len(names) == len(set(names))
    assert not found.places or "a" in names
    lanes = [(place.destination, place.channel) for place in found.places]
    assert len(lanes) == len(set(lanes))
    assert all(place.is_slack or place.destination in deliverable for place in found.places)
    assert found.reasons


@pytest.mark.parametrize(
    ("each", "severity", "places"),
    [
        (to("slack", "sms"), Severity.CRITICAL, ["#alerts", "sms"]),
        (to("slack", "sms"), Severity.HIGH, ["#alerts"]),
        (to("sms"), Severity.HIGH, ["sms"]),
        (to("slack", "sms", match="category == 'c' || true"), Severity.HIGH, ["#alerts", "sms"]),
    ],
)
def test_text_messages_are_for_critical_alerts_unless_a_route_asks_for_more(
    each: Route, severity: Severity, places: list[str]
) -> None:
    found = route(
        alert(severity=severity),
        (each,),
        channel="#alerts",
        deliverable={"sms"},
        critical_only={"sms"},
        now=NOON,
    )
    assert [place.channel or place.destination for place in found.places] == places
    spared = "sms takes critical alerts, and others where a match asks for it"
    assert (spared in found.reasons) == (places == ["#alerts"])
