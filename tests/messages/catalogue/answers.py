"""What a command or a question in words is answered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.blocks.detail import render_check, render_job
from bot.blocks.duty import render_oncall
from bot.blocks.message import Message
from bot.blocks.overview import render_heartbeat, render_overview
from bot.blocks.patterns import render_patterns
from bot.blocks.runs import render_runs
from bot.blocks.thresholds import render_thresholds
from bot.config import parse
from bot.domain.advice import Advice, Measured
from bot.domain.forecast import Outlook
from bot.domain.observation import Observation, Source, SourceKind
from bot.domain.oncall import Duty
from bot.domain.pattern import Episode, find_pattern
from bot.domain.rollup import Rollup, Tally
from bot.domain.run import Run, RunStatus
from bot.domain.run_filter import RunFilter, RunPage
from bot.domain.severity import Severity
from bot.reports.detail import CheckDetail, JobDetail, Limit
from checks.result import State
from handlers.slack.answering import Answering
from tests.domain.findings import HOUR, MINUTE, NOON
from tests.messages.catalogue.parts import DAY, LATER, alerts, overview, standing
from tests.messages.kinds import Sample, kind

UTC = ZoneInfo("UTC")


@kind("status", "`/tocsin-status`: how everything stands", render_overview,
      says=("Shop", "CPU at 97%", "host", "nightly_backup", "98.5% valid"), large=True)  # fmt: skip
def _status(s: Sample) -> Message:
    return render_overview(overview(s))


@kind("status-nothing-wrong", "The same on a good day", render_overview, says=("Shop", "All systems nominal"))
def _calm(s: Sample) -> Message:
    whole = overview(s)
    good = [line for line in whole.checks if line.state is State.OK]
    return render_overview(overview(s, checks=good, jobs=good[:1], alerts=[]))


@kind(
    "status-troubled",
    "The same while Tocsin itself cannot do something",
    render_overview,
    says=("Tocsin itself",),
)
def _troubled(s: Sample) -> Message:
    troubles = s.many(1, lambda _: s.text("The database cannot be written: disk full"))
    return render_overview(overview(s, troubles=[*troubles, "Slack refused a post"]))


@kind("heartbeat", "`heartbeat_check` in a channel", render_heartbeat, says=("2 warnings", "CPU at 97%"))
def _heartbeat(s: Sample) -> Message:
    return render_heartbeat(overview(s, alerts=alerts(s, 2)))


@kind(
    "status-check", "`/tocsin-status host`: one check", render_check, says=("host", "critical", "cpu_percent")
)
def _check(s: Sample) -> Message:
    name = s.text("host")
    source = Source(kind=SourceKind.CHECK, name=name)
    results = s.many(
        20,
        lambda number: Observation(
            source=source, resource=name, state=State.OK if number < 15 else State.CRITICAL, at=NOON + number * MINUTE,
            summary="", fields={"cpu_percent": s.number(60 + 2.0 * number)},
        ),
    )  # fmt: skip
    now = standing(s, name, State.CRITICAL, "cpu_percent 97 is over its threshold of 80")
    return render_check(
        CheckDetail(
            name=name, at=LATER, zone=UTC, standings=s.many(1, lambda _: now), results=results,
            limits={"cpu_percent": [Limit(text="P2 above 80", value=80), Limit(text="P1 above 95", value=95)]},
            day=Tally(count=s.count(1440), good=s.count(1435)), week=Tally(count=s.count(10080), good=s.count(10060)),
            alerts=alerts(s, 1),
            outlooks={"cpu_percent": Outlook(limit=100, after=HOUR, soonest=HOUR / 2, latest=2 * HOUR)},
        )
    )  # fmt: skip


@kind("status-job", "`/tocsin-status parse_orders`: one job", render_job, says=("parse_orders", "Duration"))
def _job(s: Sample) -> Message:
    name = s.text("parse_orders")
    runs = s.many(20, lambda number: _run(s, number))[:20][::-1]
    return render_job(
        JobDetail(
            name=name, at=LATER, zone=UTC, standing=standing(s, name, State.OK, "SUCCESS", SourceKind.JOB), runs=runs,
            due_at=LATER + HOUR, budget=timedelta(minutes=5), day=Tally(count=s.count(24), good=s.count(23)),
            week=Tally(count=s.count(168), good=s.count(165)), durations=Rollup.of([41.0, 44.5, s.number(118)]),
            alerts=alerts(s, 1),
        )
    )  # fmt: skip


def _run(s: Sample, number: int) -> Run:
    failed = number % 6 == 5
    return Run(
        number=number, job=s.text("parse_orders"), status=RunStatus.ERROR if failed else RunStatus.SUCCESS,
        run_id=s.text(f"run-{number}"), finished_at=NOON - number * HOUR, duration_seconds=abs(s.number(40.0 + number)),
        exit_code=28 if failed else 0,
        fields={"rows_processed": s.count(1200 + number), "pct_invalid": s.number(0.3)}
        | ({"error": s.text("disk full")} if failed else {}),
        output=s.text("started\nread 4 files\nwrote 1204 rows\n"),
    )  # fmt: skip


@kind("logs", "`/tocsin-logs parse_orders`: runs, newest first", render_runs,
      says=("parse_orders", "rows_processed 1201", "disk full"))  # fmt: skip
def _logs(s: Sample) -> Message:
    runs = s.many(10, lambda number: _run(s, number))[:10]
    place = runs[-1].cursor if runs else None
    return render_runs(
        RunPage(runs=runs, older=place, newer=place), RunFilter(job=s.text("parse_orders") or None), "tocsin"
    )


@kind("logs-many", "The same, fifty at once", render_runs, says=("parse_orders",))
def _many_logs(s: Sample) -> Message:
    runs = s.many(50, lambda number: _run(s, number))[:50]
    return render_runs(RunPage(runs=runs, older=None, newer=None), RunFilter(limit=50), "tocsin")


@kind("logs-none", "The same where no run fits", render_runs, says=("fit",))
def _no_logs(s: Sample) -> Message:
    wanted = RunFilter(
        job=s.text("parse_orders"), status=RunStatus.ERROR, since=NOON - DAY, texts=(s.text("disk full"),)
    )
    return render_runs(RunPage(runs=[], older=None, newer=None), wanted, "tocsin")


@kind(
    "oncall",
    "`/tocsin oncall`: who is on call, who follows",
    render_oncall,
    says=("primary", "ethan", "nadia"),
)
def _oncall(s: Sample) -> Message:
    duties = {
        f"{s.text('primary')}{number if number > 1 else ''}": Duty(
            who=s.text("ethan"), until=LATER + DAY, then=s.text("nadia")
        )
        for number in s.many(1, lambda number: number)
    }
    return render_oncall({**duties, "manager": Duty(who="U0KIM")})


@kind(
    "patterns",
    "`/tocsin patterns 7d`: when and about what alerts came",
    render_patterns,
    says=("Shop", "7 days"),
)
def _patterns(s: Sample) -> Message:
    def episode(number: int) -> Episode:
        opened = NOON - number * 7 * HOUR
        return Episode(
            rule=s.text(("cpu_hot", "disk_full")[number % 2]), resource=s.text(f"web-{number % 3 + 1}"),
            severity=tuple(Severity)[number % 4], opened_at=opened, resolved_at=opened + number * MINUTE,
            resolved_by=None if number % 3 else "U0ALEX",
        )  # fmt: skip

    found = find_pattern(s.many(20, episode), NOON - 7 * DAY, NOON, UTC)
    return render_patterns(found, UTC, s.text("Shop"))


@kind("thresholds", "`/tocsin thresholds`: the limits that the past speaks for", render_thresholds,
      says=("30 days", "host.cpu_percent", "45"))  # fmt: skip
def _thresholds(s: Sample) -> Message:
    def advice(number: int) -> Advice:
        about = Measured(
            path=(
                f"{s.text(('host', 'payments')[(number - 1) % 2])}{number if s.words is not None else ''}",
            ),
            field=s.text(("cpu_percent", "latency_ms")[(number - 1) % 2]),
            limits=((Severity.HIGH, s.number(80.0)),),
        )
        return Advice(
            about=about, advised=((Severity.HIGH, s.number(45.0)),), why=s.text("95% of the values are below 37"),
            values=s.count(43200), days=30, hours=s.count(720), passed=s.count(4), passed_if_advised=s.count(31),
        )  # fmt: skip

    return render_thresholds(s.many(2, advice), 30)


def _answering() -> Answering:
    """Answers that ask nobody."""
    settings = parse(b"name: Shop\ndatabase: 'sqlite:///:memory:'\n", "tocsin.yml", {}, tokens_needed=False)
    nobody: Any = None
    return Answering(
        database=nobody,
        settings=settings,
        reporting=nobody,
        looking=nobody,
        explaining=nobody,
        clock=lambda: LATER,
    )


@kind(
    "help",
    "`/tocsin help`: what can be asked, in examples",
    Answering.help,
    says=("You can ask me", "/tocsin-status"),
)
def _help(_s: Sample) -> Message:
    return _answering().help()


@kind("help-mistyped", "A question that is not understood", Answering.help, says=("Did you mean",))
def _mistyped(_s: Sample) -> Message:
    return _answering().help("I do not know 'patters'. Did you mean `patterns`?", ["status parse_orders"])
