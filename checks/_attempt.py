"""One URL during one execution of the HTTP check, and the words for how it went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from checks._connection import place
from checks._exchange import Answer
from checks._secrets import is_sensitive
from checks._tls import parse_certificate
from checks.client import Progress
from checks.result import Diagnostic, Value

_BODY_SHOWN, _TEXT_SHOWN = 500, 1500
_MASKED_AHEAD = 2000  # a secret at the edge of what is shown is recognised whole before the cut


@dataclass(slots=True)
class Attempt:
    """How far a request came, and what became of it. `problem` is what makes its target not up."""

    url: httpx.URL
    progress: Progress = field(default_factory=Progress)
    answer: Answer | None = None
    problem: str | None = None
    is_local: bool = False
    fields: dict[str, Value] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether there is an answer, or a reason for none."""
        return self.answer is not None or self.problem is not None

    @property
    def summary(self) -> str:
        """`HTTP 503 Service Unavailable in 41 ms, expected 200-299`, or why there is no answer."""
        if self.answer is None:
            return self.problem or "no answer yet"
        told = f"{self.answer.status_line} in {in_ms(self.answer.time_ms)}"
        return f"{told}, {self.problem}" if self.problem else told + self._shown_fields()

    @property
    def standstill(self) -> str:
        """Where a request that does not end has stopped."""
        where = place(self.url.host, self.url.port or (443 if self.url.scheme == "https" else 80))
        match self.progress.stage:
            case "dns":
                return f"the name {self.url.host} is still being looked up"
            case "tls":
                return f"connected to {where}, but the TLS handshake did not end"
            case "first byte":
                return f"connected to {where}, then silence"
            case "download":
                return f"the answer from {where} began but did not end"
            case "" if "download" in self.progress.phases:
                return f"{where} answered, but the regular expression was still being searched for"
            case _:
                return f"no connection to {where}"

    @property
    def short_url(self) -> str:
        """The URL without its query, for a line among others."""
        text = str(self.url.copy_with(query=None))
        return text if len(text) <= 100 else text[:99] + "…"

    def tls_days_left(self, now: datetime) -> float | None:
        """Days until the certificate shown expires; None without one."""
        if self.progress.certificate is None:
            return None
        try:
            return round(parse_certificate(self.progress.certificate).days_left(now), 1)
        except ValueError:
            return None

    def diagnostics(
        self, method: str, mask: Callable[[str], str], *, with_answer: bool
    ) -> tuple[Diagnostic, ...]:
        """What was asked and where the time went; first what came back, when that is to blame. Masked and bounded."""
        asked = [f"{method} {self.url}", *(self.answer.redirects if self.answer else ())]
        found = [("Request", "\n".join(asked)), ("Timings", self._timings())]
        if self.answer and with_answer:
            body = ("Body", self.answer.text[:_MASKED_AHEAD])  # the error page often names the fault itself
            found = [body, *found, ("Response headers", self._headers())]
        return tuple(
            Diagnostic(title=title, text=mask(text)[: _BODY_SHOWN if title == "Body" else _TEXT_SHOWN])
            for title, text in found
            if text.strip()
        )

    def _headers(self) -> str:
        headers = list(self.answer.headers.items())[:30] if self.answer else []
        return "\n".join(f"{name}: {'***' if is_sensitive(name) else value[:200]}" for name, value in headers)

    def _timings(self) -> str:
        phases = [f"{name:<10} {in_ms(spent)}" for name, spent in self.progress.phases.items()]
        if self.progress.stage:
            phases.append(f"{self.progress.stage:<10} not finished")
        return "\n".join(phases)

    def _shown_fields(self) -> str:
        short = [f"{name} {value}" for name, value in self.fields.items() if _is_short(value)]
        return f", {', '.join(short[:3])}" if short else ""


def in_ms(milliseconds: float) -> str:
    """`41 ms`, and `0.4 ms` where whole ones would say nothing."""
    return f"{milliseconds:.0f} ms" if milliseconds >= 1 else f"{milliseconds:.1f} ms"


def _is_short(value: Value) -> bool:
    return isinstance(value, str | int | float) and len(str(value)) <= 60
