"""Which settings can be changed at run time, by what paths, to what values, and how that reads as YAML."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.config import Settings
from bot.config.override_paths import PathUnknown, find_path, format_parts, parse_parts
from bot.config.override_yaml import as_yaml
from bot.config.overriding import Setting, Unfit, applied, changed, new_warnings, parse_value
from bot.domain.severity import Severity
from tests.config.reading import read

FILE = """\
name: Shop
people: {oncall: [U0SAM], alex: U0ALEX}
checks:
  host:
    type: system
    thresholds:
      cpu_percent: 80
      memory_percent: {P1: 95, P2: 80}
  shop.front:
    type: http
    url: https://example.org/
    mention: "@oncall"
  ready:
    type: group
    every: 5m
    checks:
      queue: {type: sql, url: "sqlite:///q.db", query: select 1 as waiting, thresholds: {waiting: 100}}
jobs:
  defaults: {grace: 10m}
  parse orders: {schedule: "0 6 * * *", budget: 10m}
alerts:
  - {name: Job failed, condition: status == 'ERROR', severity: P3}
  - {name: Slow, condition: response_time_ms > 500}
"""


@pytest.fixture(scope="module")
def settings() -> Settings:
    return read(FILE)


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("host.cpu_percent", "checks.host.thresholds.cpu_percent"),
        ("host.disk_percent", "checks.host.thresholds.disk_percent"),
        ("host.thresholds.cpu_percent", "checks.host.thresholds.cpu_percent"),
        ("checks.host.thresholds.cpu_percent", "checks.host.thresholds.cpu_percent"),
        ("check.host.cpu_percent", "checks.host.thresholds.cpu_percent"),
        ("host.severity", "checks.host.severity"),
        ("host.for", "checks.host.for"),
        ("host.flapping.start", "checks.host.flapping.start"),
        ("host.states.critical", "checks.host.states.critical"),
        ("shop.front.response_time_ms", 'checks."shop.front".thresholds.response_time_ms'),
        ("queue.waiting", "checks.ready.checks.queue.thresholds.waiting"),
        ("queue.oldest_minutes", "checks.ready.checks.queue.thresholds.oldest_minutes"),
        ("checks.ready.checks.queue.failures", "checks.ready.checks.queue.failures"),
        ('job."parse orders".budget', 'jobs."parse orders".budget'),
        ("parse orders.sla.warning", 'jobs."parse orders".sla.warning'),
        ('rule."Job failed".severity', 'alerts."Job failed".severity'),
        ("Slow.condition", "alerts.Slow.condition"),
        ("rule.Slow", "alerts.Slow"),
        ("rule.New", "alerts.New"),
        ("defaults.dedupe", "defaults.dedupe"),
    ],
)
def test_a_path_is_found_from_what_people_write(settings: Settings, said: str, path: str) -> None:
    assert format_parts(find_path(said, settings)) == path


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("hots.cpu_percent", 'there is no check, job or rule named "hots"; did you mean "host"?'),
        ("checks.hots.severity", 'there is no check named "hots"; did you mean "host"?'),
        ("rule.Slov.severity", 'there is no rule named "Slov"; did you mean "Slow"?'),
        ("host.cpu_pct", '"cpu_pct" is nothing that can be changed at run time; did you mean "cpu_percent"?'),
        (
            "host.thresholds.cpu_pct",
            'a check of type system has no field cpu_pct; did you mean "cpu_percent"?',
        ),
        ("host.sevrity", '"sevrity" is nothing that can be changed at run time; did you mean "severity"?'),
        ("host.every", '"every" can only be changed in the file; what can be changed here: '),
        ("shop.front.url", '"url" can only be changed in the file; what can be changed here: '),
        ("queue.query", '"query" can only be changed in the file'),
        ("parse orders.schedule", '"schedule" can only be changed in the file'),
        ("slack.bot_token", 'there is no check, job or rule named "slack"'),
        ("http.token", 'there is no check, job or rule named "http"'),
        ("host", "checks.host is not one value; add what is meant, such as .severity"),
        (
            "host.thresholds",
            "checks.host.thresholds is not one value; add what is meant, such as .cpu_percent",
        ),
        ("host.severity.now", "nothing can be named below checks.host.severity"),
        ("host..x", "is not a path"),
        ("", "is not a path"),
        ("x" * 400, "is not a path"),
        ("defaults.every", '"every" can only be changed in the file'),
    ],
)
def test_a_path_that_leads_nowhere_is_told_with_the_nearest(settings: Settings, said: str, why: str) -> None:
    with pytest.raises(PathUnknown) as caught:
        find_path(said, settings)
    assert why in str(caught.value)


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=6))
def test_a_path_reads_as_it_was_written(parts: list[str]) -> None:
    text = format_parts(parts)
    if len(text) <= 300:
        assert parse_parts(text) == tuple(parts)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("90", 90),
        ("90.5", 90.5),
        ("< 10", "< 10"),
        ("P1=95 P2=80", {"P1": 95, "P2": 80}),
        ("{P1: 95, P2: 80}", {"P1": 95, "P2": 80}),
        ("@oncall @alex", "@oncall @alex"),
        ("5m", "5m"),
        ("no", "no"),
        ("false", False),
        ("cpu_percent > 90 && memory_percent > 80", "cpu_percent > 90 && memory_percent > 80"),
        ("status == 'ERROR'", "status == 'ERROR'"),
        ("[a, b]", ["a", "b"]),
        ("#alerts", "#alerts"),
        ("key: value", "key: value"),
        ("{disk_percent}% full", "{disk_percent}% full"),
        ("it is {disk_percent}% full # look", "it is {disk_percent}% full # look"),
    ],
)
def test_a_value_is_what_the_file_would_make_of_it(said: str, value: Any) -> None:
    assert parse_value(said) == value


@pytest.mark.parametrize("said", ["${SLACK_BOT_TOKEN}", "x" * 5000])
def test_a_value_that_cannot_be_read_is_refused(said: str) -> None:
    with pytest.raises(Unfit):
        parse_value(said)


def put(settings: Settings, path: str, value: Any) -> Settings:
    return changed(settings, [Setting(parts=find_path(path, settings), value=value)])


def test_a_changed_threshold_leaves_everything_else(settings: Settings) -> None:
    after = put(settings, "host.cpu_percent", 90)
    assert [each.limit for each in after.checks["host"].thresholds["cpu_percent"]] == [90]
    assert (
        after.checks["host"].thresholds["memory_percent"]
        == settings.checks["host"].thresholds["memory_percent"]
    )
    assert settings.checks["host"].thresholds["cpu_percent"][0].limit == 80
    assert after.slack == settings.slack


def test_nothing_takes_away_what_the_file_says(settings: Settings) -> None:
    assert "cpu_percent" not in put(settings, "host.cpu_percent", None).checks["host"].thresholds
    assert [rule.name for rule in put(settings, "rule.Slow", None).alerts] == ["Job failed"]


def test_a_rule_is_changed_added_and_put_in_place_of_another(settings: Settings) -> None:
    assert put(settings, 'rule."Job failed".severity', "P1").alerts[0].severity is Severity.CRITICAL
    new = {"condition": "disk_percent > 95", "severity": "P1"}
    assert [rule.name for rule in put(settings, "rule.Full", new).alerts] == ["Job failed", "Slow", "Full"]
    other = put(settings, "rule.Slow", new).alerts
    assert [rule.condition for rule in other] == ["status == 'ERROR'", "disk_percent > 95"]


def test_settings_of_members_jobs_and_defaults_are_reached(settings: Settings) -> None:
    assert (
        put(settings, "queue.waiting", 5).checks["ready"].checks["queue"].thresholds["waiting"][0].limit == 5
    )
    assert put(settings, "parse orders.sla.warning", "50%").jobs["parse orders"].sla.warning == 0.5
    assert put(settings, "defaults.failures", 3).checks["host"].failures == 3


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (
            "host.cpu_percent",
            "lots",
            '"lots" is not a threshold; write a number such as 80, or "< 10" for too little',
        ),
        ("host.cpu_percent", {"P9": 4}, '"P9" is neither a severity nor a direction'),
        ("host.severity", "urgent!", "checks.host.severity"),
        ("host.mention", "@nobody", '"nobody" is nobody under people'),
        ("host.condition", "cpu_percent >", "checks.host.condition"),
        ("host.failures", 0, "0 is too small; it must be at least 1"),
        ("host.depends_on", "fromt", 'there is no check named "fromt"'),
        ("Slow.condition", None, 'the key "condition" is missing'),
        ("rule.New", "yes", "a rule is written as {condition:"),
        ("rule.New", {"severity": "P1"}, 'the key "condition" is missing'),
        ("rule.New", {"condition": "true", "secret": 1}, "unknown key"),
        ("rule.New", None, 'there is no rule "New" to switch off'),
        ("parse orders.budget", "soon", "jobs.parse orders.budget"),
        ("host.flapping.end", "90%", "it would end before it begins"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_the_words_of_the_file(
    settings: Settings, path: str, value: Any, why: str
) -> None:
    with pytest.raises(Unfit) as caught:
        put(settings, path, value)
    assert why in str(caught.value)


def test_what_fits_no_longer_is_left_out_and_the_rest_has_effect(settings: Settings) -> None:
    standing = [
        Setting(parts=("checks", "gone", "severity"), value="P1"),
        Setting(parts=("checks", "host", "thresholds", "cpu_percent"), value=90),
        Setting(parts=("alerts", "Gone", "severity"), value="P1"),
        Setting(parts=("checks", "host", "mention"), value="@left"),
        Setting(parts=("nonsense",), value=1),
    ]
    outcome = applied(settings, standing)
    assert outcome.settings.checks["host"].thresholds["cpu_percent"][0].limit == 90
    assert outcome.refused.keys() == {
        "checks.gone.severity",
        "alerts.Gone.severity",
        "checks.host.mention",
        "nonsense",
    }
    assert outcome.refused["checks.gone.severity"] == (
        'the file has no "gone" any more, so checks.gone.severity leads nowhere'
    )


def test_what_loads_and_is_not_meant_is_warned_of(settings: Settings) -> None:
    after = put(settings, "host.condition", "cpu_precent > 90")
    (warning,) = new_warnings(settings, after)
    assert "has no field cpu_precent" in warning


CHANGES: list[tuple[str, Any]] = [
    ("host.cpu_percent", {"P2": 85, "P1": 95}),
    ("host.memory_percent", None),
    ("shop.front.mention", "@alex"),
    ("queue.waiting", "< 10"),
    ("parse orders.budget", "20m"),
    ("parse orders.sla.warning", "50%"),
    ("defaults.failures", 3),
    ("rule.Slow.severity", "P2"),
    ('rule."Job failed"', None),
    ("rule.New", {"condition": "disk_percent > 95", "message": "{disk_percent:.0f}% full: look # now"}),
]


def test_the_yaml_says_the_same_as_the_changes(settings: Settings) -> None:
    found = [Setting(parts=find_path(path, settings), value=value) for path, value in CHANGES]
    text = as_yaml(settings, found)
    pasted = yaml.safe_load(FILE)
    fragment = yaml.safe_load(text)
    merge(pasted, {key: value for key, value in fragment.items() if key != "alerts"})
    by_name = {rule["name"]: rule for rule in [*pasted["alerts"], *fragment["alerts"]]}
    assert "# remove memory_percent: the file says {P1: 95, P2: 80}, line 8" in text
    assert "# remove the rule Job failed, line " in text
    del pasted["checks"]["host"]["thresholds"]["memory_percent"], by_name["Job failed"]
    pasted["alerts"] = list(by_name.values())
    after = read(yaml.safe_dump(pasted, sort_keys=False))
    assert after.model_dump() == changed(settings, found).model_dump()


def test_the_yaml_tells_what_the_file_says_and_where(settings: Settings) -> None:
    found = [Setting(parts=find_path("host.cpu_percent", settings), value=90)]
    assert as_yaml(settings, found) == (
        "checks:\n  host:\n    thresholds:\n      cpu_percent: 90  # the file says 80, line 7\n"
    )
    assert as_yaml(settings, []) == ""


def test_a_secret_of_the_environment_is_not_in_the_yaml() -> None:
    text = FILE + "  - {name: Told, condition: up == 0, runbook: 'https://example.org/${API_TOKEN}'}\n"
    settings = read(text, API_TOKEN="very-secret-word")
    shown = as_yaml(settings, [Setting(parts=("alerts", "Told", "severity"), value="P1")])
    assert "P1" in shown
    assert "very-secret-word" not in shown


def merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    """As a person pastes the lines over the same keys."""
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict) and key not in ("cpu_percent",):
            merge(into[key], value)
        else:
            into[key] = value
