"""What a PromQL query answers: one value, or one part a series."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, Field, SecretStr

from checks._reasons import system_reason
from checks._secrets import masked, secrets_of
from checks._values import field_name
from checks.options import CheckContext, CheckOptions
from checks.result import CheckResult, Diagnostic, State, Value

_MOST_BYTES = 8 * 2**20
_LONGEST_RESOURCE = 200
_LONGEST_GET = 2000
_MOST_SHOWN = 3
_NO_ANSWER = "the query cannot run: what the server says is no answer of Prometheus"
_OWN_FIELDS = frozenset({"value", "up", "series", "response_time_ms"})


def _check_url(url: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(url.get_secret_value().strip())
        fits = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError("this is not a server's address; write one such as http://127.0.0.1:9090")
    return url


class Options(CheckOptions):
    """A query to Prometheus or to anything that speaks as it does (Thanos, Mimir, VictoriaMetrics)."""

    url: Annotated[SecretStr, AfterValidator(_check_url)] = Field(
        description="The server's address, without /api/v1; user and password in it are never shown"
    )
    query: str = Field(
        min_length=1,
        description="PromQL for one instant. A number gives `value`; each series gives a part of its own, "
        "named by its labels, with `value` and a field for each label",
    )
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, description='Headers such as Authorization: "Bearer …" or X-Scope-OrgID'
    )
    resource_label: str | None = Field(
        None, description="The label that names a part; all its labels together when not given"
    )
    series_limit: int = Field(
        100, ge=1, le=1000, description="More series than this are counted but not told"
    )

    def build(self, context: CheckContext) -> PrometheusCheck:
        return PrometheusCheck(self, context)


class RefusedError(Exception):
    """The server gave no answer to use. `fault`: it is the server's, not the question's."""

    def __init__(self, reason: str, *, fault: bool) -> None:
        super().__init__(reason)
        self.reason, self.fault = reason, fault


class PrometheusCheck:
    """Asks once a run, for now."""

    def __init__(self, options: Options, context: CheckContext) -> None:
        self._options, self._context = options, context
        self._base = options.url.get_secret_value().strip().rstrip("/").removesuffix("/api/v1")
        self._headers = {name: value.get_secret_value() for name, value in options.headers.items()}
        self._secrets = secrets_of(self._base, self._headers)

    async def run(self) -> CheckResult:
        began = perf_counter()
        try:
            answer = await self._ask()
            result = self._read(answer)
        except RefusedError as refused:
            return self._refused(refused)
        except (httpx.HTTPError, OSError) as error:
            reason = system_reason(error) or str(error) or type(error).__name__
            return self._refused(RefusedError(f"{self._place} is unreachable: {reason}", fault=True))
        taken = {"up": 1, "response_time_ms": round((perf_counter() - began) * 1000, 2)}
        return replace(result, fields=taken | dict(result.fields))

    def timed_out(self, seconds: float) -> CheckResult:
        """The result when the caller's deadline passed first."""
        summary = f"{self._place} gave no answer within {seconds:g} s"
        return CheckResult(state=State.CRITICAL, summary=summary, fields={"up": 0})

    @property
    def _place(self) -> str:
        parts = urlsplit(self._base)
        return f"Prometheus at {parts.hostname}" + (f":{parts.port}" if parts.port else "")

    async def _ask(self) -> Mapping[str, Any]:
        parameters = {"query": self._options.query}
        long = len(self._options.query) > _LONGEST_GET
        request = self._context.http.build_request(
            "POST" if long else "GET",
            f"{self._base}/api/v1/query",
            params=None if long else parameters,
            data=parameters if long else None,
            headers=self._headers,
            timeout=None,  # the caller's deadline holds
        )
        response = await self._context.http.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise RefusedError(
                        f"the query cannot be used: its answer is over {_MOST_BYTES >> 20} MB", fault=False
                    )
        finally:
            await response.aclose()
        return _answer(response.status_code, bytes(body))

    def _refused(self, refused: RefusedError) -> CheckResult:
        state = State.CRITICAL if refused.fault else State.UNKNOWN
        query = Diagnostic(title="Query", text=self._options.query.strip()[:1500])
        return CheckResult(
            state=state,
            summary=masked(refused.reason, self._secrets)[:400],
            fields={"up": 0 if refused.fault else 1},
            diagnostics=() if refused.fault else (query,),
        )

    def _read(self, answer: Mapping[str, Any]) -> CheckResult:
        kind, result = answer.get("resultType"), answer.get("result")
        if kind == "scalar" and isinstance(result, list):
            return _single(_sample(result), 1)
        if kind == "string" and isinstance(result, list):
            return _single(str(result[1])[:1000], 1)
        if kind == "matrix":
            raise RefusedError(
                "the query gives ranges, not values of one instant; wrap it in rate() or avg_over_time()",
                fault=False,
            )
        if (
            kind != "vector"
            or not isinstance(result, list)
            or not all(isinstance(item, dict) for item in result)
        ):
            raise RefusedError(_NO_ANSWER, fault=False)
        if len(result) == 1 and not result[0].get("metric"):
            return _single(_sample(result[0].get("value")), 1)
        return self._several(result)

    def _several(self, series: list[Mapping[str, Any]]) -> CheckResult:
        parts = tuple(self._part(item) for item in series[: self._options.series_limit])
        shown = ", ".join(part.summary for part in parts[:_MOST_SHOWN])
        more = f" and {len(series) - _MOST_SHOWN} more" if len(series) > _MOST_SHOWN else ""
        untold = len(series) - len(parts)
        bounded = f"; {untold:,} series over the limit are not told" if untold else ""
        return CheckResult(
            state=State.OK,
            summary=f"{len(series):,} series: {shown}{more}{bounded}" if series else "no series",
            fields={"series": len(series)},
            parts=parts,
        )

    def _part(self, series: Mapping[str, Any]) -> CheckResult:
        labels = {str(name): str(value) for name, value in (series.get("metric") or {}).items()}
        value = _sample(series.get("value"))
        resource = self._resource(labels)
        fields: dict[str, Value] = {_label_field(name): text[:300] for name, text in labels.items()}
        return CheckResult(
            state=State.OK,
            summary=f"{resource} {_shown(value)}",
            fields={**fields, "value": value},
            resource=resource,
        )

    def _resource(self, labels: Mapping[str, str]) -> str:
        """A name that is the same for the same labels, whatever other series there are."""
        wanted = self._options.resource_label
        if wanted and labels.get(wanted):
            return labels[wanted][:_LONGEST_RESOURCE]
        own = {name: value for name, value in labels.items() if name != "__name__"} or labels
        text = (
            next(iter(own.values()))
            if len(own) == 1
            else ",".join(f"{k}={v}" for k, v in sorted(own.items()))
        )
        if len(text) <= _LONGEST_RESOURCE:
            return text
        return f"{text[: _LONGEST_RESOURCE - 9]}…{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _answer(status: int, body: bytes) -> Mapping[str, Any]:
    """The data of an answer. Raises RefusedError when it is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if (
        isinstance(document, dict)
        and document.get("status") == "success"
        and isinstance(document.get("data"), dict)
    ):
        return dict(document["data"])
    if isinstance(document, dict) and isinstance(document.get("error"), str):
        busy = status >= 500
        lead = "the server fails" if busy else "the query cannot run"
        raise RefusedError(f"{lead}: {document['error'][:300]}", fault=busy)
    if status >= 500:
        raise RefusedError(f"the server fails with status {status}", fault=True)
    said = _NO_ANSWER if status == 200 else f"the query cannot run: the server answers with status {status}"
    raise RefusedError(said, fault=False)


def _single(value: Value, series: int) -> CheckResult:
    return CheckResult(state=State.OK, summary=_shown(value), fields={"series": series, "value": value})


def _sample(sample: Any) -> float | None:
    """The number in `[time, "number"]`; None for what is not finite, and for a histogram."""
    try:
        number = float(sample[1])
    except (TypeError, ValueError, IndexError, KeyError):
        return None
    return number if math.isfinite(number) else None


def _label_field(label: str) -> str:
    name = field_name(label) if label != "__name__" else "metric"
    return f"label_{name}" if name in _OWN_FIELDS else name


def _shown(value: Value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "no number" if value is None else str(value)[:100]
