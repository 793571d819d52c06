"""The TCP check against servers that talk, keep silent, hang up and are not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from checks.deadline import run_within
from checks.options import CheckContext
from checks.result import CheckResult, State
from checks.tcp import Options
from tests.checks.means import Serve, cut_off, listening, means, silence, text_of, unused_port


@pytest.fixture
async def context() -> AsyncIterator[CheckContext]:
    async with means() as context:
        yield context


def greeting(*chunks: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    return serve


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"+" + await reader.readline())
    await reader.read()


async def probe(context: CheckContext, port: int, seconds: float = 5, **options: Any) -> CheckResult:
    settings = Options.model_validate({"host": "127.0.0.1", "port": port, **options})
    result = await run_within(settings.build(context), timedelta(seconds=seconds))
    assert set(result.fields) <= settings.field_names()
    return result


async def test_a_port_that_accepts_is_ok(context: CheckContext) -> None:
    async with listening(silence) as port:
        result = await probe(context, port)
    assert result.state is State.OK
    assert result.fields["up"] == 1
    assert result.summary == f"connected to 127.0.0.1:{port} in {result.fields['connect_ms']} ms"


async def test_what_is_sent_is_answered_as_expected(context: CheckContext) -> None:
    async with listening(echo) as port:
        result = await probe(context, port, send="PING\n", expect="+PING")
    assert result.state is State.OK
    assert float(str(result.fields["response_ms"])) >= 0


async def test_an_expected_text_may_come_in_pieces(context: CheckContext) -> None:
    async with listening(greeting(b"220 mail", b".example", b" ready\r\n")) as port:
        result = await probe(context, port, expect="mail.example ready")
    assert result.state is State.OK


async def test_a_refusal_is_told(context: CheckContext) -> None:
    port = unused_port()
    result = await probe(context, port)
    assert result.state is State.CRITICAL
    assert result.summary == f"connection refused by 127.0.0.1:{port}"
    assert result.fields == {"up": 0}


async def test_a_name_that_does_not_resolve_is_told(context: CheckContext) -> None:
    result = await probe(context, 80, host="no-such-host.invalid")
    assert result.state is State.CRITICAL
    assert "the name no-such-host.invalid " in result.summary


async def test_another_greeting_than_expected_is_shown_with_secrets_masked(context: CheckContext) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 busy token=abcdef123456\r\n")
        writer.write_eof()
        await reader.read()

    async with listening(refuse) as port:
        result = await probe(context, port, expect="220")
    assert result.state is State.CRITICAL
    assert result.summary.endswith('ms, but it did not send "220"')
    assert "554 busy" in text_of(result)
    assert "abcdef123456" not in text_of(result)


async def test_silence_where_words_are_expected_ends_with_the_deadline(context: CheckContext) -> None:
    async with listening(silence) as port:
        result = await cut_off(
            lambda seconds: probe(context, port, seconds, expect="220"), 'ms, but "220" did not come within '
        )
    assert result.state is State.CRITICAL
    assert result.fields["up"] == 0
    assert "connect_ms" in result.fields


async def test_a_flood_is_read_only_so_far(context: CheckContext) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with listening(flood) as port:
        result = await probe(context, port, expect="220")
    assert result.state is State.CRITICAL
    assert len(text_of(result)) < 1000


async def test_a_run_after_a_failed_one_starts_afresh(context: CheckContext) -> None:
    port = unused_port()
    check = Options(host="127.0.0.1", port=port).build(context)
    failed = await check.run()
    async with listening(silence, port=port):
        assert (await check.run()).state is State.OK
    assert failed.state is State.CRITICAL


@pytest.mark.parametrize("options", [{"port": 0}, {"port": 65536}, {"host": ""}, {"expect": ""}])
def test_settings_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"host": "a", "port": 1, **options})


def test_what_is_sent_is_in_no_text_of_the_settings() -> None:
    options = Options.model_validate({"host": "example.org", "port": 6379, "send": "AUTH hunter2secret"})
    assert "hunter2secret" not in f"{options!r} {options}"
