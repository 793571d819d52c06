"""Home, details, why and audit: of nothing, of the usual, of far too much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.blocks.alert_detail import detail_blocks, render_detail
from bot.blocks.audit import render_audit
from bot.blocks.home import MOST_BLOCKS, render_home
from bot.blocks.results import render_results
from bot.blocks.story import closing_story
from bot.blocks.why import render_why
from bot.demo.workspace.limits import check_view
from bot.domain.alert import Event, EventKind, acknowledge, resolve, silence
from bot.domain.audit import Deed, Via
from bot.domain.condition import compile_condition
from bot.domain.escalation import Escalation, Policy, Step
from bot.domain.oncall import Duty
from bot.domain.route import Place, Routing
from bot.domain.rule import Expression, Rule, Threshold
from bot.domain.severity import Severity
from bot.domain.silence import Silence
from bot.domain.why import Decided, Why
from bot.reports.alert_detail import AlertDetail
from bot.reports.home import HomeState
from checks.result import Diagnostic, State
from tests.blocks.reading import HOSTILE, PING, accepted, parsed_texts, pings, shown
from tests.blocks.test_lists import NOW, alert, line, overview
from tests.domain.findings import HOUR, MINUTE, NOON, check

HUGE = HOSTILE * 40
STATES = list(State)


def home_view(state: HomeState) -> dict[str, Any]:
    """A Home that Slack takes."""
    blocks = render_home(state, "tocsin")
    assert len(blocks) <= MOST_BLOCKS
    view = {"type": "home", "blocks": blocks}
    check_view(view, "home")
    return view


def said(blocks: list[Any]) -> str:
    """Every text of a view's blocks, none of which pings anybody."""
    assert not PING.search("\n".join(parsed_texts(blocks)).replace("<@U0", ""))
    return "\n".join(all_texts(blocks))


def all_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name == "text" and isinstance(each, str):
                yield each
            else:
                yield from all_texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from all_texts(each)


def too_much() -> HomeState:
    found = [
        alert(number, title=HUGE, reason=HUGE, severity=Severity(number % 4 + 1)) for number in range(1, 61)
    ]
    return HomeState(
        overview=overview(
            name=HUGE,
            checks=[line(f"{number}{HUGE}", STATES[number % 5], HUGE) for number in range(500)],
            jobs=[line(f"{number}{HUGE}", STATES[number % 5], HUGE) for number in range(500)],
            alerts=found,
            troubles=[HUGE] * 9,
        ),
        silences=[
            Silence(id=number, match=HUGE, starts_at=NOON, ends_at=NOW + HOUR, created_by=HUGE, reason=HUGE)
            for number in range(1, 40)
        ],
        duties={f"{number}{HUGE}": Duty(who=HUGE, until=NOW, then=HUGE) for number in range(30)},
        coming=[(HUGE, NOW)] * 50,
    )


def test_home_of_nothing_says_that_all_is_well() -> None:
    text = said(home_view(HomeState(overview=overview()))["blocks"])
    assert "All systems nominal" in text
    assert "_none_" in text
    assert "_none is active; everything is told_" in text


def test_home_of_far_too_much_stays_within_a_hundred_blocks_and_counts_the_rest() -> None:
    view = home_view(too_much())
    text = said(view["blocks"])
    assert "… and 45 more: `/tocsin alerts`" in text
    assert "… and 460 more: `/tocsin-status NAME`" in text
    assert "… and 34 more: `/tocsin silences`" in text


def test_home_tells_the_urgent_first_and_what_is_quiet_last() -> None:
    quiet = silence(alert(1, title="quiet", severity=Severity.CRITICAL), "U0ALEX", 2 * HOUR, None, NOON)
    taken = acknowledge(alert(2, title="taken", severity=Severity.LOW), "U0SAM", None, NOON)
    state = HomeState(
        overview=overview(alerts=[quiet.alert, taken.alert, alert(3, title="new", severity=Severity.HIGH)])
    )
    text = said(home_view(state)["blocks"])
    assert text.index("P2 new") < text.index("P4 taken") < text.index("P1 quiet")
    assert "1 of them kept quiet" in text
    assert "<@U0SAM> is on it" in text


def details(detail: AlertDetail) -> str:
    blocks = detail_blocks(detail)
    assert len(blocks) <= MOST_BLOCKS
    view = {"type": "modal", "title": {"type": "plain_text", "text": "Alert"}, "blocks": blocks}
    check_view(view, "modal")
    accepted(render_detail(detail))
    return said(blocks)


def test_details_tell_how_others_like_it_ended_with_their_notes() -> None:
    earlier = resolve(alert(3), "U0SAM", "restarted the pool", NOON + 12 * MINUTE)
    elsewhere = replace(alert(5, resource="web-9"))
    text = details(
        AlertDetail(
            alert=alert(9),
            at=NOW,
            before=[earlier.alert],
            times_before=8,
            elsewhere=[elsewhere],
            times_elsewhere=1,
        )
    )
    assert "*The same before* · 8, the newest 1" in text
    assert "#3 P2" in text
    assert "resolved by <@U0SAM> after 12 min: _restarted the pool_" in text
    assert "*The same rule elsewhere* · 1" in text
    assert "still open at `web-9`" in text


def test_details_of_far_too_much_fit_a_window() -> None:
    found = alert(
        9,
        title=HUGE,
        reason=HUGE,
        fields={f"{number}{HOSTILE}": HUGE for number in range(60)},
        diagnostics=tuple(Diagnostic(title=HUGE, text=HUGE) for _ in range(30)),
        recommendations=(HUGE,) * 20,
    )
    events = [Event(kind=kind, at=NOON, text=HUGE, actor="U0SAM") for kind in EventKind for _ in range(30)]
    others = [replace(alert(number), note=HUGE) for number in range(1, 6)]
    text = details(
        AlertDetail(alert=found, at=NOW, events=events, before=others, times_before=900, elsewhere=others,
                    times_elsewhere=900)
    )  # fmt: skip
    assert f"… {len(events) - 40} earlier" in text


