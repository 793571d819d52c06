"""What settings hold when keys are left out, and how values are read."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bot.config import load, parse
from bot.config.moments import parse_window
from bot.config.scalars import (
    Limit,
    Stat,
    Target,
    Threshold,
    parse_bind,
    parse_limit,
    parse_share,
    parse_size,
    parse_stat,
    parse_target,
)
from bot.domain.severity import Severity
from checks.group import Options as GroupOptions
from tests.config.reading import TOKENS, read


def test_an_empty_file_watches_the_host(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.yml"
    path.write_text("")
    settings = load(path, {**TOKENS, "SLACK_CHANNEL": "#house", "SLACK_API_URL": "http://127.0.0.1:1/api/"})
    assert settings.slack.bot_token.get_secret_value() == TOKENS["SLACK_BOT_TOKEN"]
    assert settings.slack.channel == "#house"
    assert settings.slack.api_url == "http://127.0.0.1:1/api/"
    assert settings.database == "sqlite:///tocsin.db"
    assert list(settings.checks) == ["host"]
    assert settings.checks["host"].type == "system"
    assert settings.checks["host"].every == timedelta(minutes=1)
    assert settings.checks["host"].thresholds == {
        "cpu_percent": (Threshold(90.0),),
        "memory_percent": (Threshold(90.0),),
        "disk_percent": (Threshold(90.0),),
    }
    assert (settings.digest, settings.heartbeat, settings.routes) == (None, None, ())


def test_the_host_is_watched_only_when_nothing_else_is() -> None:
    assert read("jobs: {a: {every: 5m}}\n").checks == {}
    assert list(read("name: A\n").checks) == ["host"]


def test_sections_with_nothing_in_them_are_left_out() -> None:
    settings = read("checks:\njobs:\nroutes:\nslack:\ndigest:\n")
    assert list(settings.checks) == ["host"]
    assert settings.slack.channel == "#alerts"


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("heartbeat:\n", 30),
        ("heartbeat: true\n", 30),
        ("heartbeat: {every: 5m}\n", 5),
        ("heartbeat: false\n", 0),
    ],
)
def test_a_heartbeat_is_every_half_hour_unless_said(text: str, every: int) -> None:
    heartbeat = read(text).heartbeat
    assert (heartbeat.every if heartbeat else timedelta(0)) == timedelta(minutes=every)


def test_defaults_hold_for_what_does_not_say() -> None:
    settings = read(
        "defaults: {every: 2m, timeout: 9s, severity: P3, dedupe: 15m, channel: '#b', for: 1m, grace: 9m}\n"
        "checks:\n"
        "  a: {type: system}\n"
        "  b: {type: system, cron: '* * * * *', severity: P1, timeout: 1s, channel: '#c'}\n"
        "jobs: {j: {schedule: '0 6 * * *'}}\n"
        "alerts: [{name: r, condition: x > 1, dedupe: 1h}]\n"
    )
    a, b, job, rule = settings.checks["a"], settings.checks["b"], settings.jobs["j"], settings.alerts[0]
    assert (a.every, a.timeout, a.severity, a.channel) == (
        timedelta(minutes=2),
        timedelta(seconds=9),
        Severity.MEDIUM,
        "#b",
    )
    assert (a.dedupe, a.for_) == (timedelta(minutes=15), timedelta(minutes=1))
    assert (b.every, b.timeout, b.severity, b.channel) == (
        None,
        timedelta(seconds=1),
        Severity.CRITICAL,
        "#c",
    )
    assert (job.every, job.timeout, job.grace, job.severity) == (
        None,
        None,
        timedelta(minutes=9),
        Severity.MEDIUM,
    )
    assert (rule.dedupe, rule.severity) == (timedelta(hours=1), Severity.MEDIUM)


def test_a_frequent_check_does_not_wait_longer_than_its_interval() -> None:
    settings = read("checks: {a: {type: system, every: 5s}, b: {type: system, every: 5s, timeout: 20s}}\n")
    assert settings.checks["a"].timeout == timedelta(seconds=5)
    assert settings.checks["b"].timeout == timedelta(seconds=20)


def test_members_of_a_group_take_the_defaults_too() -> None:
    member = "{type: http, url: 'http://127.0.0.1/'%s}"
    group = f"{{type: group, checks: {{a: {member % ''}, b: {member % ', failures: 1, timeout: 2s'}}}}}"
    text = f"defaults: {{failures: 3, timeout: 7s, tags: [x]}}\nchecks:\n  ready: {group}\n"
    ready = read(text).checks["ready"]
    assert [(each.failures, each.tags) for each in ready.checks.values()] == [(3, ("x",)), (1, ("x",))]
    options = ready.options
    assert isinstance(options, GroupOptions)
    assert options.member_timeout == timedelta(seconds=7)
    assert options.checks["b"].timeout == timedelta(seconds=2)
    kept = read(text.replace("type: group", "type: group, member_timeout: 4s")).checks["ready"].options
    assert isinstance(kept, GroupOptions)
    assert kept.member_timeout == timedelta(seconds=4)


def test_job_defaults_give_way_to_the_job_and_go_before_the_file_s() -> None:
    settings = read(
        "defaults: {severity: P1, category: x}\n"
        "jobs:\n  defaults: {severity: P2, every: 1h}\n  a: {schedule: '0 6 * * *'}\n  b: {severity: P4}\n"
    )
    assert sorted(settings.jobs) == ["a", "b"]
    assert (settings.jobs["a"].severity, settings.jobs["a"].every) == (Severity.HIGH, None)
    assert (settings.jobs["b"].severity, settings.jobs["b"].every) == (Severity.LOW, timedelta(hours=1))
    assert settings.jobs["b"].category == "x"


@pytest.mark.parametrize(
    ("written", "thresholds"),
    [
        ("80", (Threshold(80.0),)),
        ("'< 10'", (Threshold(10.0, "below"),)),
        ("'>= 10'", (Threshold(10.0, "above"),)),
        ("{below: 10}", (Threshold(10.0, "below"),)),
        ("{above: 10}", (Threshold(10.0, "above"),)),
        ("{P2: 80, P1: 95}", (Threshold(80.0, "above", Severity.HIGH), Threshold(95.0, "above", Severity.CRITICAL))),
        ("{warning: '< 5'}", (Threshold(5.0, "below", Severity.MEDIUM),)),
        ("{below: {P1: 5, P2: 10}}",
         (Threshold(5.0, "below", Severity.CRITICAL), Threshold(10.0, "below", Severity.HIGH))),
        ("{below: 5, above: 10}", (Threshold(5.0, "below"), Threshold(10.0, "above"))),
    ],
)  # fmt: skip
def test_thresholds_may_be_written_in_several_ways(written: str, thresholds: tuple[Threshold, ...]) -> None:
    settings = read(f"checks: {{a: {{type: system, thresholds: {{x: {written}}}}}}}\n")
    assert settings.checks["a"].thresholds["x"] == thresholds


def test_a_limit_itself_is_still_good() -> None:
    assert [Threshold(10.0).crossed_by(value) for value in (9.0, 10.0, 10.1)] == [False, False, True]
    assert [Threshold(10.0, "below").crossed_by(value) for value in (9.9, 10.0, 11.0)] == [True, False, False]


@pytest.mark.parametrize(
    ("parse_value", "text", "value"),
    [
        (parse_share, "95%", 0.95),
        (parse_share, "120 %", 1.2),
        (parse_share, 0.5, 0.5),
        (parse_limit, "50% of baseline", Limit(0.5, of_baseline=True)),
        (parse_limit, 100, Limit(100.0)),
        (parse_target, ">= 99.9%", Target(">=", 99.9, "%")),
        (parse_target, ">95", Target(">", 95.0)),
        (parse_target, "≤ 500 ms", Target("<=", 500.0, "ms")),
        (parse_stat, "p99.9", Stat("p99.9")),
        (parse_stat, "share of 'build failed'", Stat("share", "build failed")),
        (parse_size, "2MB", 2 * 1024**2),
        (parse_size, 4096, 4096),
    ],
)
def test_values_are_parsed(parse_value: Any, text: Any, value: Any) -> None:
    assert parse_value(text) == value


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("[::1]:80", "::1", 80), (":80", "0.0.0.0", 80), ("localhost:0", "localhost", 0)],
)
def test_addresses_to_listen_on(text: str, host: str, port: int) -> None:
    address = parse_bind(text)
    assert (address.host, address.port) == (host, port)
    assert parse_bind(str(address)) == address


@pytest.mark.parametrize(
    ("window", "moment", "holds"),
    [
        ("07:30-23:59", time(7, 30), True),
        ("07:30-23:59", time(23, 59, 59), True),
        ("07:30-23:59", time(7, 29, 59), False),
        ("22:00-06:00", time(23, 0), True),
        ("22:00-06:00", time(6, 0), True),
        ("22:00-06:00", time(12, 0), False),
    ],
)
def test_a_part_of_the_day_may_reach_past_midnight(window: str, moment: time, holds: bool) -> None:
    assert parse_window(window).holds(moment) is holds


def test_targets_are_met_in_their_own_unit() -> None:
    assert parse_target(">= 99.9%").met_by(99.9)
    assert not parse_target("> 99.9%").met_by(99.9)
    assert parse_target("< 500 ms").met_by(499.0)


def test_a_date_without_an_offset_is_in_the_zone_of_the_file() -> None:
    settings = read(
        "timezone: Europe/London\n"
        "silences: [{name: A, match: 'true', from: 2026-07-01 22:00, until: '2026-07-02T06:00:00+00:00'}]\n"
    )
    assert settings.silences[0].from_ == datetime(2026, 7, 1, 21, 0, tzinfo=UTC)
    assert settings.silences[0].until == datetime(2026, 7, 2, 6, 0, tzinfo=UTC)


def test_a_silence_is_in_its_own_zone_where_it_names_one() -> None:
    settings = read(
        "timezone: Europe/London\n"
        "silences: [{name: A, match: 'true', from: 2026-07-01 22:00, for: 1h, timezone: America/New_York}]\n"
    )
    assert settings.silences[0].from_ == datetime(2026, 7, 2, 2, 0, tzinfo=UTC)


def test_a_single_word_may_stand_for_a_list() -> None:
    settings = read(
        "people: {a: U0ANN}\npermissions: {resolve: a}\nroutes: [{to: slack, mention: '@a here U0BOB'}]\n"
    )
    assert settings.permissions.resolve == ("a",)
    assert settings.routes[0].to == ("slack",)
    assert settings.routes[0].mention == ("a", "here", "U0BOB")


def test_numbers_may_stand_where_texts_are_meant() -> None:
    settings = read("name: 42\nhttp:\n  token: ${TOKEN}\n", TOKEN="0123")
    assert settings.name == "42"
    assert settings.http.token is not None
    assert settings.http.token.get_secret_value() == "0123"


def test_settings_cannot_be_changed() -> None:
    settings = read("")
    with pytest.raises(ValidationError):
        settings.slack.channel = "#b"


def test_commands_without_slack_need_no_tokens() -> None:
    settings = parse(b"slack: {bot_token: '${SLACK_BOT_TOKEN}'}\n", "tocsin.yml", {}, tokens_needed=False)
    assert list(settings.checks) == ["host"]


def test_a_key_that_a_kind_knows_as_well_reaches_both() -> None:
    check = read("checks: {a: {type: file, path: a.csv, every: 5m, due: '11:30'}}\n").checks["a"]
    assert check.due == time(11, 30)
    assert check.options.model_dump()["due"] is not None


def test_the_type_is_always_the_kind() -> None:
    check = read("checks: {a: {type: dns, name: example.com, record: MX}}\n").checks["a"]
    assert check.type == "dns"
    assert check.options.model_dump()["record"] == "MX"


def test_members_of_a_group_have_no_schedule_of_their_own() -> None:
    group = read("checks: {g: {type: group, every: 5m, checks: {a: {type: system}}}}\n").checks["g"]
    assert group.every == timedelta(minutes=5)
    assert group.checks["a"].every is None
