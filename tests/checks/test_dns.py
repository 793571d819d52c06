"""The DNS check against a name server of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from pydantic import ValidationError

from checks.deadline import run_within
from checks.dns import Options
from checks.options import CheckContext
from checks.result import CheckResult, State
from tests.checks.means import means, text_of, unused_port

Answer = Callable[[dns.message.Message], bytes | None]

ZONE = {
    ("api.example.", "A"): ["10.0.0.1", "10.0.0.2"],
    ("example.", "MX"): ["10 mail.example."],
    ("example.", "TXT"): ['"v=spf1 " "-all"'],
    ("www.example.", "CNAME"): ["api.example."],
}


@pytest.fixture
async def context() -> AsyncIterator[CheckContext]:
    async with means() as context:
        yield context


class NameServer(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.queries = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self.queries += 1
        if reply := self.answer(dns.message.from_wire(data)):
            self.transport.sendto(reply, addr)


def from_zone(query: dns.message.Message) -> bytes:
    response = dns.message.make_response(query)
    response.flags |= dns.flags.RA
    question = query.question[0]
    name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
    if records := ZONE.get((name, kind)):
        response.answer.append(dns.rrset.from_text(name, 300, "IN", kind, *records))
    elif name not in {known for known, _ in ZONE}:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response.to_wire()


def failing(query: dns.message.Message) -> bytes:
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.SERVFAIL)
    return response.to_wire()


@asynccontextmanager
async def name_server(answer: Answer = from_zone) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: NameServer(answer), local_addr=("127.0.0.1", 0)
    )
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


async def probe(context: CheckContext, server: str, seconds: float = 5, **options: Any) -> CheckResult:
    settings = Options.model_validate({"name": "api.example", "server": server, **options})
    result = await run_within(settings.build(context), timedelta(seconds=seconds))
    assert set(result.fields) <= settings.field_names()
    return result


async def test_a_name_that_resolves_is_ok_with_its_values(context: CheckContext) -> None:
    async with name_server() as server:
        result = await probe(context, server)
    assert result.state is State.OK
    assert result.fields["up"] == 1
    assert result.fields["answers"] == 2
    assert sorted(cast("list[str]", result.fields["values"])) == ["10.0.0.1", "10.0.0.2"]
    assert result.fields["ttl_seconds"] == 300
    assert float(str(result.fields["query_ms"])) > 0
    assert result.summary.startswith("api.example A is 10.0.0.")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"expect": "10.0.0.1"}, None),
        ({"expect": ["10.0.0.1", "10.0.0.2"], "exact": True}, None),
        ({"expect": ["10.0.0.1", "10.9.9.9"]}, "without 10.9.9.9"),
        ({"expect": "10.0.0.1", "exact": True}, "also gives 10.0.0.2"),
        ({"name": "example", "record": "mx", "expect": "10 MAIL.example"}, None),
        ({"name": "example", "record": "TXT", "expect": "v=spf1 -all"}, None),
        ({"name": "www.example", "record": "CNAME", "expect": "api.example."}, None),
    ],
)
async def test_answers_are_compared_with_what_is_expected(
    context: CheckContext, options: dict[str, Any], complaint: str | None
) -> None:
    async with name_server() as server:
        result = await probe(context, server, **options)
    assert result.state is (State.CRITICAL if complaint else State.OK)
    assert (complaint or "") in result.summary
    assert result.fields["up"] == (0 if complaint else 1)
    assert complaint is None or "Answer  10.0.0.1" in text_of(result)


async def test_a_name_that_does_not_exist_is_told(context: CheckContext) -> None:
    async with name_server() as server:
        result = await probe(context, server, name="gone.test")
    assert result.state is State.CRITICAL
    assert result.summary == f"the name gone.test does not exist (NXDOMAIN from {server})"
    assert result.fields["up"] == 0


async def test_a_name_without_records_of_the_type_is_told(context: CheckContext) -> None:
    async with name_server() as server:
        result = await probe(context, server, record="AAAA")
    assert result.state is State.CRITICAL
    assert result.summary == "api.example AAAA has no records of this type"


async def test_a_failing_server_is_told(context: CheckContext) -> None:
    async with name_server(failing) as server:
        result = await probe(context, server)
    assert result.state is State.CRITICAL
    assert result.summary == f"no usable answer for api.example A from {server}: SERVFAIL"


async def test_a_silent_server_ends_with_the_deadline(context: CheckContext) -> None:
    async with name_server(lambda _: None) as server:
        result = await probe(context, server, seconds=0.1)
    assert result.state is State.CRITICAL
    assert result.summary == f"no answer for api.example A from {server} within 0.1 s"
    assert result.fields == {"up": 0}


async def test_a_server_that_is_not_there_is_told(context: CheckContext) -> None:
    server = f"127.0.0.1:{unused_port()}"
    result = await probe(context, server, seconds=0.2)
    assert result.state is State.CRITICAL
    assert server in result.summary
    assert result.fields["up"] == 0


async def test_a_server_that_answers_rubbish_is_told(context: CheckContext) -> None:
    async with name_server(lambda _: b"\x00rubbish") as server:
        result = await probe(context, server, seconds=0.2)
    assert result.state is State.CRITICAL
    assert result.fields["up"] == 0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"name": ""}, "at least 1"),
        ({"name": "a..b"}, "not a name"),
        ({"name": "a", "record": "WHAT"}, "not a type of record"),
        ({"name": "a", "record": "AXFR"}, "not a type of record"),
        ({"name": "a", "server": "ns.example"}, "not an address"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Options.model_validate(options)


@pytest.mark.parametrize("server", ["9.9.9.9", "9.9.9.9:5353", "::1", "[::1]", "[::1]:5353"])
def test_servers_are_written_with_or_without_a_port(server: str) -> None:
    assert Options(name="a", server=server).server == server
