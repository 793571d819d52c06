"""What loads and is probably not meant."""

# ruff: noqa: E501  (what is printed is one line)
from __future__ import annotations

import pytest

from bot.config import warnings
from tests.config.reading import read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("checks:\n  a: {type: system, condition: cpu_pct > 90.0}\n",
         '2: checks.a.condition: a check of type system has no field cpu_pct, so this never applies; did you mean "cpu_percent"?'),
        ("checks:\n  a: {type: system, condition: cpu_percent > 2.0 * baseline.cpu_prcent}\n",
         '2: checks.a.condition: a check of type system has no field cpu_prcent, so this never applies; did you mean "cpu_percent"?'),
        ("checks:\n  a: {type: system, states: {critical: disk_pct > 90.0}}\n",
         '2: checks.a.states.critical: a check of type system has no field disk_pct, so this never applies; did you mean "disk_percent"?'),
        ("checks:\n  a: {type: system, thresholds: {memory_pct: 90}}\n",
         '2: checks.a.thresholds.memory_pct: a check of type system has no field memory_pct, so this never applies; did you mean "memory_percent"?'),
        ("alerts:\n  - {name: a, condition: 'true'}\n  - {name: b, condition: x > 1}\n",
         "3: alerts[1]: this rule is never reached: the one on line 2 takes everything it would; "
         "move it up, or give the other continue: true"),
        ("alerts:\n  - {name: a, condition: x > 1}\n  - {name: b, condition: x > 1}\n",
         "3: alerts[1]: this rule is never reached: the one on line 2 takes everything it would; "
         "move it up, or give the other continue: true"),
        ("routes:\n  - {to: slack}\n  - {match: severity == 'critical', to: '#ops'}\n",
         "3: routes[1]: this route is never reached: the one on line 2 takes everything it would; "
         "move it up, or give the other continue: true"),
        ("destinations:\n  m: {url: ''}\n", "2: destinations.m.url: the address is empty, so nothing is sent there"),
        ("destinations:\n  m:\n    sentry: ${DSN:-}\n", "3: destinations.m.sentry: the address is empty, so nothing is sent there"),
        ("metrics: {influxdb: {url: ''}}\n", "1: metrics.influxdb.url: the address is empty, so nothing is sent there"),
        ("jobs:\n  a: {grace: 5m}\n",
         '2: jobs.a: without schedule or every nobody is told when it does not start; write one such as schedule: "0 6 * * *"'),
        ("checks:\n  a: {type: system, every: 5s, timeout: 20s}\n",
         "2: checks.a.timeout: it may take longer than the time between two runs; shorten it"),
        ("jobs:\n  a: {every: 1h, timeout: 5m, budget: 10m}\n",
         "2: jobs.a.budget: it is killed before its budget is used; shorten it"),
        ("jobs: {import: {every: 5m}}\nstatus: {fields: [{label: A, field: improt.rows}]}\n",
         '2: status.fields[0].field: no check or job is named "improt"; did you mean "import"?'),
        ("metrics: {measurements: {m: {from: nowhere}}}\n",
         '1: metrics.measurements.m.from: no check or job is named "nowhere"; there is only host'),
        ("escalation:\n  page: {steps: []}\n", "2: escalation.page: no route leads here; add escalation: page to a route"),
        ("routes:\n  - {match: severity == 'low', to: [digest]}\n",
         '2: routes[0].to: no digest is posted; add digest: {at: "09:00"}'),
        ("routes:\n  - {match: severity == 'WARNING' && count > 2, to: slack}\n",
         "2: routes[0].match: no alert has the severity 'WARNING' here; write 'medium'"),
        ("routes:\n  - {match: severity != 'urgent', to: slack}\n",
         "2: routes[0].match: no alert has the severity 'urgent' here; write one of critical, high, medium, low"),
        ("http: {bind: '0.0.0.0:80'}\n",
         "1: http.bind: other machines can reach it, and without a token the API answers nobody; set http.token"),
        ("jobs: {}\nrun_logs: [{sql: 'sqlite:///a.db', query: SELECT id AS cursor FROM a}]\n",
         "2: run_logs[0].query: the query does not say :cursor, so it gives the same rows each time; "
         "write WHERE id > :cursor ORDER BY id"),
    ],
)  # fmt: skip
def test_what_is_probably_not_meant_is_told(text: str, message: str) -> None:
    assert [str(warning) for warning in warnings(read(text))] == [f"tocsin.yml:{message}"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "checks:\n  a:\n    type: system\n    condition: change.cpu_percent > 2.0 && previous.cpu_percent < 5.0 && check != 'b'\n",
        "alerts: [{name: a, condition: 'true', continue: true}, {name: b, condition: x > 1}]\n",
        "destinations: {m: {url: 'json://127.0.0.1'}}\n",
        "http: {bind: '0.0.0.0:80', token: abc}\n",
        "http: {bind: 'localhost:80'}\n",
        "http: {bind: '[::1]:80'}\n",
    ],
)
def test_what_is_meant_is_not_told(text: str) -> None:
    assert warnings(read(text)) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "checks: {a: {type: env, required: {A: url}, anomaly: true}}",
            "nobody knows which of its fields to watch, so nothing is ever unusual; name them, such as [orders]",
        ),
        ("checks: {a: {type: system, anomaly: [cpu_percnt]}}", "has no field cpu_percnt"),
        ("checks: {a: {type: system, forecast: 6h, thresholds: {cpu_percent: 9}}}", "so nothing is foretold"),
        ("jobs: {a: {every: 1h, forecast: 7d}}", "without a budget nothing is foretold; set budget"),
    ],
)
def test_asking_the_past_for_what_it_cannot_tell_is_said(text: str, said: str) -> None:
    assert any(said in str(warning) for warning in warnings(read(text)))


def test_what_the_past_can_tell_is_not_warned_about() -> None:
    text = (
        "checks: {a: {type: system, anomaly: true, forecast: 6h, thresholds: {disk_percent: 80}}}\n"
        "jobs: {b: {every: 1h, budget: 5m, forecast: 7d, anomaly: true}}\n"
    )
    assert warnings(read(text)) == ()
