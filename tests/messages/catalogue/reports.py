"""Reports at set times, and what Tocsin says of itself."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bot.blocks import destinations
from bot.blocks.checkin import render_checkin, render_turned_wrong
from bot.blocks.checklist import render_checklist
from bot.blocks.digest import render_digest
from bot.blocks.drill import Arrival, render_drill, render_test_alert
from bot.blocks.health import render_health
from bot.blocks.jobs import render_unknown_job
from bot.blocks.message import Message
from bot.blocks.readiness import ReadinessLine, render_readiness
from bot.blocks.run_logs import render_readable_again, render_refused, render_unreadable
from bot.blocks.sla import render_sla
from bot.config.scalars import parse_target
from bot.domain.checkin import CheckinLine
from bot.domain.severity import Severity
from bot.reports.digest import AlertFigures, Digest, Figure, JobFigures, Uptime, Uptimes
from bot.reports.health import Health, alert_count
from bot.reports.sla import ObjectiveFigures, SlaReport
from checks.result import State
from tests.messages.catalogue.parts import ALEX, DAY, KIM, LATER, SAM, alert, alerts, overview
from tests.messages.kinds import Sample, kind

_FIGURES = (("CSV rows", "12,408 (▲ 204)"), ("Valid", "98.5%"), ("Orders", "1,204"))


def digest(s: Sample) -> Digest:
    start = datetime(2026, 11, 19, 8, tzinfo=UTC)
    names = ("shop", "payments", "database")
    return Digest(
        name=s.text("Shop"), start=start, end=start + DAY,
        sections=s.many(1, lambda _: (
            s.text("Data pipeline"),
            s.many(3, lambda number: Figure(
                label=s.text(_FIGURES[number % 3][0]), value=s.text(_FIGURES[number % 3][1])
            )),
        )),
        alerts=AlertFigures(
            total=s.count(4), by_severity=dict(zip(Severity, (s.count(1), 0, s.count(3), 0), strict=True)),
            resolved=s.count(2), mean_minutes_to_resolve=s.number(12.4),
        ),
        uptimes=Uptimes(
            checks=s.many(3, lambda number: Uptime(
                name=s.text(names[number % 3]), percent=100 - number / 7, results=s.count(1440)
            )),
            overall=99.71, before=99.9,
        ),
        jobs=s.many(2, lambda number: JobFigures(
            name=s.text(("parse_orders", "nightly_backup")[number % 2]), runs=s.count(24), failed=s.count(number % 2),
            mean_seconds=s.number(41.5),
        )),
        open=alerts(s, 2), quiet=s.many(1, lambda _: alert(s, 4)),
    )  # fmt: skip


@kind("digest", "The morning: what needs a human first, then the figures of the day", render_digest,
      says=("Shop", "Needs somebody today", "CPU at 97%", "98.5%", "payments"), large=True)  # fmt: skip
def _digest(s: Sample) -> Message:
    return render_digest(digest(s), ZoneInfo("America/Los_Angeles"))


@kind(
    "readiness", "A group of checks, before a release", render_readiness, says=("Release", "FAIL", "payments")
)
def _readiness(s: Sample) -> Message:
    known = (
        ("database", State.OK, "12 connections", 3.2),
        ("payments", State.CRITICAL, "connection refused", None),
        ("shop", State.WARNING, "200 in 2,412 ms", 2412.0),
    )
    lines = s.many(
        3,
        lambda number: ReadinessLine(
            name=s.text(known[number % 3][0]), state=known[number % 3][1], summary=s.text(known[number % 3][2]),
            latency_ms=known[number % 3][3],
        ),
    )  # fmt: skip
    return render_readiness(s.text("Release"), lines, LATER)


@kind(
    "unknown-job",
    "A job reports that the configuration does not know",
    render_unknown_job,
    says=("parse_orders",),
)
def _unknown_job(s: Sample) -> Message:
    return render_unknown_job(s.text("parse_orders"), s.text("SUCCESS in 41 s"))


@kind(
    "run-log-unreadable",
    "A log of runs cannot be read",
    render_unreadable,
    says=("cannot read", "runs.jsonl"),
)
def _unreadable(s: Sample) -> Message:
    return render_unreadable(s.text("/var/log/shop/runs.jsonl"), s.text("permission denied"))


@kind("run-log-readable", "It can be read again", render_readable_again, says=("runs.jsonl", "again"))
def _readable(s: Sample) -> Message:
    return render_readable_again(s.text("/var/log/shop/runs.jsonl"))


@kind("run-log-refused", "Lines of it report no run", render_refused, says=("3 entries", "line 7"))
def _refused(s: Sample) -> Message:
    return render_refused(s.count(3), s.text("/var/log/shop/runs.jsonl, line 7"), s.text("no job_name"))


@kind("checkin", "A check-in at its minute, followed while something is pending", render_checkin,
      says=("Morning", "1 critical", "payments"))  # fmt: skip
def _checkin(s: Sample) -> Message:
    return render_checkin(
        s.text("Morning"), s.many(3, lambda number: _checked(s, number)), due_at=LATER, as_of=LATER,
        live_until=LATER + DAY, dashboard="https://shop.example.com/board", mention=f"<@{KIM}>",
    )  # fmt: skip


@kind(
    "checkin-turned-wrong",
    "Something went wrong after the check-in",
    render_turned_wrong,
    says=("Morning", "payments"),
)
def _turned_wrong(s: Sample) -> Message:
    return render_turned_wrong(
        s.text("Morning"), s.many(1, lambda number: _checked(s, number + 1)), LATER, f"<@{KIM}>"
    )


def _checked(s: Sample, number: int) -> CheckinLine:
    name, state = (("database", State.OK), ("payments", State.CRITICAL), ("orders.csv", State.PENDING))[
        (number - 1) % 3
    ]
    return CheckinLine(name=s.text(name), state=state, summary=s.text("as expected"), at=LATER - DAY / 360)


@kind(
    "checklist",
    "What people tick every day",
    render_checklist,
    says=("Daily", "Look at the orders", f"<@{SAM}>"),
)
def _checklist(s: Sample) -> Message:
    tasks = s.many(2, lambda number: s.text(("Look at the orders", "Call the warehouse")[number % 2]))[:50]
    ticks = {0: (SAM, LATER)} if tasks else {}
    return render_checklist(1, s.text("Daily"), tasks, ticks, LATER)


@kind("drill-test", "What a drill sends everywhere", render_test_alert, says=("no real alert", "P1"))
def _drill_test(_s: Sample) -> Message:
    return render_test_alert(3, Severity.CRITICAL, ALEX, LATER)


@kind("drill", "What arrived of it, and how fast", render_drill, says=("arrived", "slack #alerts", "email"))
def _drill(s: Sample) -> Message:
    def arrival(number: int) -> Arrival:
        if number % 2:
            return Arrival(place=s.text("slack #alerts"), after=DAY / 86400, is_over=True)
        return Arrival(place=s.text("email"), error=s.text("refused"), is_over=True)

    return render_drill(
        3, s.text("Route 1"), ALEX, LATER, s.many(2, arrival), s.many(0, lambda _: s.text("a note"))
    )


@kind("sla", "The month against its objectives", render_sla, says=("October 2026", "Uptime", "99.95%"))
def _sla(s: Sample) -> Message:
    objectives = s.many(2, lambda number: ObjectiveFigures(
        name=s.text(("Answers in 2 s", "Uptime")[number % 2]), target=parse_target(">= 99.9%"),
        current=s.number((99.95, 80.0)[number % 2]) if number % 2 == 0 else s.number(99.95), before=s.number(99.0),
        values=s.count(1440),
    ))  # fmt: skip
    month = SlaReport(
        name=s.text("Shop"), month="2026-10", start=datetime(2026, 10, 1, tzinfo=UTC),
        end=datetime(2026, 11, 1, tzinfo=UTC), objectives=tuple(objectives),
    )  # fmt: skip
    return render_sla(month, ZoneInfo("UTC"), with_file_button=True)


@kind("health", "Every hour: how everything stands, and alerts against the time before", render_health,
      says=("Shop", "health report", "host"))  # fmt: skip
def _health(s: Sample) -> Message:
    count = alert_count(alerts(s), LATER, DAY)
    return render_health(Health(overview=overview(s), day=count, week=count))


@kind("destination-refused", "Another destination does not take an alert", destinations.render_refused,
      says=("pagers", "alert #41"))  # fmt: skip
def _destination_refused(s: Sample) -> Message:
    return destinations.render_refused(
        s.text("pagers"), s.text("HTTP 403"), s.text("renew its key"), alert(s)
    )


@kind("destination-works", "It takes them again", destinations.render_works_again, says=("pagers", "again"))
def _destination_works(s: Sample) -> Message:
    return destinations.render_works_again(s.text("pagers"))
