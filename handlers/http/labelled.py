"""Alerts as Prometheus, Alertmanager and Grafana write them: labels that name one, annotations that explain it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from bot.domain.observation import clean_text
from bot.domain.raised import RaisedAlert
from bot.domain.severity import Severity, parse_severity
from checks.result import Value

RESOLVE_TIMEOUT = timedelta(minutes=5)
"""How long a pushed alert without an end lasts unless it is pushed again: Alertmanager's own default."""
_LONGEST = timedelta(days=30)
_PLACES = ("instance", "host", "pod", "service", "job", "namespace", "cluster", "grafana_folder")
_UNEVENTFUL = frozenset({"info", "informational", "notice", "none", "debug"})
_FINGERPRINT = re.compile("[0-9a-f]{16}")
_FNV_START, _FNV_PRIME, _64_BITS = 0xCBF29CE484222325, 0x100000001B3, 2**64 - 1


def _mapping(value: Any) -> Any:
    return {} if value is None else value


Labels = Annotated[dict[str, str], BeforeValidator(_mapping), Field(max_length=200)]


class Labelled(BaseModel):
    """What the three have in common. Fields that are not named here are passed over."""

    labels: Annotated[Labels, Field(min_length=1)]
    annotations: Labels = {}
    generator_url: Annotated[str | None, Field(alias="generatorURL")] = None

    def raised(self, *, over: bool, expire_after: timedelta | None = None) -> RaisedAlert:
        """The same in Tocsin's terms."""
        labels = {name: value for name, value in self.labels.items() if value}
        told = self.annotations
        alert_type = _short(labels.get("alertname", "")) or "alert"
        summary = told.get("summary", "").strip() or alert_type
        return RaisedAlert(
            alert_type=alert_type,
            resource=resource_of(labels, self.identity(labels)),
            title=_short(summary),
            message=(told.get("description") or told.get("message") or summary).strip(),
            severity=severity_of(labels.get("severity")),
            category=_short(labels.get("category", "")) or "application",
            metadata={**labels, **self.further()},
            recommendations=tuple(self.links()),
            runbook=url_of(told.get("runbook_url") or told.get("runbook")),
            over=over,
            expire_after=expire_after,
        )

    def identity(self, labels: Mapping[str, str]) -> str:
        """What tells this set of labels from any other."""
        return fingerprint_of(labels)

    def further(self) -> Mapping[str, Value]:
        """What is shown beside the labels."""
        return {}

    def links(self) -> Iterator[str]:
        """Where to look, each in a line."""
        if url := url_of(self.generator_url):
            yield f"See what it was calculated from: {url}"


class Pushed(Labelled):
    """An alert as Prometheus pushes it to Alertmanager: over once its end has passed."""

    ends_at: Annotated[AwareDatetime | None, Field(alias="endsAt")] = None

    def at(self, now: datetime) -> RaisedAlert:
        """As it stands at `now`. While it fires its end lies ahead, and moves with each push."""
        if self.ends_at is None or self.ends_at.year == 1:  # Go's zero time
            return self.raised(over=False, expire_after=RESOLVE_TIMEOUT)
        left = self.ends_at - now
        if left <= timedelta(0):
            return self.raised(over=True)
        return self.raised(over=False, expire_after=min(left, _LONGEST))


class Notified(Labelled):
    """An alert in a notification of Alertmanager's or Grafana's; one that is over says so."""

    status: Literal["firing", "resolved"]
    fingerprint: str = ""
    values: dict[str, Any] | None = None
    dashboard_url: Annotated[str | None, Field(alias="dashboardURL")] = None
    panel_url: Annotated[str | None, Field(alias="panelURL")] = None
    silence_url: Annotated[str | None, Field(alias="silenceURL")] = None

    def identity(self, labels: Mapping[str, str]) -> str:
        given = self.fingerprint
        return given if _FINGERPRINT.fullmatch(given) else fingerprint_of(labels)

    def further(self) -> Mapping[str, Value]:
        return {f"value {name}": value for name, value in (self.values or {}).items()}

    def links(self) -> Iterator[str]:
        if url := url_of(self.panel_url) or url_of(self.dashboard_url):
            yield f"Look at the panel: {url}"
        yield from super().links()
        if url := url_of(self.silence_url):
            yield f"Silence it in the source: {url}"


class Notification(BaseModel):
    """What Grafana posts to a webhook."""

    alerts: list[Any]
    left_out: Annotated[int | None, Field(alias="truncatedAlerts")] = None


class AlertmanagerNotification(Notification):
    """What Alertmanager posts to a webhook, in the one version that there is."""

    version: Literal["4"] = "4"


def resource_of(labels: Mapping[str, str], identity: str) -> str:
    """Where it is; with a few signs of `identity` where other labels could tell two of them apart."""
    place = next((name for name in _PLACES if name in labels), None)
    where = _short(labels[place]) if place else ""
    if where and set(labels) <= {"alertname", place}:
        return where
    return f"{where} #{identity[:8]}".strip()


def severity_of(word: str | None) -> Severity:
    """Any team's word; medium when it is none that is known."""
    try:
        return parse_severity(word)
    except ValueError:
        return Severity.LOW if (word or "").strip().lower() in _UNEVENTFUL else Severity.MEDIUM


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """The same as Alertmanager's: FNV-1a of 64 bits over the labels by name, each part closed by 255.

    So an alert is the same one whether Prometheus pushes it or Alertmanager passes it on.
    """
    found = _FNV_START
    for name, value in sorted((_bytes(name), _bytes(value)) for name, value in labels.items()):
        for byte in (*name, 255, *value, 255):
            found = (found ^ byte) * _FNV_PRIME & _64_BITS
    return f"{found:016x}"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _short(text: str) -> str:
    return clean_text(text).strip()[:200]


def url_of(text: str | None) -> str | None:
    """The text if it is the address of a page."""
    found = clean_text(text or "").strip()
    return found if found.startswith(("http://", "https://")) and len(found) <= 2000 else None
