"""Status, heartbeat, digest and runs: of nothing, of the usual, of far too much."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.digest import render_digest
from bot.blocks.message import Message
from bot.blocks.overview import render_heartbeat, render_overview
from bot.blocks.runs import render_runs
from bot.domain.alert import Alert, Change, acknowledge, fire, silence
from bot.domain.observation import Source, SourceKind
from bot.domain.run import Run, RunStatus
from bot.domain.run_filter import Cursor, RunFilter, RunPage
from bot.domain.severity import Severity
from bot.domain.standing import Standing
from bot.reports.digest import AlertFigures, Digest, JobFigures, Uptime, Uptimes
from bot.reports.digest import Figure as DigestFigure
from bot.reports.overview import Figure, Line, Overview
from checks.result import State
from tests.blocks.reading import HOSTILE, accepted, buttons, pings, shown
from tests.domain.findings import HOUR, MINUTE, NOON, firing
from tests.properties import quick

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
NOW = NOON + HOUR


def alert(number: int = 1, **parts: Any) -> Alert:
    return replace(fire(firing(**parts), NOON).alert, id=number)


def line(name: str = "api", state: State = State.OK, summary: str = "200 in 12 ms") -> Line:
    return Line(
        name=name,
        standing=Standing(
            source=Source(kind=SourceKind.CHECK, name=name),
            resource=name,
            state=state,
            summary=summary,
            since=NOON,
            at=NOON,
            fields={},
            streaks={},
        ),
    )


def overview(**parts: Any) -> Overview:
    return Overview(**{"name": "HomeVerse", "at": NOW, "checks": [], "jobs": [], "alerts": [], **parts})


# --- status and heartbeat ---------------------------------------------------------------------------------


def test_all_is_well_in_one_line() -> None:
    message = render_heartbeat(overview(checks=[line(), line("db")], jobs=[line("parse")]))
    assert message.text == ":large_green_circle: All systems nominal"
    assert "3 of 3 checks and jobs ok" in shown(message)


def test_warnings_are_counted_and_named() -> None:
    alerts = [alert(1, severity=Severity.CRITICAL, title="CPU"), alert(2, title="Disk")]
    message = render_heartbeat(overview(alerts=alerts, checks=[line(state=State.CRITICAL)]))
    assert message.text.startswith(":large_orange_circle: 2 warnings (1 critical)")
    assert ":red_circle: *P1* CPU · #1, for 1 h" in message.text
    assert "0 of 1 checks and jobs ok" in shown(message)
    one = render_heartbeat(overview(alerts=alerts[1:]))
    assert one.text.startswith(":large_orange_circle: 1 warning\n")


def test_a_silenced_alert_warns_nobody_but_is_not_forgotten() -> None:
    quiet = silence(alert(), "U1", 2 * HOUR, None, NOON)
    assert isinstance(quiet, Change)
    assert render_heartbeat(overview(alerts=[quiet.alert])).text == (
        ":large_green_circle: All systems nominal (1 silenced)"
    )
    assert ":no_bell: *P2* Host is hot · #1, for 1 h, silenced" in shown(
        render_overview(overview(alerts=[quiet.alert]))
    )


def test_the_status_shows_alerts_checks_jobs_and_the_teams_own_figures() -> None:
    taken = acknowledge(alert(title="Disk full"), "U0SAM", None, NOON)
    assert isinstance(taken, Change)
    message = render_overview(
        overview(
            alerts=[taken.alert],
            checks=[
                line(),
                line("db", State.CRITICAL, "connection refused"),
                Line(name="new", standing=None),
            ],
            jobs=[line("parse", State.WARNING, "ERROR (exit code 3)")],
            figures=[Figure(label="CSV Quality", value="98.5% valid", change="▲ 2 against 1 d ago")],
        )
    )
    text = shown(message)
    for part in (
        "HomeVerse* · :large_orange_circle: 1 warning",
        "*CSV Quality*\n98.5% valid (▲ 2 against 1 d ago)",
        ":eyes: *P2* Disk full · #1, for 1 h, acknowledged by <@U0SAM>",
        ":red_circle: *db* critical · connection refused · 1 h ago",
        ":large_green_circle: *api* ok · 200 in 12 ms",
        ":hourglass: *new* · nothing heard yet",
        ":large_orange_circle: *parse* warning · ERROR (exit code 3)",
    ):
        assert part in text
    assert text.index("connection refused") < text.index("nothing heard yet") < text.index("200 in 12 ms")
    assert "CSV Quality 98.5% valid" in message.text
    assert "connection refused" in message.text


def test_nothing_configured_is_said_in_words() -> None:
    text = render_overview(overview()).text
    assert "_no open alerts_" in text
    assert text.count("_none configured_") == 2


def test_of_five_hundred_checks_the_bad_ones_are_shown_and_the_rest_counted() -> None:
    checks = [line(f"check {number:03}") for number in range(490)]
    checks += [line(f"bad {number}", State.CRITICAL, "down") for number in range(10)]
    message = render_overview(overview(checks=checks, jobs=checks))
    text = shown(message)
    assert all(f"bad {number}" in text for number in range(10))
    assert "check 001" not in text
    assert ":large_green_circle: 490 ok" in text


def test_every_figure_is_shown_however_many_there_are() -> None:
    figures = [Figure(label=f"figure {number}", value=str(number)) for number in range(25)]
    text = shown(render_overview(overview(figures=figures)))
    assert all(f"*figure {number}*" in text for number in range(25))


def test_what_tocsin_itself_cannot_do_is_said_there_too() -> None:
    text = shown(render_overview(overview(troubles=["The database cannot be written: disk full"])))
    assert ":warning: *Tocsin itself:* The database cannot be written: disk full" in text


WORST = overview(
    name=HOSTILE * 10,
    checks=[line(f"{number}{HOSTILE}", State.CRITICAL, HOSTILE * 200) for number in range(500)],
    jobs=[line(f"{number}{HOSTILE}", State.UNKNOWN, HOSTILE * 200) for number in range(500)],
    alerts=[alert(number, title=HOSTILE * 50) for number in range(1000)],
    figures=[Figure(label=HOSTILE, value=HOSTILE * 100, change=HOSTILE * 10) for _ in range(60)],
    troubles=[HOSTILE * 50] * 9,
)


def test_slack_takes_the_worst_status_and_pings_nobody_for_it() -> None:
    for message in (render_overview(WORST), render_heartbeat(WORST)):
        assert pings(message) == set()
    assert "… and 988 more" in shown(render_overview(replace(WORST, figures=())))
    assert "… and 995 more" in shown(render_heartbeat(WORST))


# --- digest -----------------------------------------------------------------------------------------------

NOTHING = AlertFigures(
    total=0, by_severity=dict.fromkeys(Severity, 0), resolved=0, mean_minutes_to_resolve=None
)


def digest(**parts: Any) -> Digest:
    start = datetime(2026, 11, 19, 8, tzinfo=UTC)
    return Digest(
        **{
            "name": "FleetYield",
            "start": start,
            "end": start + timedelta(days=1),
            "sections": [],
            "alerts": NOTHING,
            "uptimes": None,
            "jobs": [],
            "open": [],
            **parts,
        }
    )


def test_a_day_of_nothing_says_so() -> None:
    message = render_digest(digest(), LOS_ANGELES)
    text = shown(message)
    assert "digest of Thursday, 19 November 2026" in text
    assert "Nothing is open. Nobody is needed." in message.text
    assert "None began." in text
    assert "19 Nov 00:00 to 20 Nov 00:00 America/Los_Angeles" in text
    assert "Uptime" not in text


def test_a_digest_puts_what_needs_somebody_first_and_the_figures_after() -> None:
    figures = [DigestFigure(label="CSV rows", value="1,234"), DigestFigure(label="Valid", value="no data")]
    by = {Severity.CRITICAL: 1, Severity.HIGH: 0, Severity.MEDIUM: 3, Severity.LOW: 0}
    message = render_digest(
        digest(
            open=[replace(alert(title="Disk full"), opened_at=datetime(2026, 11, 19, 20, tzinfo=UTC))],
            sections=[("Data Pipeline", figures)],
            alerts=AlertFigures(total=4, by_severity=by, resolved=2, mean_minutes_to_resolve=12.4),
            uptimes=Uptimes(
                checks=[
                    Uptime(name="api", percent=99.95, results=1440),
                    Uptime(name="db", percent=87.5, results=8),
                ],
                overall=93.725,
                before=95.0,
            ),
            jobs=[
                JobFigures(name="good", runs=1, failed=0, mean_seconds=None),
                JobFigures(name="bad", runs=24, failed=2, mean_seconds=12.345),
            ],
        ),
        LOS_ANGELES,
    )  # fmt: skip
    text = shown(message)
    parts = [
        "*Needs somebody today*\n:large_orange_circle: *P2* Disk full · #1, nobody has taken it, open for 12 h",
        "*Data Pipeline*",
        "*CSV rows*\n1,234",
        "*Valid*\nno data",
        "4 began: :red_circle: 1 critical, :large_yellow_circle: 3 warning · 2 resolved, after 12 min on average",
        "*93.72% over all* (▼ 1.28 points against the day before)\n87.50% db\n99.95% api",
        "bad: 24 runs, :x: 2 failed, 12.35 s on average\ngood: 1 run, :white_check_mark: none failed",
    ]
    blocks = text[text.index("*Needs") :]
    assert [blocks.index(part) for part in parts] == sorted(blocks.index(part) for part in parts)
    assert "Data Pipeline: CSV rows 1,234; Valid no data" in message.text


def test_a_digest_lists_what_nobody_was_told_of_before_with_the_worst_first() -> None:
    lesser = [
        replace(alert(number, title=f"small {number}", severity=Severity.LOW), count=number)
        for number in range(1, 13)
    ]
    message = render_digest(
        digest(quiet=[alert(99, title="medium", severity=Severity.MEDIUM), *lesser[::-1]]), LOS_ANGELES
    )
    text = shown(message)
    section = text[text.index("*Low priority, and told only here*") :]
    assert section.splitlines()[1] == ":large_yellow_circle: *P3* medium · #99, seen once, active"
    assert section.splitlines()[2] == ":large_blue_circle: *P4* small 12 · #12, seen 12 times, active"
    assert "… and 3 more" in section
    assert "told only here" not in shown(render_digest(digest(), LOS_ANGELES))


def test_slack_takes_the_longest_digest_and_says_that_more_does_not_fit() -> None:
    figures = [DigestFigure(label=HOSTILE, value=HOSTILE * 100) for _ in range(40)]
    worst = digest(
        name=HOSTILE * 5,
        sections=[(HOSTILE * 3, figures) for _ in range(60)],
        open=[alert(number, title=HOSTILE * 50) for number in range(100)],
        uptimes=Uptimes(
            checks=[Uptime(name=HOSTILE * 3, percent=number / 5, results=1) for number in range(500)],
            overall=49.9,
        ),
        jobs=[JobFigures(name=HOSTILE * 3, runs=1, failed=1, mean_seconds=1e300) for _ in range(500)],
    )
    message = render_digest(worst, LOS_ANGELES)
    assert pings(message) == set()
    assert "… and 90 more" in shown(message)
    assert "more parts do not fit here" in shown(message)
    usual = render_digest(replace(worst, sections=()), LOS_ANGELES)
    assert "… 490 more, none of them lower" in shown(usual)


# --- runs -------------------------------------------------------------------------------------------------


def run(**parts: Any) -> Run:
    return Run(**{"job": "parse", "status": RunStatus.SUCCESS, "finished_at": NOON, **parts})


def runs_shown(
    runs: list[Run], wanted: RunFilter, older: Cursor | None = None, newer: Cursor | None = None
) -> Message:
    """A page of runs between those places."""
    return render_runs(RunPage(runs=runs, older=older, newer=newer), wanted, "tocsin")


def turns(message: Message) -> list[RunFilter]:
    """What each button that turns the page asks for."""
    return [
        RunFilter.parse(element["value"])
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element["type"] == "button"
    ]


def test_a_run_is_a_line_that_says_how_it_ended_and_what_it_counted() -> None:
    runs = [
        run(duration_seconds=12.3, fields={"rows_processed": 1200, "pct_invalid": 0.4, "other": 1}),
        run(job="load", status=RunStatus.TIMEOUT, exit_code=124),
        run(status=RunStatus.ERROR, exit_code=3, fields={"error_codes": ["CSV_INVALID"]}),
    ]
    message = runs_shown(runs, RunFilter())
    for part in (
        ":white_check_mark: <!date^",
        "*parse* SUCCESS in 12.3 s · rows_processed 1200, pct_invalid 0.4",
        ":stopwatch: <!date^",
        "*load* TIMEOUT (exit code 124)",
        "*parse* ERROR (exit code 3): CSV_INVALID",
    ):
        assert part in shown(message)
    assert "SUCCESS in 12.3 s" in message.text
    assert buttons(message) == []


def test_pages_are_turned_by_buttons_that_remember_what_was_asked() -> None:
    wanted = RunFilter(job="parse", status=RunStatus.ERROR, since=NOON - HOUR, limit=20)
    first = runs_shown([run()], wanted, older=(NOON, 7))
    assert buttons(first) == ["Older ›"]
    assert "parse · ERROR · since <!date^" in shown(first)
    assert turns(first) == [wanted.older((NOON, 7))]
    middle = runs_shown([run()], wanted.older((NOON, 7)), older=(NOON - MINUTE, 3), newer=(NOON, 6))
    assert buttons(middle) == ["‹ Newer", "Older ›"]
    assert turns(middle) == [wanted.newer((NOON, 6)), wanted.older((NOON - MINUTE, 3))]
    last = runs_shown([run()], wanted.older((NOON, 7)), newer=(NOON, 6))
    assert buttons(last) == ["‹ Newer"]


def test_no_runs_are_said_in_words() -> None:
    assert "No runs fit" in shown(runs_shown([], RunFilter(job="nobody")))
    assert "No runs yet" in shown(runs_shown([], RunFilter()))


def test_a_search_that_stopped_says_how_far_it_read_and_can_go_on() -> None:
    wanted = RunFilter(texts=("disk full",))
    page = RunPage(runs=[], older=(NOON, 7), newer=None, searched_to=(NOON, 7))
    message = render_runs(page, wanted, "tocsin")
    assert "None of those read so far" in shown(message)
    assert "Read as far as <!date^" in shown(message)
    assert buttons(message) == ["Search older ›"]
    assert turns(message) == [wanted.older((NOON, 7))]


@pytest.mark.parametrize("count", [1, 10, 20, 21, 50])
def test_slack_takes_a_page_of_the_longest_runs_and_shows_every_one(count: int) -> None:
    runs = [
        run(
            job=f"{number:02}{HOSTILE}",
            status=RunStatus.ERROR,
            duration_seconds=1e300,
            exit_code=-1000,
            fields={"error": HOSTILE * 300, "rows_processed": HOSTILE * 10, "success_rate": HOSTILE},
        )
        for number in range(count)
    ]
    message = runs_shown(
        runs, RunFilter(job=HOSTILE, texts=(HOSTILE[:100],) * 5, limit=50), older=(NOON, 1), newer=(NOON, 2)
    )
    assert pings(message) == set()
    assert all(f"*{number:02}" in shown(message) for number in range(count))


@pytest.mark.parametrize("job", ["x" * 200, "🙂" * 200, '"\\' * 100, "ß" * 200])
def test_a_page_can_be_turned_whatever_the_job_is_called(job: str) -> None:
    wanted = RunFilter(job=job, status=RunStatus.TIMEOUT, since=NOON, limit=50)
    message = runs_shown([run(job=job)], wanted, older=(NOON, 2**62), newer=(NOON, 2**62))
    accepted(message)
    assert turns(message) == [wanted.newer((NOON, 2**62)), wanted.older((NOON, 2**62))]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=3,
)


@quick
@given(
    text=st.text(max_size=20)
    | st.fixed_dictionaries(
        dict.fromkeys(["job", "status", "since", "until", "texts", "limit", "before", "after"], JSON)
    ).map(json.dumps)
)
def test_what_is_no_page_of_runs_is_refused(text: str) -> None:
    try:
        found = RunFilter.parse(text)
    except ValueError:
        return
    assert 1 <= found.limit <= 50
