"""The TLS check against servers with certificates made for the test."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from checks._tls import Certificate
from checks.deadline import run_within
from checks.options import CheckContext
from checks.result import CheckResult, State
from checks.tls import Options
from tests.checks.means import Authority, ShiftedClock, listening, means, silence, text_of, unused_port


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
async def context(clock: ShiftedClock) -> AsyncIterator[CheckContext]:
    async with means(clock) as context:
        yield context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def probe(context: CheckContext, port: int, seconds: float = 5, **options: Any) -> CheckResult:
    settings = Options.model_validate({"host": "localhost", "port": port, **options})
    result = await run_within(settings.build(context), timedelta(seconds=seconds))
    assert set(result.fields) <= settings.field_names()
    return result


async def test_a_good_certificate_is_ok_and_described(context: CheckContext, authority: Authority) -> None:
    async with listening(silence, authority.server("localhost")) as port:
        result = await probe(context, port, ca_file=authority.file)
    assert result.state is State.OK
    assert result.summary == "the certificate of localhost is valid for 90 more days"
    assert result.fields["up"] == 1
    assert result.fields["days_left"] == pytest.approx(90, abs=0.1)
    assert result.fields["is_trusted"] is result.fields["is_name_matched"] is True
    assert result.fields["protocol"] == "TLSv1.3"
    assert "trustme" in str(result.fields["issuer"])
    assert float(str(result.fields["handshake_ms"])) > 0


@pytest.mark.parametrize(
    ("days", "options", "state"),
    [
        (22, {}, State.OK),
        (20, {}, State.WARNING),
        (6, {}, State.CRITICAL),
        (20, {"warn_days": 14}, State.OK),
        (20, {"critical_days": 21}, State.CRITICAL),
    ],
)
async def test_a_certificate_near_its_end_is_told_in_time(
    context: CheckContext, authority: Authority, days: int, options: dict[str, Any], state: State
) -> None:
    async with listening(silence, authority.server("localhost", expires=timedelta(days=days))) as port:
        result = await probe(context, port, ca_file=authority.file, **options)
    assert result.state is state
    assert result.fields["up"] == 1
    if state is not State.OK:
        assert f"expires in {days}.0 days, under " in result.summary
        assert "Renew" in (result.remedy or "")
        assert "Until" in text_of(result)


async def test_an_expired_certificate_is_critical(context: CheckContext, authority: Authority) -> None:
    async with listening(silence, authority.server("localhost", expires=timedelta(days=-3))) as port:
        result = await probe(context, port, ca_file=authority.file)
    assert result.state is State.CRITICAL
    assert result.summary == "the certificate of localhost expired 3 days ago"
    assert result.fields["up"] == 0
    assert result.fields["days_left"] == pytest.approx(-3, abs=0.1)
    assert result.fields["is_name_matched"] is True


async def test_a_certificate_of_the_future_is_critical(context: CheckContext, authority: Authority) -> None:
    early = authority.server("localhost", begins=timedelta(hours=5, minutes=1))
    async with listening(silence, early) as port:
        result = await probe(context, port, ca_file=authority.file)
    assert result.state is State.CRITICAL
    assert result.summary == "the certificate of localhost is not valid for another 5 hours"


async def test_an_untrusted_certificate_is_critical(context: CheckContext, authority: Authority) -> None:
    async with listening(silence, authority.server("localhost")) as port:
        result = await probe(context, port)
    assert result.state is State.CRITICAL
    assert "is not trusted: its issuer is not trusted here (issued by " in result.summary
    assert result.fields["is_trusted"] is False
    assert result.fields["is_name_matched"] is True
    assert result.fields["up"] == 0


async def test_a_certificate_for_another_name_is_critical(
    context: CheckContext, authority: Authority
) -> None:
    async with listening(silence, authority.server("shop.example.com", "*.example.org")) as port:
        result = await probe(context, port, ca_file=authority.file)
        named = await probe(context, port, ca_file=authority.file, server_name="www.example.org")
    assert result.state is State.CRITICAL
    assert result.summary == (
        "the certificate of localhost is not for this name (it is for shop.example.com, *.example.org)"
    )
    assert result.fields["is_trusted"] is True
    assert result.fields["is_name_matched"] is False
    assert named.state is State.OK


async def test_everything_wrong_is_told_at_once(context: CheckContext, authority: Authority) -> None:
    bad = authority.server("shop.example.com", expires=timedelta(days=-2))
    async with listening(silence, bad) as port:
        result = await probe(context, port)
    assert "expired 2 days ago; " in result.summary
    assert "is not trusted" in result.summary
    assert "is not for this name" in result.summary


async def test_a_certificate_may_name_an_address(context: CheckContext, authority: Authority) -> None:
    async with listening(silence, authority.server("127.0.0.1")) as port:
        result = await probe(context, port, host="127.0.0.1", ca_file=authority.file)
    assert result.state is State.OK


async def test_days_are_counted_by_the_clock_of_the_context(
    context: CheckContext, clock: ShiftedClock, authority: Authority
) -> None:
    async with listening(silence, authority.server("localhost", expires=timedelta(days=30))) as port:
        clock.shift = timedelta(days=25)
        result = await probe(context, port, ca_file=authority.file)
    assert result.state is State.CRITICAL
    assert result.fields["days_left"] == pytest.approx(5, abs=0.1)


async def test_a_plain_port_is_recognised(context: CheckContext) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await reader.read()

    async with listening(plain) as port:
        result = await probe(context, port)
    assert result.state is State.CRITICAL
    assert "does not speak TLS (is it plain text on this port?)" in result.summary
    assert result.fields == {"up": 0}


def shake_hands_once(server: socket.socket, tls: ssl.SSLContext) -> None:
    """As servers outside asyncio do it: the alert that refuses a handshake is sent before the end."""
    connection, _ = server.accept()
    with connection, suppress(OSError):
        tls.wrap_socket(connection, server_side=True).close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_a_server_of_old_protocols_only_is_told(context: CheckContext, authority: Authority) -> None:
    old = authority.server("localhost")
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_server(("127.0.0.1", 0)) as server:
        shaking = asyncio.create_task(asyncio.to_thread(shake_hands_once, server, old))
        port = server.getsockname()[1]
        result = await probe(context, port, host="127.0.0.1", ca_file=authority.file)
        await shaking
    assert result.state is State.CRITICAL
    assert result.summary == f"127.0.0.1:{port} refuses the TLS versions offered (1.2 and 1.3)"


async def test_a_connection_that_ends_in_the_handshake_is_told(context: CheckContext) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    async with listening(hang_up) as port:
        result = await probe(context, port, host="127.0.0.1")
    assert result.state is State.CRITICAL
    assert result.summary.endswith(f"by 127.0.0.1:{port} during the TLS handshake")


async def test_a_refused_connection_is_told(context: CheckContext) -> None:
    port = unused_port()
    result = await probe(context, port, host="127.0.0.1")
    assert result.summary == f"connection refused by 127.0.0.1:{port}"


async def test_silence_ends_with_the_deadline(context: CheckContext) -> None:
    async with listening(silence) as port:
        result = await probe(context, port, seconds=0.1)
    assert result.state is State.CRITICAL
    assert result.summary == f"no TLS handshake with localhost:{port} within 0.1 s"


async def test_a_ca_file_that_is_not_there_is_our_own_fault(context: CheckContext, tmp_path: Path) -> None:
    result = await probe(context, 1, ca_file=str(tmp_path / "none.pem"))
    assert result.state is State.UNKNOWN
    assert "none.pem cannot be read" in result.summary


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("example.com", True),
        ("EXAMPLE.com.", True),
        ("a.example.org", True),
        ("a.b.example.org", False),
        ("example.org", False),
        ("10.0.0.1", True),
        ("10.0.0.2", False),
        ("[::1]", True),
        ("bücher.example", True),
        ("com", False),
    ],
)
def test_names_match_as_rfc_6125_has_it(host: str, fits: bool) -> None:
    now = datetime.now(UTC)
    names = ("example.com", "*.example.org", "10.0.0.1", "::1", "xn--bcher-kva.example")
    certificate = Certificate(subject="s", issuer="i", names=names, not_before=now, not_after=now)
    assert certificate.is_for(host) is fits


def test_warning_after_critical_is_refused() -> None:
    with pytest.raises(ValidationError, match="warn_days"):
        Options(host="a", warn_days=3)
