"""HTTP and HTTPS: one URL judged by its answer, or several measured by their rate of errors."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import re
from collections import deque
from typing import Annotated, Any, Self
from urllib.parse import unquote

import httpx
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from checks._attempt import Attempt, in_ms
from checks._exchange import Answer, NoAnswerError, exchange
from checks._expect import Expectation, Path, extracted
from checks._secrets import masked, secrets_of
from checks.client import Progress, probe_client
from checks.options import CheckContext, CheckOptions
from checks.result import CheckResult, Diagnostic, State, Value

__all__ = ["HttpCheck", "Options", "probe_client"]

_RECENT = 20  # executions the 95th percentile is taken over
_SLOW_MS = 200.0  # from here on the timings are shown even when all is well
_FIELDS = frozenset({"up", "response_time_ms", "response_time_p95_ms", "tls_days_left"})
_SINGLE_FIELDS = frozenset({"status_code", "body_bytes", "redirects"})
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
        if not value.isascii() or not value.replace("\t", " ").isprintable():
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

    url: Url | None = Field(
        default=None,
        repr=False,
        description="The one address to ask; user and password in it are sent and never shown",
    )
    urls: tuple[Url, ...] = Field(
        default=(),
        repr=False,
        description="Several addresses instead, measured together by their rate of errors",
    )
    method: Annotated[str, AfterValidator(_is_method)] | None = Field(
        default=None, description="GET, or POST where there is a body, unless set"
    )
    headers: Annotated[dict[str, str], BeforeValidator(_as_text), AfterValidator(_is_headers)] = Field(
        default={}, repr=False, description="Headers to send"
    )
    body: str | dict[str, Any] | list[Any] | None = Field(
        default=None, repr=False, description="What to send: a text, or keys or a list, sent as JSON"
    )
    expect: Expectation = Field(
        default_factory=Expectation, description="What the answer must be; a status of 200 to 299 unless set"
    )
    extract: dict[str, Path] = Field(
        default={}, description="Fields to take from a JSON answer: a JMESPath expression for each"
    )
    follow_redirects: bool = Field(default=True, description="Ask on where the server points to")
    verify_tls: bool = Field(default=True, description="Refuse certificates that a browser would refuse")
    ca_file: str | None = Field(
        default=None, description="A file of CA certificates to trust instead of the usual ones"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.url is None) == (not self.urls):
            raise ValueError("write either url (one) or urls (a list)")
        if self.extract and self.urls:
            raise ValueError("extract takes its fields from one answer; write url instead of urls")
        for name in self.extract:
            if not _FIELD_NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot name a field; use letters, digits and _")
            if name in _FIELDS | _SINGLE_FIELDS:
                raise ValueError(f"{name} is a field of every HTTP check; extract it under another name")
        return self

    def field_names(self) -> frozenset[str]:
        """What a result can carry; an extracted instant also brings `<field>_age_hours`."""
        if self.urls:
            return _FIELDS | {"error_rate", "urls_checked", "urls_failing"}
        return _FIELDS | _SINGLE_FIELDS | self.extract.keys() | {f"{name}_age_hours" for name in self.extract}

    def build(self, context: CheckContext) -> HttpCheck:
        """The probe; `context.http` should be a `probe_client`, which trusts and times as it asks."""
        return HttpCheck(self, context)


class HttpCheck:
    """A probe of one or several URLs. Remembers its recent response times for their 95th percentile."""

    def __init__(self, options: Options, context: CheckContext) -> None:
        self._options = options
        self._context = context
        self._recent: deque[float] = deque(maxlen=_RECENT)
        urls = [httpx.URL(url) for url in (options.urls or (options.url or "",))]
        self._requests = [(url.copy_with(userinfo=b""), _headers(options, url)) for url in urls]
        self._secrets = tuple(
            secret for url in urls for secret in secrets_of(str(url), _headers(options, url))
        )
        self._attempts = [Attempt(url) for url, _ in self._requests]
        self._content = _content(options.body)
        self._method = options.method or ("GET" if options.body is None else "POST")
        # Built once: it is the same each time, and building it took 14 % of a probe's processor time.
        self._built = [self._build(url, headers) for url, headers in self._requests]

    async def run(self) -> CheckResult:
        """Ask every URL at once, and judge."""
        self._attempts = [Attempt(url) for url, _ in self._requests]
        asking = [
            self._ask(attempt, request) for attempt, request in zip(self._attempts, self._built, strict=True)
        ]
        await asyncio.gather(*asking)
        return self._result()

    def timed_out(self, seconds: float) -> CheckResult:
        """The result of a run cut off after `seconds`: the URLs that answered count as they did."""
        for attempt in self._attempts:
            if not attempt.is_over:
                attempt.problem = f"no answer within {seconds:g} s: {attempt.standstill}"
        return self._result()

    def _build(self, url: httpx.URL, headers: dict[str, str]) -> httpx.Request:
        return self._context.http.build_request(
            self._method,
            url,
            headers=headers,
            content=self._content,
            timeout=None,  # the caller's deadline covers the whole execution
            extensions={
                "verify": (self._options.ca_file or True) if self._options.verify_tls else False,
                "address": str(url),
            },
        )

    async def _ask(self, attempt: Attempt, request: httpx.Request) -> None:
        options, attempt.progress = self._options, Progress()
        request.extensions = {**request.extensions, "progress": attempt.progress}
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
        attempt.problem = f"but {answer.flaw}" if answer.flaw else await options.expect.problem(answer)
        if options.extract and not answer.flaw:
            self._extract(attempt, answer)
        attempt.answer = answer

    def _extract(self, attempt: Attempt, answer: Answer) -> None:
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
        now = self._context.clock()
        days = [left for a in self._attempts if (left := a.tls_days_left(now)) is not None]
        if days:
            fields["tls_days_left"] = min(days)
        return self._several(fields) if self._options.urls else self._single(self._attempts[0], fields)

    def _single(self, attempt: Attempt, fields: dict[str, Value]) -> CheckResult:
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
        if attempt.missing and not attempt.problem:
            state = State.UNKNOWN
            path = self._options.extract[attempt.missing[0]]
            summary += f", but nothing is at {path} for {', '.join(attempt.missing)}"
            remedy = f"Correct the path, or give it a default: {path} || 'none'"
        is_ok = state is State.OK
        worth_telling = not is_ok or attempt.progress.elapsed_ms >= _SLOW_MS
        return CheckResult(
            state=state,
            summary=self._mask(summary),
            fields=fields,
            diagnostics=attempt.diagnostics(self._method, self._mask, with_answer=not is_ok)
            if worth_telling
            else (),
            remedy=remedy,
        )

    def _several(self, fields: dict[str, Value]) -> CheckResult:
        asked = [a for a in self._attempts if not a.is_local]  # what failed here says nothing of a target
        if not asked:
            return CheckResult(state=State.UNKNOWN, summary=self._mask(self._attempts[0].summary))
        failing = [a for a in asked if a.problem]
        is_reached = any(a.answer for a in asked)
        fields |= {
            "up": int(is_reached),
            "error_rate": round(len(failing) / len(asked), 4),
            "urls_checked": len(asked),
            "urls_failing": len(failing),
        }
        worth_telling = failing or self._recent[-1] >= _SLOW_MS
        return CheckResult(
            state=State.OK if is_reached else State.CRITICAL,
            summary=self._mask(self._rate_summary(asked, failing, is_reached=is_reached)),
            fields=fields,
            diagnostics=(self._url_table(asked),) if worth_telling else (),
        )

    def _rate_summary(self, asked: list[Attempt], failing: list[Attempt], *, is_reached: bool) -> str:
        if not failing:
            return f"all {len(asked)} URLs answer as expected, the slowest in {in_ms(self._recent[-1])}"
        if not is_reached:
            return f"none of {len(asked)} URLs answers: {failing[0].summary}"
        return f"{len(failing)} of {len(asked)} URLs fail: {failing[0].short_url} {failing[0].summary}"

    def _url_table(self, asked: list[Attempt]) -> Diagnostic:
        ordered = sorted(asked, key=lambda a: a.problem is None)
        lines = [f"{a.short_url}  {a.summary}" for a in ordered[:20]]
        return Diagnostic(title="URLs", text=self._mask("\n".join(lines))[:3000])

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


def _p95(times: deque[float]) -> float:
    """The nearest rank: of 20 values the 19th, so that one slow answer in 20 does not show."""
    return sorted(times)[math.ceil(0.95 * len(times)) - 1]
