"""The five real files load exactly as they are."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.config import ConfigInvalid, Settings, load, warnings
from bot.config.scalars import FieldRef, Limit, Stat, Target, Threshold
from bot.domain.severity import Severity
from tests.config.reading import TOKENS

_EXAMPLES = Path(__file__).parents[2] / "examples"


def system(name: str, **environ: str) -> Settings:
    return load(_EXAMPLES / f"{name}.yml", {**TOKENS, "TOCSIN_TOKEN": "a-long-token", **environ})


@pytest.mark.parametrize("name", ["alertacall", "fleetyield", "homeverse", "keto-meals", "myhibachi"])
def test_a_system_without_its_variables_names_them_and_nothing_else(name: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load(_EXAMPLES / f"{name}.yml", {})
    needed = {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"} | ({"TOCSIN_TOKEN"} if name == "myhibachi" else set())
    assert {mistake.message for mistake in caught.value.mistakes} == {
        f"the variable {variable} is not set" for variable in needed
    }


@pytest.mark.parametrize("name", ["alertacall", "fleetyield", "homeverse", "keto-meals", "myhibachi"])
def test_a_system_is_warned_only_of_what_is_switched_off(name: str) -> None:
    assert {warning.message for warning in warnings(system(name))} <= {
        "the address is empty, so nothing is sent there"
    }


def test_fleetyield() -> None:
    settings = system("fleetyield")
    assert settings.timezone == ZoneInfo("America/Los_Angeles")
    assert settings.database == "sqlite:///fleetyield.db"
    assert settings.slack.command_prefix == "fleetyield"
    assert settings.slack.channel == "#fleetyield-alerts"
    assert settings.people == {"oncall": ("S0ONCALL",), "ops": ("S0OPS",), "ethan": ("U0ETHAN",)}
    assert settings.checks == {}
    job = settings.jobs["competitor_scraper"]
    assert (job.schedule, job.grace, job.timeout) == ("0 4 * * *", timedelta(minutes=5), timedelta(hours=1))
    assert settings.run_logs[0].path == "/var/log/fleetyield/runs.jsonl"
    assert [rule.severity for rule in settings.alerts] == [
        Severity.CRITICAL,
        Severity.HIGH,
        Severity.CRITICAL,
        Severity.CRITICAL,
        Severity.MEDIUM,
        Severity.MEDIUM,
    ]
    assert settings.alerts[3].mention == ("oncall", "ethan")
    assert settings.alerts[1].condition == "job == 'parse_reservations' && error_code == 'CSV_INVALID'"
    assert settings.status.fields[2].change == timedelta(days=1)
    assert settings.digest is not None
    assert settings.digest.at == time(7, 30)
    assert settings.digest.sections[1].items[2].stat == (Stat("avg"), Stat("min"), Stat("max"))
    assert settings.digest.sections[2].items[2].format == "${:,.0f}"
    assert settings.digest.charts[0].field == FieldRef("parse_reservations", "rows_processed")
    assert settings.heartbeat is not None
    assert settings.heartbeat.every == timedelta(minutes=30)
    assert settings.metrics.influxdb is not None
    assert not settings.metrics.influxdb.url
    assert settings.metrics.measurements["fleetyield_csv"].tags == {"location": "global"}
    assert settings.metrics.measurements["fleetyield_scraper"].tags == {"competitor": None}
    assert settings.dashboard.panels[0].target == Target(">", 95.0)
    assert settings.dashboard.panels[2].by == "competitor"


def test_myhibachi() -> None:
    settings = system("myhibachi", MAIL_URL="mailtos://user:pass@example.com")
    assert str(settings.http.bind) == "127.0.0.1:8787"
    assert settings.http.token is not None
    assert settings.http.token.get_secret_value() == "a-long-token"
    assert settings.permissions.silence == ("admins",)
    assert settings.permissions.acknowledge is None
    host = settings.checks["host"]
    assert (host.type, host.every, host.resource) == ("system", timedelta(minutes=1), "web-server-01")
    assert host.thresholds["cpu_percent"] == (Threshold(80.0),)
    assert host.expire == timedelta(hours=24)
    assert settings.checks["memory_leak"].category == "performance"
    assert settings.checks["bookings_api"].failures == 2
    assert settings.checks["bookings_api"].timeout == timedelta(seconds=30)
    assert settings.checks["failed_logins"].severity is Severity.HIGH
    assert settings.destinations["email"].enabled
    assert settings.destinations["email"].address == "mailtos://user:pass@example.com"
    assert not settings.destinations["sms"].enabled
    assert settings.routes[1].to == ("slack", "email", "discord")
    assert settings.silences[0].for_ == timedelta(hours=2)
    assert settings.digest is not None
    assert settings.digest.patterns == timedelta(days=7)


def test_keto_meals() -> None:
    settings = system("keto-meals")
    assert sorted(settings.jobs) == [
        "cleanup_blacklist",
        "cleanup_magic_links",
        "cleanup_pdfs",
        "cleanup_quiz_responses",
    ]
    job = settings.jobs["cleanup_pdfs"]
    assert job.budget == timedelta(hours=2)
    assert (job.sla.warning, job.sla.critical, job.sla.runs) == (0.8, 1.0, 3)
    assert job.success_rate is not None
    assert (job.success_rate.below, job.success_rate.over) == (0.95, timedelta(hours=24))
    assert job.consecutive_failures == 3
    assert job.throughput is not None
    assert job.throughput.below == Limit(0.5, of_baseline=True)
    assert job.runbook == "https://runbooks.example.com/sla-breach"
    log = settings.run_logs[0]
    assert (log.sql, log.every, log.fields) == ("sqlite:///app.db", timedelta(minutes=15), "metadata")
    assert log.status == "action == 'CLEANUP_COMPLETED' ? 'SUCCESS' : 'ERROR'"
    queue = settings.checks["manual_resolution_queue"]
    assert (queue.cron, queue.every) == ("0 * * * *", None)
    assert queue.states["warning"] == "total_pending > 100 || average_age_hours > 48"
    readiness = settings.checks["readiness"]
    assert readiness.report
    assert list(readiness.checks) == [
        "database", "redis", "blob_api", "indexes", "audit_table", "environment", "zombie_locks",
    ]  # fmt: skip
    assert readiness.checks["zombie_locks"].severity is Severity.MEDIUM
    assert readiness.checks["redis"].every is None
    assert settings.destinations["sentry"].kind == "sentry"
    assert settings.escalation["lead"].respond_within == timedelta(hours=4)
    assert settings.escalation["page"].steps[0].mention == ("oncall",)
    remedy = settings.remedies["clear_zombie_lock"]
    assert remedy.approve
    assert remedy.command == ("redis-cli", "-u", "redis://127.0.0.1:6379/0", "DEL", "{key}")
    assert settings.metrics.prometheus


def test_alertacall() -> None:
    settings = system("alertacall", CSV_DIR="/srv/reports")
    etl = settings.checks["etl_calls"]
    assert (etl.type, etl.every) == ("sql", timedelta(minutes=5))
    assert etl.states == {"critical": "age_hours > 24", "warning": "age_hours > 12"}
    between = settings.checks["first_calls"].between
    assert (str(between), between is not None and between.holds(time(7, 30))) == ("07:30-23:59", True)
    morning = settings.checks["morning_csv"]
    assert morning.due == time(11, 31)
    assert morning.options.model_dump()["path"] == "/srv/reports/productivity_%Y-%m-%d_1131.csv"
    assert [checkin.at for checkin in settings.checkins] == [(time(7, 30),), (time(11, 45),), (time(15, 45),)]
    assert settings.checkins[0].checks == ("etl_calls", "first_calls", "operators")
    assert settings.routes[0].escalation == "persists"
    assert settings.escalation["persists"].steps[0].to == ("slack", "gchat", "email")
    assert settings.digest is not None
    assert (settings.digest.period, settings.digest.uptime) == ("today", True)
    assert settings.dashboard.refresh == timedelta(seconds=30)


def test_homeverse() -> None:
    settings = system("homeverse", BACKEND_URL="https://api.example.com", RENDER_TOKEN="render-secret")
    backend = settings.checks["backend"]
    assert (backend.severity, backend.timeout) == (Severity.CRITICAL, timedelta(seconds=10))
    assert backend.dedupe == timedelta(minutes=15)
    assert backend.thresholds["response_time_ms"] == (Threshold(1000.0, "above", Severity.HIGH),)
    assert backend.options.model_dump()["url"] == "https://api.example.com/health"
    assert settings.checks["error_rate"].depends_on == ("backend",)
    assert settings.checks["deployment"].message == "Deployment failed: {deploy_status}"
    remedy = settings.remedies["restart"]
    assert remedy.request is not None
    assert (remedy.attempts, remedy.per, remedy.verify_after) == (
        2,
        timedelta(hours=1),
        timedelta(seconds=30),
    )
    assert remedy.request.headers["Authorization"].get_secret_value() == "Bearer render-secret"
    assert settings.routes[3].to == ("digest",)
    assert settings.reports.health is not None
    assert settings.reports.health.every == timedelta(hours=1)
    assert settings.reports.sla is not None
    objectives = settings.reports.sla.objectives
    assert objectives[0].target == Target(">=", 99.9, "%")
    assert objectives[1].target == Target("<", 500.0, "ms")
    assert objectives[3].stat == Stat("share", "live")
    assert settings.checklists["daily"].at == (time(9, 30),)
    assert settings.checklists["weekly"].schedule == "30 9 * * 1"
    assert settings.dashboard.panels[0].bands == (200.0, 500.0)
    assert settings.dashboard.panels[1].checks == ("backend", "frontend")
