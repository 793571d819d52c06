"""The HTTP check against real servers, friendly and hostile."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from checks._regex import is_found, may_be_slow
from checks._secrets import masked
from checks.deadline import run_within
from checks.http import Options
from checks.options import CheckContext
from checks.result import CannotRun, CheckResult, State
from tests.checks.means import (
    Authority,
    ShiftedClock,
    answering,
    cut_off,
    listening,
    means,
    silence,
    text_of,
    unused_port,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@pytest.fixture
async def context() -> AsyncIterator[CheckContext]:
    async with means() as context:
        yield context


@asynccontextmanager
async def serving(**routes: Handler) -> AsyncIterator[str]:
    """A real aiohttp server; each route is a path. Gives its URL without the slash."""
    app = web.Application()
    for path, handler in routes.items():
        app.router.add_route("*", f"/{path}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def saying(body: str | Any = "ok", status: int = 200, headers: dict[str, str] | None = None) -> Handler:
    async def handle(_: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/plain" if isinstance(body, str) else "application/json"
        return web.Response(text=text, status=status, content_type=kind, headers=headers)

    return handle


async def probe(context: CheckContext, seconds: float = 5, **options: Any) -> CheckResult:
    check = Options.model_validate(options).build(context)
    return await run_within(check, timedelta(seconds=seconds))


async def probe_raw(context: CheckContext, response: bytes, **options: Any) -> CheckResult:
    async with listening(answering(response)) as port:
        return await probe(context, url=f"http://127.0.0.1:{port}/", **options)


# What is well


async def test_an_answer_as_expected_is_ok_and_measured(context: CheckContext) -> None:
    async with serving(health=saying("fine")) as site:
        result = await probe(context, url=f"{site}/health")
    assert result.state is State.OK
    assert result.summary.startswith("HTTP 200 OK in ")
    assert result.fields["up"] == 1
    assert result.fields["status_code"] == 200
    assert result.fields["body_bytes"] == 4
    assert result.fields["redirects"] == 0
    assert isinstance(result.fields["response_time_ms"], float)
    assert result.fields["response_time_p95_ms"] == result.fields["response_time_ms"]


async def test_every_field_of_a_result_was_announced(context: CheckContext) -> None:
    async with serving(a=saying({"at": "2026-01-01T00:00:00Z"})) as site:
        single = Options.model_validate({"url": f"{site}/a", "extract": {"at": "at"}})
        several = Options.model_validate({"urls": [f"{site}/a", f"{site}/a"]})
        for options in (single, several):
            result = await options.build(context).run()
            assert set(result.fields) <= options.field_names()


async def test_method_headers_and_body_reach_the_target(context: CheckContext) -> None:
    seen: list[tuple[str, str, Any]] = []

    async def record(request: web.Request) -> web.Response:
        seen.append((request.method, request.headers["X-Company-Key"], await request.json()))
        return web.Response()

    async with serving(items=record) as site:
        result = await probe(context, url=f"{site}/items", headers={"X-Company-Key": 7}, body={"n": 1})
    assert result.state is State.OK
    assert seen == [("POST", "7", {"n": 1})]


async def test_a_user_in_the_url_becomes_basic_authentication(context: CheckContext) -> None:
    seen: list[str] = []

    async def record(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response()

    async with serving(a=record) as site:
        await probe(context, url=f"{site}/a".replace("//", "//me:p%40ss@"))
    assert seen == ["Basic bWU6cEBzcw=="]


async def test_cookies_of_one_probe_do_not_reach_the_next(context: CheckContext) -> None:
    seen: list[str | None] = []

    async def record(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "session=1; Path=/"})

    async with serving(a=record) as site:
        await probe(context, url=f"{site}/a")
        await probe(context, url=f"{site}/a")
    assert seen == [None, None]


async def test_the_95th_percentile_passes_over_one_slow_answer_in_twenty(context: CheckContext) -> None:
    async with serving(a=saying()) as site:
        check = Options(url=f"{site}/a").build(context)
        results = [await check.run() for _ in range(25)]
    times = [float(str(result.fields["response_time_ms"])) for result in results]
    second_slowest_of_twenty = sorted(times[-20:])[-2]
    assert results[-1].fields["response_time_p95_ms"] == second_slowest_of_twenty


async def test_a_slow_answer_shows_where_the_time_went(context: CheckContext) -> None:
    async def handle(_: web.Request) -> web.Response:
        await asyncio.sleep(0.25)
        return web.Response()

    async with serving(a=handle) as site:
        result = await probe(context, url=f"{site}/a".replace("127.0.0.1", "localhost"))
    assert result.state is State.OK
    timings = {d.title: d.text for d in result.diagnostics}["Timings"]
    phases = {line.rsplit(None, 2)[0]: float(line.split()[-2]) for line in timings.splitlines()}
    assert {"dns", "connect", "first byte", "download"} == set(phases)
    assert phases["first byte"] >= 240


# What is not as expected


async def test_an_unexpected_status_says_both_and_brings_the_body(context: CheckContext) -> None:
    async with serving(a=saying("upstream is down", status=503)) as site:
        result = await probe(context, url=f"{site}/a")
    assert result.state is State.CRITICAL
    assert result.fields["up"] == 0
    assert result.fields["status_code"] == 503
    assert result.summary.startswith("HTTP 503 Service Unavailable in ")
    assert result.summary.endswith(" ms, expected 200-299")
    # An alert shows the first three: what the server itself says of the fault must be among them.
    assert [d.title for d in result.diagnostics] == ["Body", "Request", "Timings", "Response headers"]
    assert result.diagnostics[0].text == "upstream is down"


@pytest.mark.parametrize(
    ("expected", "status", "is_up"),
    [
        ("<500", 404, True),
        ("<500", 500, False),
        (204, 204, True),
        ([200, 204], 404, False),
        ("200, 4xx", 418, True),
        ("200-299", 304, False),
        (">=200", 200, True),
    ],
)
async def test_a_status_is_expected_as_a_range(
    context: CheckContext, expected: Any, status: int, is_up: bool
) -> None:
    async with serving(a=saying("", status=status)) as site:
        result = await probe(context, url=f"{site}/a", expect={"status": expected})
    assert result.fields["up"] == int(is_up)


@pytest.mark.parametrize(
    ("expect", "complaint"),
    [
        ({"text": "healthy"}, 'but the body does not contain "healthy"'),
        ({"regex": "^up"}, 'but the body does not match "^up"'),
        ({"json": "db.ok"}, "but db.ok is false"),
        ({"json": ["name", "missing"]}, "but missing is null"),
        ({"text": "db", "regex": "db", "json": "name == 'api'"}, None),
    ],
)
async def test_a_body_must_be_as_expected(
    context: CheckContext, expect: dict[str, Any], complaint: str | None
) -> None:
    async with serving(a=saying({"name": "api", "db": {"ok": False}})) as site:
        result = await probe(context, url=f"{site}/a", expect=expect)
    assert result.state is (State.CRITICAL if complaint else State.OK)
    assert complaint is None or result.summary.endswith(complaint)


async def test_a_body_that_is_no_json_says_what_it_is(context: CheckContext) -> None:
    async with serving(a=saying("<h1>Maintenance</h1>")) as site:
        for key, value in (("expect", {"json": "ok"}), ("extract", {"ok": "ok"})):
            asked: dict[str, Any] = {key: value}
            result = await probe(context, url=f"{site}/a", **asked)
            assert result.state is State.CRITICAL
            assert "but the answer is not JSON (text/plain, 20 bytes)" in result.summary


# Extraction


async def test_values_are_extracted_and_instants_gain_an_age(context: CheckContext) -> None:
    now = datetime.now(UTC)
    document = {
        "iso": (now - timedelta(hours=3)).isoformat(),
        "zulu": (now - timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "epoch": (now - timedelta(hours=3)).timestamp(),
        "milliseconds": int((now - timedelta(hours=3)).timestamp() * 1000),
        "count": 12,
        "deploys": [{"deploy": {"status": "build_failed"}}],
    }
    paths = {name: name for name in document if name != "deploys"} | {"status": "deploys[0].deploy.status"}
    async with serving(a=saying(document)) as site:
        result = await probe(context, url=f"{site}/a", extract=paths)
    assert result.state is State.OK
    assert result.fields["status"] == "build_failed"
    assert result.fields["count"] == 12
    assert "count_age_hours" not in result.fields
    for name in ("iso", "zulu", "epoch", "milliseconds"):
        assert result.fields[f"{name}_age_hours"] == pytest.approx(3, abs=0.01)


async def test_a_path_that_finds_nothing_is_unknown_with_a_remedy(context: CheckContext) -> None:
    async with serving(a=saying([])) as site:
        result = await probe(context, url=f"{site}/a", extract={"deploy_status": "[0].deploy.status"})
    assert result.state is State.UNKNOWN
    assert result.fields["up"] == 1
    assert result.fields["deploy_status"] is None
    assert result.summary.endswith("but nothing is at [0].deploy.status for deploy_status")
    assert "|| 'none'" in (result.remedy or "")


async def test_extraction_from_a_target_that_is_away_is_still_a_result(context: CheckContext) -> None:
    port = unused_port()
    result = await probe(context, url=f"http://127.0.0.1:{port}/", extract={"a": "b"})
    assert result.state is State.CRITICAL
    assert result.summary == f"connection refused by 127.0.0.1:{port}"
    assert result.fields == {"up": 0}


@pytest.mark.parametrize("body", ["[" * 200_000, '{"a": ' + "9" * 5000 + "}", '{"a": NaN}', "{", ""])
async def test_hostile_json_never_raises(context: CheckContext, body: str) -> None:
    async with serving(a=saying(body)) as site:
        result = await probe(context, url=f"{site}/a", extract={"a": "a"})
    assert result.state in (State.CRITICAL, State.UNKNOWN)
    assert result.fields.get("a") is None


async def test_extracted_values_are_bounded(context: CheckContext) -> None:
    async with serving(
        a=saying({"text": "x" * 100_000, "list": list(range(100_000)), "int": 10**30})
    ) as site:
        result = await probe(context, url=f"{site}/a", extract={n: n for n in ("text", "list", "int")})
    assert all(len(str(value)) <= 2000 for value in result.fields.values())


# Redirects


async def test_redirects_are_followed_and_counted(context: CheckContext) -> None:
    async def away(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/b")

    async with serving(a=away, b=saying("arrived")) as site:
        followed = await probe(context, url=f"{site}/a", expect={"text": "arrived"})
        stayed = await probe(context, url=f"{site}/a", follow_redirects=False)
    assert followed.state is State.OK
    assert followed.fields["redirects"] == 1
    assert stayed.state is State.CRITICAL
    assert stayed.summary.startswith("HTTP 302 Found in ")


@pytest.mark.parametrize(
    ("location", "complaint"),
    [
        ("/", "more than 10 redirects"),
        ("ftp://127.0.0.1/x", "ftp:// is not HTTP"),
        ("http://127.0.0.1:99999/", "nothing can be asked of such an address, after the redirect 302 to"),
        ("http://127.0.0.1:1/", "connection refused by 127.0.0.1:1, after the redirect 302 to"),
        ("http://user:hunter22@127.0.0.1:1/", "connection refused by 127.0.0.1:1"),
    ],
)
async def test_redirects_to_nowhere_end(context: CheckContext, location: str, complaint: str) -> None:
    response = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    result = await probe_raw(context, response.encode())
    assert result.state is State.CRITICAL
    assert complaint in result.summary
    assert "hunter22" not in text_of(result)


async def test_authorization_does_not_follow_a_redirect_to_another_host(context: CheckContext) -> None:
    seen: list[str | None] = []

    async def record(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response()

    async with serving(b=record) as elsewhere:

        async def away(_: web.Request) -> web.StreamResponse:
            raise web.HTTPFound(f"{elsewhere}/b")

        async with serving(a=away) as site:
            await probe(context, url=f"{site}/a", headers={"Authorization": "Bearer abcdef"})
    assert seen == [None]


# Targets that do not answer, or answer badly


async def test_a_name_that_does_not_resolve_is_named(context: CheckContext) -> None:
    result = await probe(context, url="http://no-such-host.invalid/")
    assert result.state is State.CRITICAL
    assert "the name no-such-host.invalid " in result.summary


async def test_silence_ends_with_the_deadline_and_says_how_far_it_came(context: CheckContext) -> None:
    async with listening(silence) as port:
        url = f"http://127.0.0.1:{port}/"
        result = await cut_off(
            lambda seconds: probe(context, seconds, url=url),
            f"s: connected to 127.0.0.1:{port}, then silence",
        )
    assert result.state is State.CRITICAL
    assert result.summary.startswith("no answer within ")
    assert result.fields == {"up": 0}
    assert "first byte not finished" in text_of(result)


async def test_slow_headers_end_with_the_deadline(context: CheckContext) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Slow: 1\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with listening(drip) as port:
        url = f"http://127.0.0.1:{port}/"
        await cut_off(lambda seconds: probe(context, seconds, url=url), "then silence")


async def test_a_body_that_never_ends_within_the_deadline_is_told(context: CheckContext) -> None:
    async def stop_short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        await reader.read()

    async with listening(stop_short) as port:
        url = f"http://127.0.0.1:{port}/"
        await cut_off(
            lambda seconds: probe(context, seconds, url=url),
            f"s: the answer from 127.0.0.1:{port} began but did not end",
        )


async def test_an_endless_body_is_read_to_its_limit(context: CheckContext) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with listening(flood) as port:
        url = f"http://127.0.0.1:{port}/"
        read = await probe(context, url=url)
        searched = await probe(context, url=url, expect={"text": "y"})
    assert read.state is State.OK
    assert read.fields["body_bytes"] == 1024 * 1024
    assert searched.summary.endswith('but the first 1 MiB of the body does not contain "y"')


async def test_an_endless_body_of_a_redirect_is_not_read(context: CheckContext) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"GET /end" in request:
            writer.write(OK)
            await reader.read()
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /end\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with listening(flood) as port:
        result = await probe(context, url=f"http://127.0.0.1:{port}/")
    assert result.state is State.OK


async def test_compressed_bodies_are_unpacked_and_bombs_are_bounded(context: CheckContext) -> None:
    for text, size in ((b"healthy", 7), (b"healthy" + bytes(50_000_000), 1024 * 1024)):
        packed = gzip.compress(text)
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
        result = await probe_raw(context, head + packed, expect={"text": "healthy"})
        assert result.state is State.OK
        assert result.fields["body_bytes"] == size


@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        (b"", "closed the connection without an answer"),
        (b"\x16\x03\x01garbage\r\n\r\n", "does not answer in HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not answer in HTTP"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "does not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "does not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", "does not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this", "broke off after 9 of 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "does not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nplain", "not compressed as its headers say"),
    ],
)
async def test_a_broken_answer_is_told_in_words(
    context: CheckContext, response: bytes, complaint: str
) -> None:
    result = await probe_raw(context, response)
    assert result.state is State.CRITICAL
    assert result.fields["up"] == 0
    assert complaint in result.summary
    assert "\n" not in result.summary
    assert len(result.summary) < 300


async def test_long_headers_of_real_sites_are_no_fault(context: CheckContext) -> None:
    policy = b"Content-Security-Policy: " + b"script-src https://cdn.example.com; " * 500
    result = await probe_raw(context, b"HTTP/1.1 200 OK\r\n" + policy + b"\r\nContent-Length: 0\r\n\r\n")
    assert result.state is State.OK


@pytest.mark.parametrize("charset", ["punycode", "rot13", "no-such", "zlib_codec", "utf-16"])
async def test_a_strange_charset_is_no_fault(context: CheckContext, charset: str) -> None:
    head = f"HTTP/1.1 500 X\r\nContent-Type: text/html; charset={charset}\r\nContent-Length: 4\r\n\r\n"
    result = await probe_raw(context, head.encode() + b"a\xff\x00b")
    assert result.summary.startswith("HTTP 500 Internal Server Error in ")


async def test_both_loopback_addresses_refusing_is_one_refusal(context: CheckContext) -> None:
    port = unused_port()
    result = await probe(context, url=f"http://localhost:{port}/")
    assert result.summary == f"connection refused by localhost:{port}"


# Secrets


async def test_secrets_are_masked_wherever_they_appear(context: CheckContext) -> None:
    async def echo(request: web.Request) -> web.Response:
        body = {
            "sent": dict(request.headers),
            "token": "tok-in-body-1",
            "note": "Bearer bearer-in-body-1",
            "db": "postgres://app:pw-in-body-1@db/app",
            "slack": "xoxb-12345678-in-body",
            "path": str(request.url),
        }
        headers = {"Set-Cookie": "session=cookie-value-1", "X-Api-Key": "key-in-answer-1"}
        return web.json_response(body, status=500, headers=headers)

    async with serving(a=echo) as site:
        result = await probe(
            context,
            url=f"{site}/a?token=query-secret-1".replace("//", "//me:url-secret-1@"),
            headers={"X-Company-Key": "header-secret-1"},
        )
    text = text_of(result)
    assert result.state is State.CRITICAL
    for secret in (
        "tok-in-body-1", "bearer-in-body-1", "pw-in-body-1", "xoxb-12345678", "query-secret-1",
        "url-secret-1", "header-secret-1", "cookie-value-1", "key-in-answer-1", "bWU6dXJs",
    ):  # fmt: skip
        assert secret not in text, secret
    assert len(next(d.text for d in result.diagnostics if d.title == "Body")) <= 500


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"access_token":"abc","user":"bob"}', '{"access_token":***,"user":"bob"}'),
        ("password=hunter2&x=1", "password=***&x=1"),
        ("client_secret = 'q w'", "client_secret = ***"),
        ('"token": null', '"token": null'),
        ("mysql://root:pw@h/db", "mysql://***@h/db"),
        ("https://x/y?key=abc&z=1", "https://x/y?key=***&z=1"),
        ("https://hooks.slack.com/services/T0/B0/abc", "https://hooks.slack.com/services/***"),
        ("key AKIAABCDEFGHIJKLMNOP", "key ***"),
        ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "jwt ***"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nrest", "***\nrest"),
        ("a password is required for user bob", "a password is required for user bob"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_the_rest_stays(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize("text", ["-", "a.", "token", "token=", "a://", "eyJ", '"', "\\", " ", "=", "'\\"])
def test_masking_a_hostile_text_takes_no_time(text: str) -> None:
    began = perf_counter()
    masked('"token": "' + text * (2000 // len(text)))
    assert perf_counter() - began < 0.5


# Several URLs


async def test_several_urls_give_a_rate_of_errors(context: CheckContext) -> None:
    async with serving(a=saying(), b=saying(), c=saying("", 500), d=saying("", 404)) as site:
        urls = [f"{site}/{name}" for name in "abcd"]
        result = await probe(context, urls=urls, expect={"status": "<500"})
    assert result.state is State.OK
    assert result.fields["error_rate"] == 0.25
    assert result.fields["urls_failing"] == 1
    assert result.fields["up"] == 1
    assert result.summary.startswith(f"1 of 4 URLs fail: {site}/c HTTP 500 Internal Server Error in ")
    assert f"{site}/c" in result.diagnostics[0].text.splitlines()[0]


async def test_several_urls_are_asked_at_once(context: CheckContext) -> None:
    together = asyncio.Barrier(3)

    async def meet(_: web.Request) -> web.Response:
        await together.wait()
        return web.Response()

    async with serving(a=meet) as site:
        result = await probe(context, urls=[f"{site}/a"] * 3)
    assert result.fields["error_rate"] == 0


async def test_several_urls_of_which_none_can_be_reached_are_critical(context: CheckContext) -> None:
    port = unused_port()
    result = await probe(context, urls=[f"http://127.0.0.1:{port}/{n}" for n in range(2)])
    assert result.state is State.CRITICAL
    assert result.fields["error_rate"] == 1
    assert result.fields["up"] == 0
    assert result.summary == f"none of 2 URLs answers: connection refused by 127.0.0.1:{port}"


async def test_one_silent_url_does_not_hide_the_others(context: CheckContext) -> None:
    async with serving(a=saying()) as site, listening(silence) as port:
        urls = [f"{site}/a", f"http://127.0.0.1:{port}/"]
        result = await cut_off(
            lambda seconds: probe(context, seconds, urls=urls), f"1 of 2 URLs fail: http://127.0.0.1:{port}/ "
        )
    assert result.state is State.OK
    assert result.fields["error_rate"] == 0.5


# TLS


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_days_left_of_a_certificate_are_a_field(context: CheckContext, authority: Authority) -> None:
    async with listening(answering(OK), authority.server("localhost", expires=timedelta(days=30))) as port:
        result = await probe(context, url=f"https://localhost:{port}/", ca_file=authority.file)
    assert result.state is State.OK
    assert result.fields["tls_days_left"] == pytest.approx(30, abs=0.1)


async def test_timings_of_https_tell_the_handshake_from_the_connection(
    context: CheckContext, authority: Authority
) -> None:
    failing = OK.replace(b"200 OK", b"500 Oh")
    async with listening(answering(failing), authority.server("localhost")) as port:
        result = await probe(context, url=f"https://localhost:{port}/", ca_file=authority.file)
    timings = next(d.text for d in result.diagnostics if d.title == "Timings")
    names = [line.rsplit(None, 2)[0] for line in timings.splitlines()]
    assert {"dns", "connect", "tls", "first byte", "download"} == set(names)


async def test_an_expired_certificate_says_since_when(context: CheckContext, authority: Authority) -> None:
    expired = authority.server("localhost", expires=timedelta(days=-3, hours=-1))
    async with listening(answering(OK), expired) as port:
        url = f"https://localhost:{port}/"
        refused = await probe(context, url=url, ca_file=authority.file)
        accepted = await probe(context, url=url, verify_tls=False)
    assert refused.state is State.CRITICAL
    assert refused.summary == "the certificate of localhost expired 3 days ago"
    assert accepted.state is State.OK
    assert accepted.fields["tls_days_left"] == pytest.approx(-3, abs=0.1)


async def test_an_untrusted_certificate_names_its_issuer(context: CheckContext, authority: Authority) -> None:
    async with listening(answering(OK), authority.server("localhost")) as port:
        result = await probe(context, url=f"https://localhost:{port}/")
    assert result.state is State.CRITICAL
    assert result.summary.startswith("the certificate of localhost is not trusted: its issuer is not trusted")
    assert "trustme" in result.summary


async def test_a_certificate_for_another_name_says_for_which(
    context: CheckContext, authority: Authority
) -> None:
    async with listening(answering(OK), authority.server("shop.example.com")) as port:
        result = await probe(context, url=f"https://localhost:{port}/", ca_file=authority.file)
    assert result.summary == "the certificate of localhost is not for this name (it is for shop.example.com)"


async def test_https_on_a_plain_port_is_recognised(context: CheckContext) -> None:
    async with serving(a=saying()) as site:
        result = await probe(context, url=f"{site}/a".replace("http", "https"))
    assert result.state is State.CRITICAL
    assert "does not speak TLS (is it plain text on this port?)" in result.summary


async def test_a_ca_file_that_is_not_there_is_our_own_fault(context: CheckContext, tmp_path: Path) -> None:
    result = await probe(context, url="https://localhost:1/", ca_file=str(tmp_path / "none.pem"))
    assert result.state is State.UNKNOWN
    assert "up" not in result.fields
    assert "none.pem cannot be read" in result.summary


# Settings


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "url (one) or urls"),
        ({"url": "http://a/", "urls": ["http://b/"]}, "url (one) or urls"),
        ({"url": "example.com"}, "not a URL"),
        ({"url": "ftp://u:secret99@x/"}, "not a URL"),
        ({"url": "http://a/", "expect": {"status": "fine"}}, "200-299"),
        ({"url": "http://a/", "extract": {"x": "[["}}, "not a JMESPath expression"),
        ({"url": "http://a/", "extract": {"a-b": "x"}}, "cannot name a field"),
        ({"url": "http://a/", "extract": {"up": "x"}}, "a field of every HTTP check"),
        ({"urls": ["http://a/"], "extract": {"a": "b"}}, "write url instead"),
        ({"url": "http://a/", "method": "FETCH"}, "not a method"),
        ({"url": "http://a/", "headers": {"X": "a\r\nY: b"}}, "one line of ASCII"),
        ({"url": "http://a/", "headers": {"X": "a\t\r\nY: b"}}, "one line of ASCII"),
        ({"url": "http://a/", "headers": {"X y": "a"}}, "name of a header"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError) as error:
        Options.model_validate(options)
    assert complaint in str(error.value)
    assert "secret99" not in error.value.errors()[0]["msg"]


async def test_the_clock_of_the_context_ages_what_is_extracted() -> None:
    clock = ShiftedClock(timedelta(hours=5))
    async with means(clock) as context, serving(a=saying({"at": datetime.now(UTC).isoformat()})) as site:
        result = await probe(context, url=f"{site}/a", extract={"at": "at"})
    assert result.fields["at_age_hours"] == pytest.approx(5, abs=0.01)


def test_what_is_sent_is_in_no_text_of_the_settings() -> None:
    secret = "hunter2secret"
    options = Options.model_validate(
        {
            "url": f"https://app:{secret}@example.org/?token={secret}",
            "headers": {"Authorization": f"Bearer {secret}"},
            "body": {"password": secret},
        }
    )
    assert secret not in f"{options!r} {options}"


async def test_a_slow_regular_expression_holds_nobody_up(context: CheckContext) -> None:
    """One line of 200 KB without what is looked for: in this process it would take a minute, and stop everything."""
    body = json.dumps({"items": "x" * 200_000})
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async with serving(a=saying(body)) as site:
        ticking = asyncio.create_task(tick())
        expect = {"regex": '.*"status": *"ok"'}
        result = await probe(context, seconds=1, url=f"{site}/a", expect=expect)
        fast = await probe(context, url=f"{site}/a", expect={"regex": "items.*x"})
        ticking.cancel()
    assert ticks > 20
    assert result.state is State.CRITICAL
    assert result.summary.endswith("answered, but the regular expression was still being searched for")
    assert fast.state is State.OK


async def test_a_regular_expression_that_takes_too_long_is_unknown_with_a_remedy() -> None:
    with pytest.raises(CannotRun, match=r"takes longer than 0\.3 s on a body of 41 characters") as caught:
        await is_found(re.compile("(a+)+$"), "a" * 40 + "b", 0.3)
    assert caught.value.remedy == "leave out .* at its beginning and repeats within repeats, such as (a+)+"


@pytest.mark.parametrize("text", ["caf\u00e9 ok", "OK", "x\0ok", "\ud800 ok", "nothing"])
async def test_a_search_apart_finds_what_a_search_here_finds(text: str) -> None:
    pattern = re.compile("(o|O)+k", re.IGNORECASE)
    padded = text + " " * 40
    assert may_be_slow(pattern, len(padded))
    assert await is_found(pattern, padded) == bool(pattern.search(padded))
