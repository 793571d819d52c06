"""DNS: whether a name resolves, to what, and how fast."""

from __future__ import annotations

import re
from ipaddress import ip_address
from time import perf_counter
from typing import Annotated, Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdata import Rdata
from dns.rdtypes.txtbase import TXTBase
from pydantic import AfterValidator, BeforeValidator, Field

from checks._connection import place
from checks.options import CheckContext, CheckOptions
from checks.result import CheckResult, Diagnostic, State, Value

_PATIENCE = 3600.0  # seconds; the caller's deadline is the one that counts
_MOST_VALUES = 20


def _is_name(text: str) -> str:
    try:
        dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ValueError(f"{text!r} is not a name: {error}") from None
    return text


def _is_type(text: str) -> str:
    try:
        kind = dns.rdatatype.from_text(text.upper())
    except (dns.exception.DNSException, ValueError):
        kind = dns.rdatatype.ANY
    if dns.rdatatype.is_metatype(kind):
        raise ValueError(f"{text!r} is not a type of record; write one such as A, AAAA, CNAME, MX, NS or TXT")
    return text.upper()


def _is_server(text: str) -> str:
    address, _ = _address(text)
    try:
        ip_address(address)
    except ValueError:
        raise ValueError(f"{text!r} is not an address; write one such as 9.9.9.9 or 127.0.0.1:5353") from None
    return text


def _address(server: str) -> tuple[str, int]:
    """The address and the port of `a.b.c.d`, `a.b.c.d:53`, `::1` or `[::1]:53`."""
    match = re.fullmatch(r"\[(.*)\](?::(\d{1,5}))?|([^:]*):(\d{1,5})", server)
    if match is None:
        return server, 53
    return match[1] or match[3], int(match[2] or match[4] or 53)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Options(CheckOptions):
    """`expect` lists values that must be among the answers; with `exact`, and no others."""

    name: Annotated[str, Field(min_length=1), AfterValidator(_is_name)] = Field(
        description="The name to look up"
    )
    record: Annotated[str, AfterValidator(_is_type)] = Field(
        default="A", description="The type of record: A, AAAA, CNAME, MX, TXT and so on"
    )
    server: Annotated[str, AfterValidator(_is_server)] | None = Field(
        default=None, description="The address of the name server to ask; those of this host unless set"
    )
    expect: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = Field(
        default=(), description="Values that must be among the answers"
    )
    exact: bool = Field(default=False, description="There must be no other values than the expected")

    def field_names(self) -> frozenset[str]:
        """`answers` is how many values there are, `values` which."""
        return frozenset({"up", "query_ms", "answers", "values", "ttl_seconds"})

    def build(self, context: CheckContext) -> DnsCheck:
        """The probe."""
        return DnsCheck(self)


class DnsCheck:
    """One query a run, never from a cache of ours."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._what = f"{options.name} {options.record}"
        self._servers = ""

    async def run(self) -> CheckResult:
        """Ask, and compare the answers with what is expected."""
        try:
            resolver = self._resolver()
        except dns.resolver.NoResolverConfiguration:
            return CheckResult(
                state=State.UNKNOWN,
                summary="this host names no DNS server",
                remedy="Set server: to the address of one, or mend /etc/resolv.conf",
            )
        began = perf_counter()
        try:
            answer = await resolver.resolve(
                self._options.name, self._options.record, raise_on_no_answer=False, lifetime=_PATIENCE
            )
        except dns.exception.DNSException as error:
            return self._failed(self._explain(error), perf_counter() - began)
        values = [_text(record) for record in answer.rrset or ()]
        return self._judge(values, answer.rrset.ttl if answer.rrset else None, perf_counter() - began)

    def timed_out(self, seconds: float) -> CheckResult:
        """The result of a run cut off after `seconds`."""
        return self._failed(f"no answer for {self._what} from {self._servers} within {seconds:g} s", None)

    def _resolver(self) -> dns.asyncresolver.Resolver:
        server = self._options.server
        resolver = dns.asyncresolver.Resolver(configure=server is None)
        if server is not None:
            address, port = _address(server)
            resolver.nameservers, resolver.port = [address], port
            self._servers = place(address, None if port == 53 else port)
        else:
            self._servers = ", ".join(str(one) for one in resolver.nameservers[:3])
        return resolver

    def _judge(self, values: list[str], ttl: int | None, seconds: float) -> CheckResult:
        found, wanted = {_folded(v) for v in values}, {_folded(v) for v in self._options.expect}
        shown = _listed(values)
        fields = _timed(seconds) | {"answers": len(values), "values": list(values[:_MOST_VALUES])}
        if ttl is not None:
            fields["ttl_seconds"] = ttl
        if not values:
            return self._failed(f"{self._what} has no records of this type", seconds, fields)
        if missing := sorted(v for v in self._options.expect if _folded(v) not in found):
            return self._failed(f"{self._what} is {shown}, without {_listed(missing)}", seconds, fields)
        if self._options.exact and found - wanted:
            extra = sorted(v for v in values if _folded(v) not in wanted)
            return self._failed(f"{self._what} also gives {_listed(extra)}", seconds, fields)
        summary = f"{self._what} is {shown} in {fields['query_ms']} ms"
        return CheckResult(state=State.OK, summary=summary, fields=fields | {"up": 1})

    def _explain(self, error: dns.exception.DNSException) -> str:
        if isinstance(error, dns.resolver.NXDOMAIN):
            return f"the name {self._options.name} does not exist (NXDOMAIN from {self._servers})"
        if isinstance(error, dns.resolver.NoNameservers):
            told = [_reason(entry[3]) for entry in error.kwargs.get("errors", [])]
            why = f": {', '.join(dict.fromkeys(told))}" if told else ""
            return f"no usable answer for {self._what} from {self._servers}{why}"
        said = " ".join(str(error).split())[:160] or type(error).__name__
        return f"no answer for {self._what} from {self._servers}: {said}"

    def _failed(
        self, summary: str, seconds: float | None, fields: dict[str, Value] | None = None
    ) -> CheckResult:
        told = fields if fields is not None else (_timed(seconds) if seconds is not None else {})
        asked = [f"Query   {self._what}", f"Server  {self._servers}"]
        asked += [f"Expect  {_listed(list(self._options.expect))}"] if self._options.expect else []
        values = told.get("values")
        asked += [f"Answer  {value}" for value in values] if isinstance(values, list) else []
        return CheckResult(
            state=State.CRITICAL,
            summary=summary[:400],
            fields=told | {"up": 0},
            diagnostics=(Diagnostic(title="Query", text="\n".join(asked)[:1500]),),
        )


def _timed(seconds: float) -> dict[str, Value]:
    return {"query_ms": round(seconds * 1000, 1)}


def _text(record: Rdata) -> str:
    if isinstance(record, TXTBase):
        return b"".join(record.strings).decode("utf-8", "backslashreplace")[:500]
    return record.to_text()[:500]


def _folded(value: str) -> str:
    return value.strip().strip('"').rstrip(".").lower()


def _listed(values: list[str]) -> str:
    rest = len(values) - 4
    return ", ".join(value[:80] for value in values[:4]) + (f" and {rest} more" if rest > 0 else "")


def _reason(error: object) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    text = str(error) or type(error).__name__
    return " ".join(text.split())[:100]
