"""Reports at set times, and what Tocsin says of itself."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bot.blocks.digest import render_digest
from bot.blocks.jobs import render_unknown_job
from bot.blocks.message import Message
from bot.blocks.readiness import ReadinessLine, render_readiness
from bot.blocks.run_logs import render_readable_again, render_refused, render_unreadable
from bot.domain.severity import Severity
from bot.reports.digest import AlertFigures, Digest, Figure, JobFigures, Uptime
from checks.result import State
from tests.messages.catalogue.parts import DAY, LATER, alert, alerts
from tests.messages.kinds import Sample, kind

_FIGURES = (("CSV rows", "12,408 (▲ 204)"), ("Valid", "98.5%"), ("Orders", "1,204"))


def digest(s: Sample) -> Digest:
    start = datetime(2026, 11, 19, 8, tzinfo=UTC)
    names = ("shop", "payments", "database")
    return Digest(
        name=s.text("Shop"), start=start, end=start + DAY,
        sections=s.many(1, lambda _: (
            s.text("Data pipeline"),
            s.many(3, lambda number: Figure(label=s.text(_FIGURES[number % 3][0]), value=s.text(_FIGURES[number % 3][1]))),
        )),
        alerts=AlertFigures(
            total=s.count(4), by_severity=dict(zip(Severity, (s.count(1), 0, s.count(3), 0), strict=True)),
            resolved=s.count(2), mean_minutes_to_resolve=s.number(12.4),
        ),
        uptimes=s.many(3, lambda number: Uptime(
            name=s.text(names[number % 3]), percent=100 - number / 7, results=s.count(1440)
        )),
        jobs=s.many(2, lambda number: JobFigures(
            name=s.text(("parse_orders", "nightly_backup")[number % 2]), runs=s.count(24), failed=s.count(number % 2),
            mean_seconds=s.number(41.5),
        )),
        open=alerts(s, 2), told_here=s.many(1, lambda _: alert(s, 4)),
    )  # fmt: skip


@kind("digest", "The morning: what needs a human first, then the figures of the day", render_digest,
      says=("Shop", "Needs somebody today", "CPU at 97%", "98.5%", "payments"), large=True)  # fmt: skip
def _digest(s: Sample) -> Message:
    return render_digest(digest(s), ZoneInfo("America/Los_Angeles"))


@kind("readiness", "A group of checks, before a release", render_readiness, says=("Release", "FAIL", "payments"))
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


@kind("unknown-job", "A job reports that the configuration does not know", render_unknown_job, says=("parse_orders",))
def _unknown_job(s: Sample) -> Message:
    return render_unknown_job(s.text("parse_orders"), s.text("SUCCESS in 41 s"))


@kind("run-log-unreadable", "A log of runs cannot be read", render_unreadable, says=("cannot read", "runs.jsonl"))
def _unreadable(s: Sample) -> Message:
    return render_unreadable(s.text("/var/log/shop/runs.jsonl"), s.text("permission denied"))


@kind("run-log-readable", "It can be read again", render_readable_again, says=("runs.jsonl", "again"))
def _readable(s: Sample) -> Message:
    return render_readable_again(s.text("/var/log/shop/runs.jsonl"))


@kind("run-log-refused", "Lines of it report no run", render_refused, says=("3 entries", "line 7"))
def _refused(s: Sample) -> Message:
    return render_refused(s.count(3), s.text("/var/log/shop/runs.jsonl, line 7"), s.text("no job_name"))
