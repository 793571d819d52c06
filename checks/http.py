"""HTTP and HTTPS: one URL judged by its answer, or several measured by their rate of errors."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Annotated, Any, Self
from urllib.parse import unquote

import httpx
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from checks._client import Progress, probe_client
from checks._connection import place
from checks._exchange import Answer, NoAnswerError, exchange
from checks._expect import Expectation, Path, extracted
from checks._secrets import is_sensitive, masked, secrets_of
from checks._tls import parse_certificate
from checks.options import CheckContext, CheckOptions
from checks.result import CheckResult, Diagnostic, State, Value

__all__ = ["HttpCheck", "Options", "probe_client"]

_RECENT = 20  # executions the 95th percentile is taken over
_SLOW_MS = 200.0  # from here on the timings are shown even when all is well
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _is_url(text: str) -> str:
    try:
        url = httpx.URL(text)
        valid = url.scheme in ("http", "https") and bool(url.host)
    except (httpx.InvalidURL, ValueError):
        valid = False
    if not valid:
        raise ValueError(f"{masked(text)!r} is not a URL; write one such as https://api.example.com/health")
    return text


def _is_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ValueError(f"{name!r} is not the name of a header")
        if not value.isascii() or not (value.isprintable() or "\t" in value):
            raise ValueError(f"the value of the header {name} must be one line of ASCII")
    return {name: value.strip() for name, value in headers.items()}


def _is_method(text: str) -> str:
    if text.upper() not in _METHODS:
        raise ValueError(f"{text!r} is not a method; write one of {', '.join(sorted(_METHODS))}")
    return text.upper()


def _as_text(headers: Any) -> Any:
    return (
        {k: str(v) if isinstance(v, int | float) else v for k, v in headers.items()}
        if isinstance(headers, dict)
        else headers
    )


Url = Annotated[str, AfterValidator(_is_url)]


class Options(CheckOptions):
    """`url` or `urls`, what to send, what to expect and what to extract."""

    url: Url | None = None
    urls: tuple[Url, ...] = ()
    method: Annotated[str, AfterValidator(_is_method)] | None = None
    headers: Annotated[dict[str, str], BeforeValidator(_as_text), AfterValidator(_is_headers)] = {}
    body: str | dict[str, Any] | list[Any] | None = None
    expect: Expectation = Field(default_factory=Expectation)
    extract: dict[str, Path] = {}
    follow_redirects: bool = True
    verify_tls: bool = True
    ca_file: str | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.url is None) == (not self.urls):
            raise ValueError("write either url (one) or urls (a list)")
        if self.extract and self.urls:
            raise ValueError("extract takes its fields from one answer; write url instead of urls")
        for name in self.extract:
            if not _FIELD_NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot name a field; use letters, digits and _")
        return self

    def field_names(self) -> frozenset[str]:
        """What a result can carry; an extracted instant also brings `<field>_age_hours`."""
        common = {"up", "response_time_ms", "response_time_p95_ms", "tls_days_left"}
        if self.urls:
            return frozenset(common | {"error_rate", "urls_checked", "urls_failing"})
        ages = {f"{name}_age_hours" for name in self.extract}
        return frozenset(common | {"status_code", "body_bytes", "redirects"} | ages | set(self.extract))

    def build(self, context: CheckContext) -> HttpCheck:
        """The probe; `context.http` should be a `probe_client`, which trusts and times as it asks."""
        return HttpCheck(self, context)


@dataclass(slots=True)
class _Attempt:
    """One URL during one execution: how far it came, and what became of it."""

    url: httpx.URL
    progress: Progress = field(default_factory=Progress)
    answer: Answer | None = None
    problem: str | None = None
    is_local: bool = False
    fields: dict[str, Value] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.answer is not None or self.problem is not None

    @property
    def summary(self) -> str:
        """`HTTP 503 Service Unavailable in 41 ms, expected 200-299`, or why there is no answer."""
        if self.answer is None:
            return self.problem or "no answer yet"
        told = f"{self.answer.status_line} in {_ms(self.answer.time_ms)}"
        return f"{told}, {self.problem}" if self.problem else told


class HttpCheck:
    """A probe of one or several URLs. Remembers its recent response times for their 95th percentile."""

    def __init__(self, options: Options, context: CheckContext) -> None:
        self._options = options
        self._context = context
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._attempts: list[_Attempt] = []
        urls = [httpx.URL(url) for url in (options.urls or (options.url or "",))]
        self._requests = [(url.copy_with(userinfo=b""), _headers(options, url)) for url in urls]
        self._secrets = tuple(
            secret for url in urls for secret in secrets_of(str(url), _headers(options, url))
        )
        self._content = _content(options.body)
        self._method = options.method or ("GET" if options.body is None else "POST")

    async def run(self) -> CheckResult:
        """Ask every URL at once, and judge."""
        self._attempts = [_Attempt(url) for url, _ in self._requests]
        async with asyncio.TaskGroup() as group:
            for attempt, (_, headers) in zip(self._attempts, self._requests, strict=True):
                group.create_task(self._ask(attempt, headers))
        return self._result()

    def timed_out(self, seconds: float) -> CheckResult:
        """The result of a run cut off after `seconds`: the URLs that answered count as they did."""
        for attempt in self._attempts:
            if not attempt.is_over:
                attempt.problem = f"no answer within {seconds:g} s: {_standstill(attempt)}"
        return self._result()

    async def _ask(self, attempt: _Attempt, headers: dict[str, str]) -> None:
        options, attempt.progress = self._options, Progress()
        request = self._context.http.build_request(
            self._method,
            attempt.url,
            headers=headers,
            content=self._content,
            timeout=None,  # the caller's deadline covers the whole execution
            extensions={
                "progress": attempt.progress,
                "verify": (options.ca_file or True) if options.verify_tls else False,
            },
        )
        try:
            answer = await exchange(
                self._context.http,
                request,
                attempt.progress,
                follow=options.follow_redirects,
                now=self._context.clock(),
            )
        except NoAnswerError as error:
            attempt.problem, attempt.is_local = str(error), error.local
            return
        attempt.problem = f"but {answer.flaw}" if answer.flaw else options.expect.problem(answer)
        if options.extract and not answer.flaw:
            self._extract(attempt, answer)
        attempt.answer = answer

    def _extract(self, attempt: _Attempt, answer: Answer) -> None:
        try:
            document = answer.document
        except ValueError as error:
            attempt.problem = attempt.problem or f"but {error}"
            return
        attempt.fields, attempt.missing = extracted(self._options.extract, document, self._context.clock())

    def _result(self) -> CheckResult:
        answered = [a.answer.time_ms for a in self._attempts if a.answer]
        fields: dict[str, Value] = {}
        if answered:
            self._recent.append(max(answered))
            fields["response_time_ms"] = round(max(answered), 1)
            fields["response_time_p95_ms"] = round(_p95(self._recent), 1)
        days = [left for a in self._attempts if (left := self._tls_days_left(a)) is not None]
        if days:
            fields["tls_days_left"] = min(days)
        return self._several(fields) if self._options.urls else self._single(self._attempts[0], fields)

    def _single(self, attempt: _Attempt, fields: dict[str, Value]) -> CheckResult:
        state = State.OK
        if attempt.problem:
            state = State.UNKNOWN if attempt.is_local else State.CRITICAL
        if not attempt.is_local:
            fields["up"] = 0 if attempt.problem else 1
        if attempt.answer:
            fields["status_code"] = attempt.answer.status
            fields["body_bytes"] = len(attempt.answer.body)
            fields["redirects"] = len(attempt.answer.redirects)
        fields |= attempt.fields
        summary, remedy = attempt.summary, None
        if not attempt.problem:
            summary += _shown_fields(attempt)
        if attempt.missing and not attempt.problem:
            state = State.UNKNOWN
            path = self._options.extract[attempt.missing[0]]
            summary += f", but nothing is at {path} for {', '.join(attempt.missing)}"
            remedy = f"Correct the path, or give it a default: {path} || 'none'"
        return CheckResult(
            state=state,
            summary=self._mask(summary),
            fields=fields,
            diagnostics=self._diagnostics(attempt, state),
            remedy=remedy,
        )

    def _several(self, fields: dict[str, Value]) -> CheckResult:
        attempts, failing = self._attempts, [a for a in self._attempts if a.problem]
        reached = [a for a in attempts if a.answer]
        fields |= {
            "up": 1 if reached else 0,
            "error_rate": round(len(failing) / len(attempts), 4),
            "urls_checked": len(attempts),
            "urls_failing": len(failing),
        }
        if not failing:
            summary = f"all {len(attempts)} URLs answer as expected, the slowest in {_ms(self._recent[-1])}"
        elif not reached:
            summary = f"none of {len(attempts)} URLs answers: {failing[0].summary}"
        else:
            first = failing[0]
            summary = f"{len(failing)} of {len(attempts)} URLs fail: {_short(first.url)} {first.summary}"
        lines = [f"{_short(a.url)}  {a.summary}" for a in [*failing, *(a for a in attempts if not a.problem)]]
        diagnostics = (Diagnostic(title="URLs", text=self._mask("\n".join(lines[:20]))[:3000]),)
        if not reached and all(a.is_local for a in attempts):
            del fields["up"], fields["error_rate"]
            return CheckResult(state=State.UNKNOWN, summary=self._mask(summary), fields=fields)
        return CheckResult(
            state=State.OK if reached else State.CRITICAL,
            summary=self._mask(summary),
            fields=fields,
            diagnostics=diagnostics if failing or self._recent[-1] >= _SLOW_MS else (),
        )

    def _diagnostics(self, attempt: _Attempt, state: State) -> tuple[Diagnostic, ...]:
        answer = attempt.answer
        is_slow = attempt.progress.elapsed_ms >= _SLOW_MS
        if state is State.OK and not is_slow:
            return ()
        steps = [f"{self._method} {attempt.url}", *(answer.redirects if answer else ())]
        found = [("Request", "\n".join(steps)), ("Timings", _timings(attempt.progress))]
        if answer and state is not State.OK:
            headers = "\n".join(
                f"{name}: {'***' if is_sensitive(name) else value[:200]}"
                for name, value in list(answer.headers.items())[:30]
            )
            found += [("Response headers", headers), ("Body", answer.text[:2000])]
        limits = {"Body": 500}
        return tuple(
            Diagnostic(title=title, text=self._mask(text)[: limits.get(title, 1500)])
            for title, text in found
            if text.strip()
        )

    def _tls_days_left(self, attempt: _Attempt) -> float | None:
        if attempt.progress.certificate is None:
            return None
        try:
            certificate = parse_certificate(attempt.progress.certificate)
        except ValueError:
            return None
        return round(certificate.days_left(self._context.clock()), 1)

    def _mask(self, text: str) -> str:
        return masked(text, self._secrets)


def _headers(options: Options, url: httpx.URL) -> dict[str, str]:
    headers = dict(options.headers)
    given = {name.lower() for name in headers}
    if "accept-encoding" not in given:
        headers["Accept-Encoding"] = "identity"  # body_bytes is what a reader gets, and costs no unpacking
    if url.userinfo and "authorization" not in given:
        pair = f"{unquote(url.username)}:{unquote(url.password)}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    if isinstance(options.body, dict | list) and "content-type" not in given:
        headers["Content-Type"] = "application/json"
    return headers


def _content(body: str | dict[str, Any] | list[Any] | None) -> bytes | None:
    if body is None:
        return None
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def _standstill(attempt: _Attempt) -> str:
    progress, url = attempt.progress, attempt.url
    where = place(url.host, url.port or (443 if url.scheme == "https" else 80))
    match progress.stage:
        case "dns":
            return f"the name {url.host} is still being looked up"
        case "tls":
            return f"connected to {where}, but the TLS handshake did not end"
        case "first byte":
            return f"connected to {where}, then silence"
        case "download":
            return f"the answer from {where} began but did not end"
        case _:
            return f"no connection to {where}"


def _timings(progress: Progress) -> str:
    phases = [f"{name:<10} {_ms(spent)}" for name, spent in progress.phases.items()]
    if progress.stage:
        phases.append(f"{progress.stage:<10} not finished")
    return "\n".join(phases)


def _shown_fields(attempt: _Attempt) -> str:
    shown = [
        f"{k} {v}"
        for k, v in attempt.fields.items()
        if isinstance(v, str | int | float) and len(str(v)) <= 60
    ]
    return f", {', '.join(shown[:3])}" if shown else ""


def _short(url: httpx.URL) -> str:
    text = str(url.copy_with(query=None))
    return text if len(text) <= 100 else text[:99] + "…"


def _p95(times: deque[float]) -> float:
    """The nearest rank: of 20 values the 19th, so that one slow answer in 20 does not show."""
    return sorted(times)[math.ceil(0.95 * len(times)) - 1]


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds >= 1 else f"{milliseconds:.1f} ms"
