"""Secrets never print: not in messages, not in a repr, not in what is shown of the settings."""

# ruff: noqa: E501  (a file's line is one line)
from __future__ import annotations

import json

import pytest

from bot.config.variables import mask_secrets
from tests.config.reading import TOKENS, mistakes, read

_SECRET = "s3cr3t-Value/42"


@pytest.mark.parametrize(
    "text",
    [
        "timezone: ${API_KEY}\n",
        "name: [${API_KEY}]\nhttp: {bind: '${API_KEY}'}\n",
        "http: {bind: 'x${API_KEY}'}\n",
        "slack: {channel: 'A ${API_KEY}'}\n",
        "slack:\n  bot_token: ${API_KEY}\n",
        "defaults: {dedupe: '${API_KEY}'}\n",
        "digest: {at: '${API_KEY}', period: '${API_KEY}', sections: '${API_KEY}'}\n",
        "checks: {a: {type: '${API_KEY}'}}\n",
        "checks: {a: {type: system, condition: 'x == ${API_KEY} +'}}\n",
        "checks: {a: {type: http, url: '${API_KEY}'}}\n",
        "checks: {a: {type: http, url: http://127.0.0.1/, urls: [http://127.0.0.1/], headers: {X-Key: '${API_KEY}'}}}\n",
        "checks: {a: {type: http, url: http://127.0.0.1/, method: '${API_KEY}', expect: {status: '${API_KEY}'}}}\n",
        "checks: {a: {type: system, depends_on: ['${API_KEY}'], mention: '${API_KEY}', thresholds: {x: '${API_KEY}'}}}\n",
        "routes: [{to: ['${API_KEY}'], escalation: '${API_KEY}'}]\n",
        "people: {a: '${API_KEY}'}\n",
        "alerts: [{name: '${API_KEY}', condition: x > 1}, {name: '${API_KEY}', condition: x > 1}]\n",
        "run_logs: [{path: a, job: '${API_KEY} +'}]\n",
        "jobs: {a: {ping: '${API_KEY}', throughput: {field: x, below: '${API_KEY}'}}}\n",
        "status: {fields: [{label: A, field: '${API_KEY}', format: '${API_KEY}'}]}\n",
    ],
)
@pytest.mark.parametrize("secret", [_SECRET, "a b", "{'quote\"", "x" * 300, "%"])
def test_no_message_shows_a_secret(text: str, secret: str) -> None:
    told = "\n".join(mistakes(text, {**TOKENS, "API_KEY": secret}))
    if len(secret) > 2:
        assert secret not in told
        assert secret[:40] not in told
    else:
        assert f'"{secret}"' not in told


def test_a_secret_default_is_not_shown_either() -> None:
    assert mistakes("timezone: ${API_KEY:-hunter22-and-more}\n") == [
        "tocsin.yml:1: timezone: what ${API_KEY} holds (secret, not shown) is not what belongs here"
    ]


def test_a_variable_that_is_no_secret_is_shown() -> None:
    told = mistakes("timezone: ${ZONE}\n", {**TOKENS, "ZONE": "Mars"})
    assert told[0].startswith('tocsin.yml:1: timezone: "Mars" is not a time zone; ')


def test_an_address_with_a_password_is_secret_whatever_its_variable_is_called() -> None:
    told = mistakes("timezone: ${PLACE}\n", {**TOKENS, "PLACE": "postgres://tocsin:hunter2@db/x"})
    assert told == [
        "tocsin.yml:1: timezone: what ${PLACE} holds (secret, not shown) is not what belongs here"
    ]


def test_tokens_and_passwords_written_into_the_file_are_masked() -> None:
    assert "abcdefgh" not in "\n".join(mistakes("timezone: xoxb-17-abcdefgh\n"))
    assert "hunter2" not in "\n".join(mistakes("timezone: postgres://tocsin:hunter2@db/x\n"))
    assert mask_secrets("a redis://:hunter2@cache/0 b", ()) == "a redis://••••@cache/0 b"


def test_neither_repr_nor_the_public_settings_show_a_secret() -> None:
    settings = read(
        "database: postgresql://tocsin:${DB_PASSWORD}@db/tocsin\n"
        "slack: {bot_token: '${SLACK_BOT_TOKEN}'}\n"
        "http: {token: '${API_KEY}', ping_key: literal-ping-key}\n"
        "checks:\n"
        "  a: {type: http, url: 'http://127.0.0.1/?k=${API_KEY}', headers: {Authorization: Bearer literal-bearer}}\n"
        "destinations: {m: {url: 'mailtos://user:${DB_PASSWORD}@example.com'}, w: {webhook: 'http://127.0.0.1/literal-hook'}}\n"
        "remedies:\n"
        "  r: {when: 'true', request: {url: 'http://127.0.0.1/${API_KEY}', headers: {Authorization: 'Bearer ${API_KEY}'}}}\n"
        "  s: {when: 'true', command: [curl, '-H', '${API_KEY}']}\n"
        "run_logs: [{sql: 'postgresql://u:${DB_PASSWORD}@db/x', query: SELECT 1}]\n",
        API_KEY=_SECRET,
        DB_PASSWORD="hunter2!",
    )
    public = json.dumps(settings.public(), ensure_ascii=False)
    shown = [public, repr(settings), str(settings)]
    shown += [repr(getattr(settings, name)) for name in type(settings).model_fields if name != "database"]
    secrets = [_SECRET, "hunter2!", "abcdefgh", "literal-ping-key", "literal-hook"]
    for secret in secrets:
        assert not [text for text in shown if secret in text]
    assert "literal-bearer" not in public
    assert settings.public()["checks"]["a"]["options"]["url"] == "http://127.0.0.1/?k=••••"
    assert settings.public()["timezone"] == "UTC"
