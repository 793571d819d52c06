"""An alert's message through its life, and the lines in its thread."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.alert import (
    ACKNOWLEDGED,
    FIRING,
    RESOLVED,
    SILENCED,
    AlertContext,
    render_alert,
    render_event,
)
from bot.blocks.message import Message
from bot.domain.alert import (
    Alert,
    Change,
    Event,
    EventKind,
    acknowledge,
    expire,
    fire,
    recover,
    resolve,
    silence,
    unacknowledge,
)
from bot.domain.recurrence import Recurrence
from bot.domain.severity import Severity
from checks.result import Diagnostic
from tests.blocks.reading import HOSTILE, accepted, buttons, pings, shown
from tests.domain.findings import HOUR, MINUTE, NOON, firing
from tests.properties import quick

AROUND = AlertContext(now=NOON + 10 * MINUTE)
STEPS = ("Look for runaway processes: `top -o %CPU`", "Check what was deployed")


def usual(**parts: Any) -> Alert:
    found = firing(
        **{
            "severity": Severity.CRITICAL,
            "resource": "web-1",
            "title": "CPU at 97%",
            "message": "The host is hot.",
            "reason": "cpu_percent 97 is over its threshold of 80, exceeded by 21.3%",
            "recommendations": STEPS,
            "runbook": "https://runbooks.example.com/cpu?a=1&b=2",
            **parts,
        }
    )
    return replace(fire(found, NOON).alert, id=7)


def after(result: object) -> Alert:
    assert isinstance(result, Change)
    return result.alert


def rendered(alert: Alert, **around: Any) -> Message:
    return render_alert(alert, replace(AROUND, **around))


LATER = NOON + 5 * MINUTE
STATES = {
    "active": usual(),
    "acknowledged": after(acknowledge(usual(), "U0ALEX", "on it", LATER)),
    "silenced": after(silence(usual(), "U0ALEX", HOUR, "deployment", LATER)),
    "silence over": after(silence(usual(), "U0ALEX", MINUTE, None, LATER)),
    "acknowledged and silenced": after(
        silence(after(acknowledge(usual(), "U0ALEX", None, LATER)), "U0SAM", HOUR, None, LATER)
    ),
    "unacknowledged": after(unacknowledge(after(acknowledge(usual(), "U0ALEX", None, LATER)), "U0SAM", LATER)),
    "resolved": after(resolve(usual(), "U0SAM", "restarted it", LATER)),
    "recovered": recover(usual(), "fine", LATER).alert,
    "expired": after(expire(usual(), LATER)),
    "resolved while silenced": after(
        resolve(after(silence(usual(), "U0ALEX", HOUR, None, LATER)), "U0SAM", None, LATER)
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_slack_takes_the_message_of_every_state(state: str) -> None:
    accepted(rendered(STATES[state]))


def test_the_text_alone_says_what_where_since_when_why_and_what_to_do() -> None:
    text = rendered(usual()).text
    for essential in (
        "P1 critical: CPU at 97%",
        "`web-1`",
        "2026-11-20 12:00 UTC",
        "The host is hot.",
        "exceeded by 21.3%",
        "1. Look for runaway processes: `top -o %CPU`",
        "2. Check what was deployed",
        "<https://runbooks.example.com/cpu?a=1&amp;b=2|Runbook>",
        "respond within 5 min",
        "Alert #7",
    ):
        assert essential in text
    assert "*" not in text


@pytest.mark.parametrize(
    ("state", "headline", "color"),
    [
        ("active", ":red_circle: P1 critical: CPU at 97%", FIRING),
        ("unacknowledged", ":red_circle: P1 critical: CPU at 97%", FIRING),
        ("silence over", ":red_circle: P1 critical: CPU at 97%", FIRING),
        ("acknowledged", ":eyes: P1 critical: CPU at 97% (acknowledged by <@U0ALEX>)", ACKNOWLEDGED),
        ("silenced", ":no_bell: Silenced: CPU at 97% (P1 critical)", SILENCED),
        ("acknowledged and silenced", ":no_bell: Silenced: CPU at 97% (P1 critical)", SILENCED),
        ("resolved", ":white_check_mark: Resolved: CPU at 97% (P1) after 5 min", RESOLVED),
        ("resolved while silenced", ":white_check_mark: Resolved: CPU at 97% (P1) after 5 min", RESOLVED),
        ("recovered", ":white_check_mark: Resolved: CPU at 97% (P1) after 5 min", RESOLVED),
        ("expired", ":hourglass: Expired: CPU at 97% (P1)", SILENCED),
    ],
)
def test_the_headline_says_the_state_in_words_beside_the_colour(
    state: str, headline: str, color: str
) -> None:
    message = rendered(STATES[state])
    assert message.text.startswith(headline)
    assert message.color == color
    assert headline.partition(" ")[2] in shown(message).replace("*", "")


OPEN = ["Resolve", "Silence…", "Acknowledge with a note…", "Resolve with a note…", "Details", "Why?"]


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        ("active", ["Acknowledge", *OPEN]),
        ("silence over", ["Acknowledge", *OPEN]),
        ("unacknowledged", ["Acknowledge", *OPEN]),
        ("acknowledged", ["Unacknowledge", "Resolve", "Silence…", "Resolve with a note…", "Details", "Why?"]),
        ("silenced", ["Acknowledge", "Resolve", "End silence", *OPEN[2:]]),
        ("resolved", []),
        ("recovered", []),
        ("expired", []),
    ],
)
def test_the_buttons_follow_the_state(state: str, offered: list[str]) -> None:
    assert buttons(rendered(STATES[state])) == offered


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("acknowledged", ["*Acknowledged*\n<@U0ALEX>", "*Note*\non it"]),
        ("silenced", ["*Silenced*\nuntil", "by <@U0ALEX>", "*Silenced because*\ndeployment"]),
        ("resolved", ["*Resolved*\n", "by <@U0SAM>", "*Note*\nrestarted it"]),
        ("recovered", ["*Resolved*\n", "by itself"]),
        ("expired", ["*Expired*\n"]),
    ],
)
def test_who_did_what_and_why_is_beside_it(state: str, said: list[str]) -> None:
    text = shown(rendered(STATES[state]))
    assert all(part in text for part in said)


def test_what_to_do_is_told_only_while_there_is_something_to_do() -> None:
    for state, alert in STATES.items():
        assert ("What to do" in shown(rendered(alert))) == alert.status.is_open, state


def test_how_often_it_was_seen_and_how_often_it_came_this_week_is_told() -> None:
    often = replace(usual(), count=60, last_seen=NOON + 59 * MINUTE)
    text = shown(rendered(often, recurrence=Recurrence(count=22)))
    assert "60 times, last" in text
    assert "22nd time in 7 days" in text
    once = shown(rendered(usual()))
    assert "times" not in once
    assert "time in 7 days" not in once


@pytest.mark.parametrize(
    ("number", "ordinal"),
    [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (113, "113th")],
)
def test_ordinals_read_as_in_english(number: int, ordinal: str) -> None:
    assert f"{ordinal} time" in shown(rendered(usual(), recurrence=Recurrence(count=number)))


@pytest.mark.parametrize("name", ["affected_users", "users_affected"])
def test_users_hit_by_it_are_counted(name: str) -> None:
    assert "*Users affected*\n1234" in shown(rendered(usual(fields={name: 1234.0})))


def test_diagnostics_travel_with_it() -> None:
    five = tuple(
        Diagnostic(title=f"Part {number}", text=f"line {number}\n  <indented>") for number in range(5)
    )
    text = shown(rendered(usual(diagnostics=five)))
    assert "line 2\n  <indented>" in text
    assert "line 3" not in text


def test_only_a_new_trouble_pings_whom_the_configuration_names() -> None:
    mention = "<!subteam^S0ONCALL> <@U0ETHAN>"
    for state, alert in STATES.items():
        found = pings(rendered(alert, mention=mention))
        loud = state in ("active", "unacknowledged", "silence over")
        assert ("<!subteam^S0ONCALL>" in found) == loud, state


def test_a_runbook_that_is_no_web_address_is_shown_as_it_is() -> None:
    text = shown(rendered(usual(runbook="wiki: <CPU> | page 3")))
    assert "Runbook: wiki: &lt;CPU&gt; | page 3" in text
    assert pings(rendered(usual(runbook="https://x.example/<!channel>"))) == set()


EXTREME = usual(
    rule=HOSTILE * 3,
    resource=HOSTILE[:300],
    title=HOSTILE * 100,
    message=HOSTILE * 300,
    reason=HOSTILE * 300,
    category=HOSTILE[:200],
    fields={"affected_users": HOSTILE * 100},
    diagnostics=tuple(Diagnostic(title=HOSTILE, text=HOSTILE * 300) for _ in range(9)),
    recommendations=(HOSTILE * 20,) * 30,
    runbook="https://runbooks.example.com/" + "x" * 9000,
)


@pytest.mark.parametrize("state", ["active", "acknowledged", "silenced", "resolved", "expired"])
def test_slack_takes_the_worst_there_can_be_and_pings_nobody_for_it(state: str) -> None:
    alert = {
        "active": replace(EXTREME, count=10**9),
        "acknowledged": after(acknowledge(EXTREME, "U0ALEX", HOSTILE * 100, LATER)),
        "silenced": after(silence(EXTREME, "U0ALEX", HOUR, HOSTILE * 100, LATER)),
        "resolved": after(resolve(EXTREME, HOSTILE[:60], HOSTILE * 100, LATER)),
        "expired": after(expire(EXTREME, LATER)),
    }[state]
    message = rendered(alert, recurrence=Recurrence(count=999))
    assert pings(message) <= {"<@U0ALEX>"}
    assert "Alert #7" in shown(message)
    assert buttons(message) == buttons(rendered(STATES[state]))


@pytest.mark.parametrize("nothing", ["", " ", "\n"])
def test_slack_takes_an_alert_that_says_next_to_nothing(nothing: str) -> None:
    empty = usual(
        title=nothing, message=nothing, reason=nothing, resource=nothing, category=nothing, recommendations=(),
        runbook=None, diagnostics=(Diagnostic(title=nothing, text=nothing),), fields={},
    )  # fmt: skip
    for alert in (
        empty,
        after(resolve(empty, "U1", nothing, LATER)),
        after(silence(empty, None, HOUR, nothing, LATER)),
    ):
        accepted(rendered(alert))


TEXT = st.text(max_size=60) | st.sampled_from([HOSTILE, HOSTILE * 50])


@quick
@given(title=TEXT, message=TEXT, reason=TEXT, resource=TEXT, output=TEXT, note=TEXT, step=TEXT)
def test_slack_takes_any_alert_and_nothing_in_it_pings(
    title: str, message: str, reason: str, resource: str, output: str, note: str, step: str
) -> None:
    alert = usual(
        title=title, message=message, reason=reason, resource=resource, recommendations=(step,),
        diagnostics=(Diagnostic(title=title, text=output),),
    )  # fmt: skip
    assert pings(rendered(alert)) == set()
    assert pings(rendered(after(resolve(alert, "U0SAM", note, LATER)))) <= {"<@U0SAM>"}


# --- lines in the thread ----------------------------------------------------------------------------------


def line(kind: EventKind, alert: Alert | None = None, **parts: Any) -> str:
    event = Event(**{"kind": kind, "at": LATER, "text": "", "actor": "U0ALEX", **parts})
    message = render_event(event, alert or usual())
    accepted(message)
    return message.text


@pytest.mark.parametrize(
    ("kind", "parts", "text"),
    [
        (EventKind.ACKNOWLEDGED, {"text": "on it"}, ":eyes: <@U0ALEX> acknowledged this: on it"),
        (EventKind.UNACKNOWLEDGED, {}, "<@U0ALEX> is no longer on it; it needs somebody"),
        (EventKind.RESOLVED, {}, "<@U0ALEX> resolved this\nIt lasted 5 min and was seen once."),
        (EventKind.RECOVERED, {"actor": None, "text": "cpu 5%"}, "Recovered: cpu 5%\nIt lasted 5 min"),
        (EventKind.SILENCED, {"text": "deploy"}, "<@U0ALEX> silenced this: deploy"),
        (EventKind.SILENCED, {"actor": None}, "Tocsin silenced this"),
        (EventKind.UNSILENCED, {}, ":bell: <@U0ALEX> ended the silence"),
        (EventKind.UNSILENCED, {"actor": None}, ":bell: The silence is over"),
        (
            EventKind.EXPIRED,
            {"actor": None, "text": "nothing was heard"},
            ":hourglass: Expired: nothing was heard",
        ),
        (EventKind.REOPENED, {"actor": None, "text": "came back"}, ":rotating_light: Open again: came back"),
        (EventKind.SEVERITY, {"actor": None, "text": "P3 → P1"}, "Severity changed: P3 → P1"),
        (EventKind.FIRED, {"actor": None, "text": "cpu 97"}, ":rotating_light: Fired: cpu 97"),
    ],
)
def test_every_event_has_its_line(kind: EventKind, parts: dict[str, Any], text: str) -> None:
    assert text in line(kind, **parts)


def test_a_silence_says_until_when_in_the_readers_zone() -> None:
    text = 'until 2026-11-20 14:00 UTC by silence #3 "Nightly": deploy'
    said = line(EventKind.SILENCED, text=text)
    assert "<@U0ALEX> silenced this until <!date^1795183200^" in said
    assert 'by silence #3 "Nightly": deploy' in said
    assert "<@U0ALEX> extended the silence until <!date^" in line(EventKind.SILENCED, text=f"extended {text}")
    assert "still failing since <!date^" in line(
        EventKind.UNSILENCED, actor=None, text="still failing since 2026-11-20 12:00 UTC"
    )
    assert "2026-19-39 12:00 UTC" in line(EventKind.UNSILENCED, text="my words: 2026-19-39 12:00 UTC")


def test_a_problem_that_was_seen_often_says_so_at_its_end() -> None:
    assert "was seen 60 times." in line(EventKind.RECOVERED, replace(usual(), count=60))


LOUD = (EventKind.REOPENED, EventKind.UNSILENCED, EventKind.ESCALATED, EventKind.REMEDY_FAILED)


def test_only_a_problem_that_comes_back_is_heard_again_is_not_taken_or_not_mended_may_ping() -> None:
    for kind in EventKind:
        message = render_event(Event(kind=kind, at=LATER, text="x"), usual(), "<!here>")
        assert pings(message) == ({"<!here>"} if kind in LOUD else set())


@pytest.mark.parametrize("kind", list(EventKind))
def test_no_line_is_too_long_or_pings_by_what_it_quotes(kind: EventKind) -> None:
    message = render_event(
        Event(kind=kind, at=LATER, text=HOSTILE * 300, actor="not an id <!channel>"), EXTREME
    )
    assert pings(message) == set()