LIMIT = Rule(name="hot", question=Threshold(field="cpu", limit=80.0, bounded=True), title="hot", failures=3)


def test_why_tells_the_limit_the_value_and_how_the_priority_came_of_them() -> None:
    why = Why(alert=alert(1, fields={"cpu": 97.0}), now=NOW, rule=LIMIT)
    text = shown(render_why(why))
    assert "It is true when: `cpu over 80`" in text
    assert "`cpu` = `97`" in text
    assert "P2, by how far cpu = 97 is past 80: 70% of the room" in text
    assert "needs 3 in a row" in text


def test_why_of_a_rule_that_is_gone_says_so() -> None:
    text = shown(render_why(Why(alert=alert(1), now=NOW)))
    assert "The configuration no longer has this rule" in text


def test_why_says_what_a_silent_one_waits_for() -> None:
    held = alert(1, held_by="#7 the database is down")
    text = shown(render_why(Why(alert=held, now=NOW)))
    assert "*Silent*: explained by alert #7 the database is down, which is open" in text
    routing = Routing(targets=("slack",), places=(Place(destination="slack", channel="#a"),), reasons=("because",),
                      held_until=NOW + HOUR)  # fmt: skip
    text = shown(
        render_why(Why(alert=alert(1), now=NOW, routing=routing, places=routing.places, is_held=True))
    )
    assert "quiet hours. What is still open then is told." in text
    assert "It is told in" not in text


def test_why_tells_the_steps_that_are_done_and_due() -> None:
    policy = Policy(
        name="boss",
        steps=(
            Step(after=10 * MINUTE, mention=("sam",)),
            Step(after=30 * MINUTE, to=("#all",), note="Look!"),
        ),
    )
    escalation = Escalation(alert_id=1, policy="boss", round=1, since=NOON, done=1, due_at=NOON + 30 * MINUTE)
    text = shown(
        render_why(Why(alert=alert(1), now=NOON + 11 * MINUTE, policy=policy, escalation=escalation))
    )
    assert ":ballot_box_with_check: after 10 min, done: told in the alert's own channel, naming sam" in text
    assert "after 30 min: told in #all (Look!)" in text
    assert "Next step of `boss`" in text


def test_why_of_far_too_much_is_accepted_and_keeps_its_beginning_and_end() -> None:
    condition = compile_condition(" && ".join(f"field_{number} > 1" for number in range(400)))
    rule = Rule(name=HUGE, question=Expression(condition=condition), title="x")
    events = [Event(kind=EventKind.SEVERITY, at=NOON + n * MINUTE, text=HUGE) for n in range(200)]
    decided = [Decided(kind="routing", at=NOON + n * MINUTE, reasons=(HUGE,) * 9) for n in range(200)]
    why = Why(
        alert=alert(1, title=HUGE, reason=HUGE, fields={f"field_{n}": HUGE for n in range(400)}),
        now=NOW,
        rule=rule,
        events=events,
        decided=decided,
        policy=Policy(name=HUGE, steps=(Step(after=MINUTE, note=HUGE, mention=(HUGE,) * 20),) * 30),
    )
    message = render_why(why)
    accepted(message)
    assert not pings(message)
    assert "more between …" in shown(message)


def test_audit_tells_who_did_what_and_how_much_more_there_is() -> None:
    deed = Deed(who="U0SAM", at=NOON, act="acknowledged", via=Via.API, subject="CPU at 97%", alert_id=7,
                before="active", after="acknowledged", note="looking")  # fmt: skip
    message = render_audit([deed], 30, "everybody", NOON - timedelta(days=7))
    accepted(message)
    text = shown(message)
    assert "<@U0SAM> acknowledged #7 CPU at 97% (active → acknowledged): _looking_, by the API" in text
    assert "… and 29 earlier" in text
    huge = [replace(deed, who=HUGE, act=HUGE, subject=HUGE, before=HUGE, after=HUGE, note=HUGE)] * 25
    message = render_audit(huge, 25, "everybody", None)
    accepted(message)
    assert not pings(message)


def test_results_of_a_check_are_told_newest_first() -> None:
    found = [check(at=NOON + n * MINUTE, summary=f"look {n}") for n in range(3)]
    text = shown(render_results("host", found, NOW))
    assert text.index("look 2") < text.index("look 0")
    accepted(render_results(HUGE, [check(summary=HUGE, resource=HUGE[:300])] * 20, NOW))
    assert "no results yet" in shown(render_results("host", [], NOW))


@pytest.mark.parametrize("count", [1, 100])
def test_the_story_of_an_alert_begins_with_its_beginning_and_ends_with_its_end(count: int) -> None:
    found = alert(1)
    events = [Event(kind=EventKind.ACKNOWLEDGED, at=NOON + MINUTE, text="", actor="U0SAM")] * count
    end = Event(kind=EventKind.RECOVERED, at=NOON + 5 * MINUTE, text="")
    later = Event(kind=EventKind.REOPENED, at=NOON + 9 * MINUTE, text="")
    story = closing_story(found, [*events, end, later], end)
    assert story.startswith("fired <!date^")
    assert "acknowledged by <@U0SAM> after 1 min" in story
    assert story.endswith("recovered by itself after 5 min")
    assert len(story) < 1200
