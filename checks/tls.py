"""A TLS server's certificate: how long it lasts, whether it is trusted and for the right name."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Annotated, Self

from pydantic import Field, model_validator

from checks._connection import explain_connection, is_local_limit, place
from checks._tls import (
    EXPIRED,
    NOT_YET_VALID,
    Certificate,
    explain_refusal,
    fetch_certificate,
    parse_certificate,
    short_list,
    trusting,
    wrong_name,
    wrong_time,
)
from checks.options import CheckContext, CheckOptions
from checks.result import CheckResult, Diagnostic, State, Value


class Options(CheckOptions):
    """Where to connect; `server_name` when it differs from the host; when to warn; a CA file of one's own."""

    host: Annotated[str, Field(min_length=1)] = Field(description="The name or address to connect to")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(default=443, description="The port")
    server_name: str | None = Field(
        default=None, description="The name the certificate must be for; the host unless set"
    )
    warn_days: Annotated[float, Field(ge=0)] = Field(
        default=21, description="Fewer days until it expires warn"
    )
    critical_days: Annotated[float, Field(ge=0)] = Field(
        default=7, description="Fewer days until it expires are critical"
    )
    ca_file: str | None = Field(
        default=None, description="A file of CA certificates to trust instead of the usual ones"
    )

    @model_validator(mode="after")
    def _warns_first(self) -> Self:
        if self.warn_days < self.critical_days:
            raise ValueError("warn_days must not be fewer than critical_days")
        return self

    def field_names(self) -> frozenset[str]:
        """`up` is 0 when a client would refuse the server; `is_trusted` is of the chain, without the name."""
        return frozenset(
            {
                "up",
                "days_left",
                "issuer",
                "subject",
                "is_trusted",
                "is_name_matched",
                "protocol",
                "handshake_ms",
            }
        )

    def build(self, context: CheckContext) -> TlsCheck:
        """The probe."""
        return TlsCheck(self, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meeting:
    """What one handshake showed."""

    certificate: Certificate
    refusal: ssl.SSLCertVerificationError | None = None
    protocol: str | None = None
    handshake_ms: float | None = None


class TlsCheck:
    """One handshake a run, and a second look without verification when the first is refused."""

    def __init__(self, options: Options, context: CheckContext) -> None:
        self._options = options
        self._context = context
        self._name = options.server_name or options.host
        self._where = place(options.host, options.port)

    async def run(self) -> CheckResult:
        """Meet the server and judge its certificate."""
        options = self._options
        try:
            trust = _trusting_any_name(options.ca_file)
        except OSError as error:
            why = f"the CA file {options.ca_file} cannot be read: {error.strerror or error}"
            return CheckResult(state=State.UNKNOWN, summary=why, remedy="Correct the path of ca_file")
        try:
            meeting = await self._meet(trust)
        except OSError as error:
            summary = explain_connection(error, options.host, options.port, during="the TLS handshake")
            if is_local_limit(error):
                return CheckResult(state=State.UNKNOWN, summary=summary)
            return CheckResult(state=State.CRITICAL, summary=summary, fields={"up": 0})
        except ValueError as error:
            summary = f"the certificate of {self._where} cannot be read: {error}"
            return CheckResult(state=State.CRITICAL, summary=summary[:300], fields={"up": 0})
        return self._judge(meeting)

    def timed_out(self, seconds: float) -> CheckResult:
        """The result of a run cut off after `seconds`."""
        summary = f"no TLS handshake with {self._where} within {seconds:g} s"
        return CheckResult(state=State.CRITICAL, summary=summary, fields={"up": 0})

    async def _meet(self, trust: ssl.SSLContext) -> _Meeting:
        options, began = self._options, perf_counter()
        try:
            _, writer = await asyncio.open_connection(
                options.host, options.port, ssl=trust, server_hostname=self._name
            )
        except ssl.SSLCertVerificationError as refusal:
            shown = await fetch_certificate(options.host, options.port, self._name)
            return _Meeting(certificate=shown, refusal=refusal)
        try:
            connection = writer.get_extra_info("ssl_object")
            return _Meeting(
                certificate=parse_certificate(connection.getpeercert(binary_form=True)),
                protocol=connection.version(),
                handshake_ms=round((perf_counter() - began) * 1000, 1),
            )
        finally:
            writer.transport.abort()

    def _judge(self, meeting: _Meeting) -> CheckResult:
        certificate, now = meeting.certificate, self._context.clock()
        left, problems = certificate.days_left(now), self._problems(meeting)
        fields: dict[str, Value] = {
            "up": 0 if problems else 1,
            "days_left": round(left, 2),
            "issuer": certificate.issuer,
            "subject": certificate.subject,
            "is_trusted": meeting.refusal is None,
            "is_name_matched": certificate.is_for(self._name),
        }
        if meeting.protocol:
            fields |= {"protocol": meeting.protocol, "handshake_ms": meeting.handshake_ms}
        state, summary = State.OK, f"the certificate of {self._name} is valid for {left:.0f} more days"
        if problems:
            state, summary = State.CRITICAL, "; ".join(problems)
        elif left < self._options.warn_days:
            state = State.CRITICAL if left < self._options.critical_days else State.WARNING
            limit = self._options.critical_days if state is State.CRITICAL else self._options.warn_days
            summary = f"the certificate of {self._name} expires in {left:.1f} days, under {limit:g}"
        remedy = "Renew the certificate and have the server load it" if state is not State.OK else None
        return CheckResult(
            state=state,
            summary=summary[:400],
            fields=fields,
            remedy=remedy if not problems or left < 0 else None,
            diagnostics=() if state is State.OK else (_description(certificate),),
        )

    def _problems(self, meeting: _Meeting) -> list[str]:
        certificate, now = meeting.certificate, self._context.clock()
        problems = [wrong_time(self._name, certificate, now)]
        if meeting.refusal is not None and not (
            problems[0] and meeting.refusal.verify_code in (EXPIRED, NOT_YET_VALID)
        ):
            problems.append(explain_refusal(meeting.refusal, self._name, certificate, now))
        if not certificate.is_for(self._name):
            problems.append(wrong_name(self._name, certificate))
        return [problem for problem in problems if problem]


@cache
def _trusting_any_name(ca_file: str | None) -> ssl.SSLContext:
    """Verifies the chain only, so that a wrong name does not hide an expired one. Loaded once: it is slow."""
    context = trusting(ca_file)
    context.check_hostname = False
    return context


def _description(certificate: Certificate) -> Diagnostic:
    lines = [
        f"Subject  {certificate.subject}",
        f"Issuer   {certificate.issuer}",
        f"Names    {short_list(certificate.names, 10)}",
        f"From     {certificate.not_before:%Y-%m-%d %H:%M} UTC",
        f"Until    {certificate.not_after:%Y-%m-%d %H:%M} UTC",
    ]
    return Diagnostic(title="Certificate", text="\n".join(lines)[:1500])
