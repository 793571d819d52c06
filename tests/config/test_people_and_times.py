"""Routes, rotations and quiet hours as a file says them, and what is said of mistakes in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from bot.config import ConfigInvalid, not_yet
from bot.config.plans import plan_of, rotations_of
from bot.domain.escalation import CountsFrom
from bot.domain.oncall import Override
from bot.domain.severity import Severity
from tests.config.reading import read

FILE = """
timezone: Europe/London
people: {ethan: U0ETHAN, nadia: U0NADIA, lena: U0LENA}
slack: {channel: "#alerts"}
oncall:
  primary:
    rotation: [ethan, nadia]
    handover: "Mon 09:00"
    starts: 2026-03-02
    overrides:
      - {who: lena, from: 2026-03-14 18:00, until: 2026-03-15 09:00}
  nights: {rotation: lena, handover: "21:30", timezone: America/New_York}
quiet_hours: {between: "22:00-07:00", days: weekdays, below: high, hold: true}
destinations: {email: {url: ""}}
routes:
  - {match: category == 'database', to: ["#db"], mention: "@ethan, nadia", continue: true}
  - {to: [slack, email], escalation: page, mention: "@primary @nights"}
escalation:
  page:
    respond_within: 10m
    since: first_seen
    steps: [{after: 30m, to: ["#leads"], mention: "@primary", note: Look}]
checks:
  host: {type: system, mention: "@primary @here"}
"""


def test_a_file_with_everything_becomes_a_plan() -> None:
    settings = read(FILE)
    plan = plan_of(settings, deliverable=frozenset({"email"}))
    assert plan.channel == "#alerts"
    first, second = plan.routes
    assert (first.mention, first.goes_on, second.escalation) == (("ethan", "nadia"), True, "page")
    assert plan.policies["page"].counts_from is CountsFrom.FIRST_SEEN
    assert plan.policies["page"].steps[0].to == ("#leads",)
    (quiet,) = plan.quiet_hours
    assert (quiet.start, quiet.end, quiet.below, quiet.hold) == (time(22), time(7), Severity.HIGH, True)
    assert (quiet.days, quiet.zone) == (frozenset(range(5)), ZoneInfo("Europe/London"))
    assert plan.deliverable == frozenset(), "an empty address is switched off"


def test_rotations_know_their_zone_their_hand_over_and_their_exceptions() -> None:
    rotations = rotations_of(read(FILE))
    primary, nights = rotations["primary"], rotations["nights"]
    assert (primary.people, primary.weekday, primary.at, primary.starts) == (
        ("ethan", "nadia"), 0, time(9), date(2026, 3, 2),
    )  # fmt: skip
    assert primary.overrides == (
        Override(
            who="lena",
            start=datetime(2026, 3, 14, 18, tzinfo=UTC),
            end=datetime(2026, 3, 15, 9, tzinfo=UTC),
        ),
    )
    assert (nights.weekday, nights.zone) == (None, ZoneInfo("America/New_York"))


def test_quiet_hours_may_be_a_list() -> None:
    settings = read(
        'quiet_hours:\n  - {between: "22:00-07:00"}\n  - {between: "00:00-00:00", days: [sat, Sunday]}\n'
    )
    assert [quiet.days for quiet in settings.quiet_hours] == [None, (5, 6)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "oncall: {primary: {rotation: [nobody], handover: '09:00'}}",
            '"nobody" is nobody under people',
        ),
        (
            "people: {ethan: U0ETHAN}\noncall: {primary: {rotation: [etan], handover: '09:00'}}",
            "ethan",
        ),
        (
            "people: {a: U0ETHAN}\noncall: {primary: {rotation: [a], handover: 'Mun 09:00'}}",
            "is not a day of the week; write mon, tue",
        ),
        (
            "people: {a: U0ETHAN}\noncall: {primary: {rotation: [a], handover: weekly}}",
            'is not a hand-over; write "Mon 09:00"',
        ),
        (
            "people: {a: U0ETHAN}\noncall: {primary: {rotation: [], handover: '09:00'}}",
            "rotation",
        ),
        (
            "people: {a: U0ETHAN}\noncall: {primary: {rotation: [a], handover: '09:00', start: 2026-03-02}}",
            "starts",
        ),
        (
            "people: {a: U0ETHAN}\noncall: {primary: {rotation: [a], handover: '09:00', starts: soon}}",
            '"soon" is not a date; write one such as 2026-03-02',
        ),
        (
            "people: {a: U0ETHAN}\noncall: {a: {rotation: [U0NADIA], handover: '09:00'}}",
            "this name already stands for a person on line 1",
        ),
        (
            "oncall: {here: {rotation: [U0NADIA], handover: '09:00'}}",
            "@here is Slack's own word for everybody",
        ),
        (
            "oncall: {p: {rotation: [U0NADIA], handover: '09:00', "
            "overrides: [{who: U0KIM, from: 2026-03-02 10:00, until: 2026-03-02 09:00}]}}",
            "it ends before it begins",
        ),
        (
            "oncall: {p: {rotation: [U0NADIA], handover: '09:00'}}\npermissions: {silence: [p]}",
            '"p" is a rotation, not a person',
        ),
        ("checks: {host: {type: system, mention: '@primary'}}", '"primary" is nobody under people'),
        ('quiet_hours: {between: "22:00"}', "is not a part of the day"),
        ('quiet_hours: {betwen: "22:00-07:00"}', "between"),
        ('quiet_hours: {between: "22:00-07:00", days: [someday]}', "is not a day of the week"),
        ('quiet_hours: {between: "22:00-07:00", below: loud}', "is not a severity"),
        ("escalation: {page: {since: birth}}", "first_seen"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(text: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as found:
        read(text)
    assert said in str(found.value)


def test_the_whole_file_has_an_effect() -> None:
    assert not_yet(read(FILE)) == ()
