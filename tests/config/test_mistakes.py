"""Every mistake in the settings: its line, its path, its words."""

# ruff: noqa: E501  (what is printed is one line)
from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import ConfigInvalid, load, parse
from tests.config.reading import TOKENS, mistakes, read

_HTTP = "type: http, url: http://127.0.0.1/"


def check(keys: str) -> str:
    return f"checks:\n  a: {{{_HTTP}, {keys}}}\n"


def test_a_member_s_unknown_key_is_told_once_with_what_was_meant() -> None:
    members = "{a: {%s, expects: {status: 200}}, b: {%s, severty: high}}" % (_HTTP, _HTTP)  # noqa: UP031
    assert mistakes(f"checks:\n  ready: {{type: group, checks: {members}}}\n") == [
        'tocsin.yml:2: checks.ready.checks.a.expects: unknown key; did you mean "expect"?',
        'tocsin.yml:2: checks.ready.checks.b.severty: unknown key; did you mean "severity"?',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nam: x\n", '1: nam: unknown key; did you mean "name"?'),
        ("name: [1]\n", "1: name: a list stands where a text belongs"),
        ("\n\ntimezone: Europe/Londn\n", '3: timezone: "Europe/Londn" is not a time zone; did you mean "Europe/London"?'),
        ("timezone: 5\n", "1: timezone: 5 is not a time zone; write one such as Europe/London"),
        ("slack: {channel: Two Words}\n",
         '1: slack.channel: "Two Words" is not a channel; write its name in lower case, such as "#alerts", or its id'),
        ("slack:\n  channel: #alerts\n",
         '2: slack.channel: no channel is named; a # begins a comment in YAML, so quote it: "#alerts"'),
        ("slack: {command_prefix: status}\n",
         "1: slack.command_prefix: Slack keeps /status for itself; choose another word, such as tocsin"),
        ("slack: [a]\n", "1: slack: a list stands where a mapping such as {name: value} belongs"),
        ("slack:\n  bot_token: hello\n", "2: slack.bot_token: this is not the bot token; it begins with xoxb-"),
        ("slack: {bot_token: ''}\n", "1: slack.bot_token: the bot token is missing; it begins with xoxb-"),
        ("people: {oncall: [U0ADMIN, ethan]}\n",
         '1: people.oncall[1]: "ethan" is nobody under people; add it: people: {ethan: U0123ABCD}'),
        ("people: {admins: U0ADMIN}\npermissions: {silence: [admin]}\n",
         '2: permissions.silence[0]: "admin" is nobody under people; did you mean "admins"?'),
        ("jobs:\n  a: {every: 1h, ping: 5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278}\n"
         "  b: {every: 1h, ping: 5BF66975-d4c7-4bf5-bcc8-b8d8a82ea278}\n",
         "3: jobs.b.ping: this is already the ping address of the job on line 2; "
         "give each job a UUID of its own; uuidgen makes one"),
        ("http: {bind: 8787}\n",
         "1: http.bind: 8787 is not an address to listen on; write host:port, such as 127.0.0.1:8787"),
        ("http: {bind: 'a:99999'}\n",
         '1: http.bind: "a:99999" is not an address to listen on; write host:port, such as 127.0.0.1:8787'),
        ("http: {body_limit: lots}\n", '1: http.body_limit: "lots" is not a size; write one such as 1MB'),
        ("defaults: {dedupe: 15}\n",
         "1: defaults.dedupe: 15 is not a duration; write one such as 30s, 5m, 1h30m or 7d"),
        ("defaults: {dedup: 15m}\n", '1: defaults.dedup: unknown key; did you mean "dedupe"?'),
        ("checks: 5\n", "1: checks: 5 stands where a mapping such as {name: value} belongs"),
        ("checks:\n  a: {type: htp}\n", '2: checks.a.type: "htp" is not a kind of check; did you mean "http"?'),
        ("checks:\n  a: {url: x}\n", '2: checks.a.type: the key "type" is missing'),
        ("checks:\n  a:\n", '2: checks.a.type: the key "type" is missing'),
        (check("evry: 60s"), '2: checks.a.evry: unknown key; did you mean "every"?'),
        (check("expects: {status: 200}"), '2: checks.a.expects: unknown key; did you mean "expect"?'),
        (check("expect: {statuss: 200}"), '2: checks.a.expect.statuss: unknown key; did you mean "status"?'),
        (check("every: 60"), "2: checks.a.every: 60 is not a duration; write one such as 30s, 5m, 1h30m or 7d"),
        (check("every: 0s"), "2: checks.a.every: no time at all is too short; write one such as 30s or 5m"),
        (check("every: 1m, cron: '* * * * *'"), '2: checks.a.cron: "cron" stands beside "every"; keep one of every, cron, at'),
        (check("cron: '* * * *'"),
         '2: checks.a.cron: "* * * *" is not a cron schedule: it needs five fields; "30 7 * * 1" is 07:30 each Monday'),
        (check("cron: '61 * * * *'"),
         '2: checks.a.cron: "61 * * * *" is not a cron schedule: bad minute; "30 7 * * 1" is 07:30 each Monday'),
        (check("severity: urgent"),
         "2: checks.a.severity: 'urgent' is not a severity; "
         "write critical (P1), high (P2, ERROR), medium (P3, WARNING) or low (P4)"),
        (check("failures: 0"), "2: checks.a.failures: 0 is too small; it must be at least 1"),
        (check("failures: few"), '2: checks.a.failures: "few" stands where a whole number belongs'),
        (check("anomaly: maybe"), '2: checks.a.anomaly: "maybe" stands where true, false or a list of fields belongs; write true or [field]'),
        (check("mention: '@onkall'"), '2: checks.a.mention: "onkall" is nobody under people; add it: people: {onkall: U0123ABCD}'),
        (check("between: morning"), '2: checks.a.between: "morning" is not a part of the day; write one such as "07:30-23:59"'),
        (check("due: '25:00'"), '2: checks.a.due: "25:00" is not a time of day; write one such as "07:30"'),
        (check("thresholds: {x: {P9: 1}}"),
         '2: checks.a.thresholds.x.P9: "P9" is neither a severity nor a direction; write P1 to P4, above or below'),
        (check("thresholds: {x: 80%}"),
         '2: checks.a.thresholds.x: "80%" could mean two numbers; write 80 for a field in percent, 0.8 for a share'),
        (check("thresholds: {x: {P2: fast}}"),
         '2: checks.a.thresholds.x.P2: "fast" is not a threshold; write a number such as 80, or "< 10" for too little'),
        (check("thresholds: {x: {P1: 1, critical: 2}}"),
         "2: checks.a.thresholds.x: a severity is named twice; keep one limit for each"),
        (check("condition: 2 * x > 1"),
         "2: checks.a.condition: '2 * x > 1' calculates with a whole number; write 2.0 * x > 1.0"),
        (check("condition: x = 1"),
         "2: checks.a.condition: 'x = 1' is not a condition: at character 3, token recognition error at: '= '; "
         "write == to compare"),
        (check("condition: x + 1.0"),
         "2: checks.a.condition: 'x + 1.0' gives a number, not true or false; compare it with something"),
        (check("condition: 5"), "2: checks.a.condition: a condition is a text; write one such as cpu_percent > 90"),
        (check("states: {crit: x > 1}"),
         '2: checks.a.states.crit: "crit" is not a state a condition can give; did you mean "critical"?'),
        (check("states: {critical: x >}"),
         "2: checks.a.states.critical: 'x >' is not a condition: at character 4, mismatched input '<EOF>'"),
        (check("depends_on: [b]"), '2: checks.a.depends_on[0]: there is no check named "b"; there is only a'),
        (check("depends_on: [a]"), "2: checks.a: a depends on itself in the end: a → a; remove one of the links"),
        (check("message: '{x'"),
         "2: checks.a.message: the text cannot be filled in: expected '}' before end of string; "
         "write {field}, or {{ for a brace"),
        (check("checks: {b: {type: system}}"), '2: checks.a.checks: a check of type "http" has no members; only type: group has them'),
        ("jobs:\n  a: {schedule: 0 6 * * *, every: 5m}\n", '2: jobs.a.every: "every" stands beside "schedule"; keep one of schedule, every'),
        ("jobs: {a: {sla: {warning: 80}}}\n", "1: jobs.a.sla.warning: 80 is not a share; write 80%"),
        ("jobs: {a: {throughput: {field: x, below: half}}}\n",
         '1: jobs.a.throughput.below: "half" is not a limit; write one such as 50% of baseline, or a number'),
        ("jobs: {a: {ping: abc}}\n", '1: jobs.a.ping: "abc" stands where a UUID belongs'),
        ("jobs: {defaults: {budgt: 1h}}\n", '1: jobs.defaults.budgt: unknown key; did you mean "budget"?'),
        (f"checks: {{a: {{{_HTTP}}}}}\njobs:\n  a: {{every: 5m}}\n", '3: jobs.a: this name is already taken on line 1; choose another'),
        ("run_logs: [{path: a, sql: 'sqlite:///b', query: c}]\n", '1: run_logs[0].sql: "sql" stands beside "path"; keep one of path, sql'),
        ("run_logs: [{sql: 'sqlite:///b'}]\n", '1: run_logs[0]: the key "query" is missing; it gives the rows after :cursor'),
        ("run_logs: [{sql: b, query: c}]\n",
         "1: run_logs[0].sql: this is not a database URL; write one such as postgresql://user@host/database or sqlite:///file.db"),
        ("run_logs: {path: a}\n", "1: run_logs: a mapping stands where a list such as [a, b] belongs"),
        ("run_logs: [{path: a, job: a +}]\n",
         "1: run_logs[0].job: 'a +' is not a condition: at character 4, mismatched input '<EOF>'"),
        ("alerts:\n  - {name: A}\n", '2: alerts[0].condition: the key "condition" is missing'),
        ("alerts:\n  - {name: A, condition: x > 1}\n  - {name: A, condition: y > 1}\n",
         '3: alerts[1].name: this name is already taken on line 2; choose another'),
        ("destinations: {mail: {}}\n", "1: destinations.mail: one of url, sentry, webhook is missing"),
        ("destinations: {mail: {url: 'json://a', sentry: 'https://a@b.example/1'}}\n",
         '1: destinations.mail.sentry: "sentry" stands beside "url"; keep one of url, sentry, webhook'),
        ("destinations: {slack: {url: 'json://a'}}\n", '1: destinations.slack: "slack" is always there; choose another name'),
        ("destinations: {email: {url: ''}}\nroutes:\n  - {to: [emial]}\n",
         '3: routes[0].to[0]: there is no destination named "emial"; did you mean "email"?'),
        ("people: {ann: U0ANN}\nroutes: [{to: [ann]}]\n",
         '2: routes[0].to[0]: "ann" is a person, not a destination; name them with mention:'),
        ("routes: [{to: []}]\n", "1: routes[0].to: too little is named; at least 1 belongs here"),
        ("routes: [{to: slack, escalation: page}]\n", '1: routes[0].escalation: there is no escalation named "page"'),
        ("escalation:\n  page: {steps: [{to: [slack]}]}\n", '2: escalation.page.steps[0].after: the key "after" is missing'),
        ("silences: [{name: A, match: 'true', for: 1h}]\n", "1: silences[0]: one of schedule, at, from is missing"),
        ("silences: [{name: A, match: 'true', at: '10:00'}]\n",
         '1: silences[0]: the key "for" is missing; say how long it lasts, such as for: 2h'),
        ("silences: [{name: A, match: 'true', from: 2026-07-01 22:00, until: 2026-07-01 21:00}]\n",
         "1: silences[0].until: it ends before it begins; write a time after from:"),
        ("silences: [{name: A, match: 'true', from: soon, for: 1h}]\n",
         '1: silences[0].from: "soon" is not a date and time; write one such as 2026-03-01 22:00'),
        ("remedies: {r: {when: 'true'}}\n", "1: remedies.r: one of command, request is missing"),
        ("remedies: {r: {when: 'true', command: rm -rf x}}\n",
         '1: remedies.r.command: a command is a list, so that no shell reads it; write [systemctl, restart, "{resource}"]'),
        ("remedies: {r: {when: 'true', command: ['{key}', x]}}\n",
         "1: remedies.r.command: the program itself is filled in from the alert; write its name or path"),
        ("remedies: {r: {when: 'true', request: {method: POTS, url: x}}}\n",
         '1: remedies.r.request.method: "POTS" is none of the words there are; did you mean "POST"?'),
        ("digest: {period: week}\n", '1: digest.period: "week" is none of the words there are; there are today, yesterday'),
        ("digest:\n  sections:\n    - title: A\n      items:\n        - {label: B, field: c}\n",
         '5: digest.sections[0].items[0].field: "c" names no field; write check.field or job.field, such as backend.up'),
        ("digest: {charts: [{title: A, field: a.b, stat: mean}]}\n",
         '1: digest.charts[0].stat: "mean" is not a figure; write sum, avg, min, max, last, count, p95 or share of \'a value\''),
        ("heartbeat: {evry: 5m}\n", '1: heartbeat.evry: unknown key; did you mean "every"?'),
        ("checkins: [{title: A}]\n", "1: checkins[0]: one of at, schedule is missing"),
        ("checklists: {a: {at: '09:30', items: []}}\n", "1: checklists.a.items: too little is named; at least 1 belongs here"),
        ("reports: {sla: {objectives: [{name: A, field: a.b, target: high}]}}\n",
         '1: reports.sla.objectives[0].target: "high" is not a target; write one such as ">= 99.9%" or "< 500 ms"'),
        ("status: {fields: [{label: A, field: a.b, format: '{:.1q}'}]}\n",
         '1: status.fields[0].format: "{:.1q}" is not a number format; write one such as "{:.1f}%"'),
        ("status: {fields: [{label: A, field: a.b, format: '{:99999999d}'}]}\n",
         '1: status.fields[0].format: "{:99999999d}" is not a number format; write one such as "{:.1f}%"'),
        ("metrics: {influxdb: {database: x}}\n", '1: metrics.influxdb.url: the key "url" is missing'),
        ("dashboard: {panels: [{title: A, kind: pi}]}\n",
         '1: dashboard.panels[0].kind: "pi" is none of the words there are; did you mean "pie"?'),
        ("retention: {runs: forever}\n",
         "1: retention.runs: 'forever' is not a duration; write one such as 30s, 5m, 1h30m or 7d"),
        ("- a\n- b\n", "1: a list stands where keys belong; begin with name: My system"),
        ("just words\n", '1: "just words" stands where keys belong; begin with name: My system'),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(text: str, message: str) -> None:
    assert mistakes(text) == [f"tocsin.yml:{message}"]


def test_swapped_tokens_are_told_as_swapped() -> None:
    swapped = {"SLACK_BOT_TOKEN": TOKENS["SLACK_APP_TOKEN"], "SLACK_APP_TOKEN": TOKENS["SLACK_BOT_TOKEN"]}
    assert mistakes(
        "slack:\n  bot_token: ${SLACK_BOT_TOKEN}\n  app_token: ${SLACK_APP_TOKEN}\n", swapped
    ) == [
        "tocsin.yml:2: slack.bot_token: this is the other token: the bot token begins with xoxb-; swap the two",
        "tocsin.yml:3: slack.app_token: this is the other token: the app token begins with xapp-; swap the two",
    ]


def test_missing_tokens_are_told() -> None:
    assert mistakes("", {}) == [
        'tocsin.yml:1: slack.app_token: the key "app_token" is missing; set SLACK_APP_TOKEN, which begins with xapp-',
        'tocsin.yml:1: slack.bot_token: the key "bot_token" is missing; set SLACK_BOT_TOKEN, which begins with xoxb-',
    ]


def test_circles_are_told_at_each_of_their_links() -> None:
    text = "people:\n  a: [b]\n  b: ['@c', U0ADMIN]\n  c: a\n  d: [a]\n"
    assert mistakes(text) == [
        "tocsin.yml:2: people.a: a stands for itself in the end: a → b → c → a; remove one of the links",
        "tocsin.yml:3: people.b: b stands for itself in the end: b → c → a → b; remove one of the links",
        "tocsin.yml:4: people.c: c stands for itself in the end: c → a → b → c; remove one of the links",
    ]


def test_all_mistakes_are_told_together_in_the_order_of_the_file() -> None:
    text = (
        "timezone: Mars\n"
        "database: ${NOWHERE}\n"
        "slack: {chanel: '#a'}\n"
        "people: {a: b}\n"
        "checks:\n"
        "  one: {type: nothing, evry: 5m, failures: 0}\n"
        "  two: {type: http, url: http://127.0.0.1/, every: 1m, at: '10:00', depends_on: [thre]}\n"
        "  two: {type: http}\n"
        "routes: [{to: [nowhere], match: severity =}]\n"
    )
    assert [line.split(": ")[:2] for line in mistakes(text)] == [
        ["tocsin.yml:1", "timezone"],
        ["tocsin.yml:2", "database"],
        ["tocsin.yml:3", "slack.chanel"],
        ["tocsin.yml:4", "people.a"],
        ["tocsin.yml:6", "checks.one.type"],
        ["tocsin.yml:6", "checks.one.failures"],
        ["tocsin.yml:7", "checks.two.at"],
        ["tocsin.yml:7", "checks.two.depends_on[0]"],
        ["tocsin.yml:8", "checks.two"],
        ["tocsin.yml:9", "routes[0].to[0]"],
        ["tocsin.yml:9", "routes[0].match"],
    ]


def test_what_follows_from_a_variable_that_is_not_set_is_not_told_again() -> None:
    assert mistakes("http:\n  bind: ${BIND}\n  token: ${TOKEN}\n") == [
        "tocsin.yml:2: http.bind: the variable BIND is not set; set it, or write ${BIND:-a default}",
        "tocsin.yml:3: http.token: the variable TOKEN is not set; set it, or write ${TOKEN:-a default}",
    ]


def test_a_mistake_in_what_is_merged_stands_where_it_is_written() -> None:
    text = f"x-all: &all\n  evry: 5m\nchecks:\n  a: {{{_HTTP}, <<: *all}}\n"
    assert mistakes(text) == ['tocsin.yml:2: checks.a.evry: unknown key; did you mean "every"?']


def test_a_mistake_knows_its_column() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        parse(b"http: {bind: here}\n", "tocsin.yml", TOKENS)
    assert [(mistake.line, mistake.column) for mistake in caught.value.mistakes] == [(1, 14)]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"tocsin.yml:1: cannot be read: no such file or directory"):
        load(tmp_path / "tocsin.yml", TOKENS)
    with pytest.raises(ConfigInvalid, match="cannot be read: is a directory"):
        load(tmp_path, TOKENS)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.yml"
    path.write_bytes(b"#" * 10_000_000)
    with pytest.raises(ConfigInvalid, match="has 10000000 bytes; at most 524288 are read"):
        load(path, TOKENS)


def test_a_mistake_in_one_line_is_one_line(tmp_path: Path) -> None:
    assert len(mistakes('name: "a\\nb"\ntimezone: "one\\ntwo\\e[31m"\n')) == 1
    assert read('name: "a\\nb"\n').name == "a\nb"
