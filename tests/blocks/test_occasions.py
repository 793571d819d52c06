"""Check-in, checklist, drill, SLA and health report: of nothing, of the usual, of far too much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest

from bot.blocks.charted import chart_block, chart_text, draw
from bot.blocks.checkin import render_checkin, render_turned_wrong
from bot.blocks.checklist import render_checklist, shown_id, ticks_shown
from bot.blocks.drill import Arrival, render_drill, render_test_alert
from bot.blocks.health import render_health
from bot.blocks.message import Message, section
from bot.blocks.readiness import ReadinessLine, render_readiness
from bot.blocks.sla import render_sla
from bot.config.scalars import parse_target
from bot.domain.checkin import CheckinLine
from bot.domain.severity import Severity
from bot.reports.charts import ChartFigures
from bot.reports.health import Health, alert_count
from bot.reports.sla import ObjectiveFigures, SlaReport
from checks.result import State
from tests.blocks.reading import HOSTILE, accepted, pings, shown
from tests.blocks.test_lists import NOW, alert, line, overview

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def checkin(*lines: CheckinLine, **parts: Any) -> Message:
    return render_checkin(
        **{"title": "Morning", "lines": lines, "due_at": NOON, "as_of": NOON, "live_until": None, **parts}
    )


def check(name: str, state: State = State.OK, summary: str = "fine") -> CheckinLine:
    return CheckinLine(name=name, state=state, summary=summary, at=NOON - timedelta(minutes=4))


def test_a_checkin_says_how_each_check_stands_in_words_and_colour() -> None:
    message = checkin(check("calls"), check("csv", State.CRITICAL, "not there"), mention="<@U0KIM>")
    assert message.text.splitlines()[0] == ":red_circle: Morning: 1 critical, 1 ok <@U0KIM>"
    assert message.color == "#a30200"
    assert ":red_circle: *csv* critical · not there · checked 4 min before" in shown(message)


def test_nobody_is_called_by_a_checkin_on_which_all_is_well() -> None:
    assert pings(checkin(check("a"), check("b", State.PENDING), mention="<@U0KIM>")) == set()


def test_slack_takes_the_longest_checkin() -> None:
    lines = [check(HOSTILE * 3, State.WARNING, HOSTILE * 20) for _ in range(500)]
    message = checkin(*lines, title=HOSTILE * 3, dashboard="https://example.com/" + "x" * 2900)
    assert pings(message) == set()
    assert "500 warning" in shown(message)
    assert "and 440 more" in message.text or "do not fit" in shown(message)
    accepted(render_turned_wrong(HOSTILE * 3, lines, NOON, "<@U0KIM>"))


def test_a_checkin_without_checks_says_so() -> None:
    assert "no checks are configured" in shown(checkin())


def test_slack_takes_fifty_long_tasks_of_which_each_was_done_by_somebody() -> None:
    ticks = dict.fromkeys(range(50), ("U0123456789ABCDEFGH", NOON))
    message = render_checklist(1, HOSTILE * 2, [HOSTILE * 10] * 50, ticks, NOON)
    assert "all 50 done" in shown(message)
    assert pings(message) <= {"<@U0123456789ABCDEFGH>"}
    accepted(render_checklist(1, "Daily", [HOSTILE * 10] * 50, {}, NOON, "<@U0KIM>"))


def test_the_text_of_a_checklist_alone_says_who_did_what() -> None:
    message = render_checklist(1, "Daily", ["Look", "Listen"], {1: ("U0SAM", NOON)}, NOON)
    assert message.text.splitlines()[1] == "☐ Look"
    assert message.text.splitlines()[2].startswith("☑ Listen (<@U0SAM>, ")


@pytest.mark.parametrize("ticked", [[], [0], [3, 9], [10, 12], list(range(25))])
def test_a_group_tells_by_its_id_which_boxes_it_shows_as_ticked(ticked: list[int]) -> None:
    ticks = dict.fromkeys(ticked, ("U0SAM", NOON))
    for first in (0, 10, 20):
        seen = ticks_shown(shown_id(first, ticks))
        assert seen == frozenset(number for number in ticked if first <= number < first + 10)


@pytest.mark.parametrize("block_id", ["", "ticked", "ticked:x:1", "ticked:0:-1", "other:0:1"])
def test_a_strange_block_id_tells_nothing(block_id: str) -> None:
    assert ticks_shown(block_id) is None


def test_a_drill_cannot_be_taken_for_an_alert() -> None:
    message = render_test_alert(3, Severity.CRITICAL, "U0ALEX", NOON)
    assert message.text.startswith(":construction: Drill #3, no real alert")


def test_a_drill_tells_what_arrived_how_fast_and_what_did_not_and_why() -> None:
    arrivals = [
        Arrival(place="slack #alerts", after=timedelta(seconds=1.25), is_over=True),
        Arrival(place="email", error="refused", is_over=True),
        Arrival(place="sms", error="busy"),
        Arrival(place="pager"),
    ]
    text = shown(render_drill(3, "Route 1", "U0ALEX", NOON, arrivals))
    assert "arrived in 1 of 4 places, the slowest after 1.2 s" in text
    assert ":x: *email* did not arrive: refused" in text
    assert ":hourglass: *sms* not yet: busy; it is tried again" in text
    assert ":hourglass: *pager* under way" in text
    far = [Arrival(place=HOSTILE * 3, error=HOSTILE * 20, is_over=True)] * 200
    assert pings(render_drill(3, HOSTILE * 20, "U0ALEX", NOON, far, [HOSTILE * 20] * 9)) <= {"<@U0ALEX>"}


def objective(name: str = "Uptime", current: float | None = 99.95, **parts: Any) -> ObjectiveFigures:
    return ObjectiveFigures(
        **{
            "name": name,
            "target": parse_target(">= 99.9%"),
            "current": current,
            "before": 99.0,
            "values": 10,
            **parts,
        }
    )


def report(*objectives: ObjectiveFigures, **parts: Any) -> SlaReport:
    start = datetime(2026, 9, 30, 22, tzinfo=UTC)
    end = datetime(2026, 10, 31, 23, tzinfo=UTC)
    return SlaReport(
        **{"name": "Shop", "month": "2026-10", "start": start, "end": end, "objectives": objectives, **parts}
    )


def test_an_sla_report_has_the_same_in_its_table_and_its_text() -> None:
    message = render_sla(report(objective(), objective("Speed", 80.0), objective("Errors", None)), BERLIN)
    assert "SLA of October 2026: 1 of 3 met, 1 missed, 1 without data" in message.text
    for words in ("Uptime", ">= 99.9%", "99.95%", "✓ met", "▲ better (was 99.00%)", "✗ missed"):
        assert words in shown(message).replace("&gt;", ">")
    assert "Uptime met: 99.95%, target &gt;= 99.9%, ▲ better (was 99.00%)" in message.text
    assert "01 Oct to 31 Oct 2026 Europe/Berlin" in shown(message)


def test_slack_takes_an_sla_report_of_nothing_and_of_far_too_much() -> None:
    assert "No objectives are configured" in shown(render_sla(report(), BERLIN))
    many = [objective(HOSTILE * 5, 1e300, since=NOON) for _ in range(300)]
    assert pings(render_sla(report(*many, name=HOSTILE), BERLIN, with_file_button=True)) == set()


def test_a_health_report_counts_alerts_against_the_time_before_and_names_what_is_not_well() -> None:
    began = [alert(1, severity=Severity.CRITICAL), alert(2)]
    days = alert_count(began, NOW, timedelta(days=1))
    found = overview(checks=[line("api", State.CRITICAL), line("db")], alerts=began)
    text = shown(render_health(Health(overview=found, day=days, week=days)))
    assert (
        "*Alerts in 24 hours*\n2 · :red_circle: 1 P1, :large_orange_circle: 1 P2 · the day before none"
        in text
    )
    assert "*Not well*\n:red_circle: *api* critical" in text
    assert "*db*" not in text
    assert "1 of 2 checks and jobs ok" in text


def test_slack_takes_the_longest_health_report() -> None:
    lines = [line(HOSTILE * 3, State.CRITICAL, HOSTILE * 20) for _ in range(500)]
    alerts = [alert(number, title=HOSTILE * 20) for number in range(300)]
    count = alert_count(alerts, NOW, timedelta(days=1))
    found = overview(name=HOSTILE, checks=lines, jobs=lines, alerts=alerts, troubles=[HOSTILE * 20] * 9)
    assert pings(render_health(Health(overview=found, day=count, week=count))) == set()


def test_slack_takes_a_readiness_report_of_a_hundred_long_lines() -> None:
    lines = [
        ReadinessLine(name=HOSTILE, state=State.CRITICAL, summary=HOSTILE * 9, latency_ms=1e9)
        for _ in range(100)
    ]
    assert pings(render_readiness(HOSTILE, lines, NOON)) == set()


def chart(kind: Literal["line", "bar", "area", "pie"] = "line", **parts: Any) -> ChartFigures:
    starts = [NOON + timedelta(days=number) for number in range(3)]
    return ChartFigures(
        **{
            "title": "Rows",
            "kind": kind,
            "stat": "sum",
            "each": "day",
            "starts": starts,
            "series": {"rows": [1, None, 3]},
            **parts,
        }
    )


def drawn(figures: ChartFigures) -> dict[str, Any]:
    block = chart_block(figures, BERLIN)
    assert block is not None
    accepted(Message(text="-", blocks=(section("-"), block)))
    found: dict[str, Any] = block["chart"]
    return found


def test_a_chart_and_its_text_show_the_same_figures() -> None:
    (series,) = drawn(chart())["series"]
    assert [(point["label"], point["value"]) for point in series["data"]] == [
        ("20 Nov", 1), ("21 Nov", 0), ("22 Nov", 3),
    ]  # fmt: skip
    assert chart_text(chart(), BERLIN) == "*Rows* (sum a day)\n20 Nov 1 · 21 Nov – · 22 Nov 3"


def test_an_average_that_is_missing_is_left_out_rather_than_drawn_as_zero() -> None:
    (series,) = drawn(chart(stat="avg"))["series"]
    assert [point["label"] for point in series["data"]] == ["20 Nov", "22 Nov"]


def test_a_pie_shows_shares_and_needs_two() -> None:
    two = chart("pie", starts=[NOON], series={"north": [30], "south": [10], "none": [0], "lost": [None]})
    assert [part["label"] for part in drawn(two)["segments"]] == ["north", "south"]
    assert "north 30 (75%)" in chart_text(two, BERLIN)
    assert chart_block(chart("pie", starts=[NOON], series={"north": [30]}), BERLIN) is None


def test_charts_of_nothing_are_text_and_no_more_than_two_are_drawn() -> None:
    empty = chart(series={"rows": [None, None, None]})
    assert chart_block(empty, BERLIN) is None
    assert chart_text(empty, BERLIN) == "*Rows* (sum a day): no data"
    assert [block is not None for block in draw([empty, chart(), chart(), chart()], BERLIN)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_slack_takes_a_chart_of_long_names_and_many_series() -> None:
    starts = [NOON + timedelta(days=number) for number in range(20)]
    series = {f"{HOSTILE * 2}{number}": [1e300 / (number + 1)] * 20 for number in range(6)}
    wide = chart(title=HOSTILE * 3, starts=starts, series=series, left_out=3)
    assert len(drawn(wide)["series"]) == 6
    assert pings(Message(text="-", blocks=(section(chart_text(wide, BERLIN)),))) == set()
    assert "and 3 more that are not shown" in chart_text(wide, BERLIN)
