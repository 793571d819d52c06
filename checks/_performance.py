"""Performance data as Nagios plugins print it: https://nagios-plugins.org/doc/guidelines.html#AEN200"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from checks.result import Value

_NUMBER = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"
_ITEM = re.compile(r"(?:'((?:[^']|'')*)'|([^\s'=][^\s=]*))=(\S*)")
_VALUE = re.compile(rf"(U|{_NUMBER})([^\d\s;]*)")
_BYTES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40, "PB": 2**50}
_SUFFIXES = {"%": "percent", "c": "total", "": ""}
_MOST = 500


@dataclass(frozen=True, slots=True)
class Range:
    """`10` is 0 to 10, `10:` from 10, `~:10` up to 10. With `@` a value inside alerts, else one outside."""

    text: str
    low: float
    high: float
    inside: bool

    def alerts(self, value: float) -> bool:
        """Whether a value calls for an alert."""
        return (self.low <= value <= self.high) is self.inside


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measured value with the plugin's own limits; `value` is None for U, that is unknown."""

    label: str
    value: float | None
    unit: str
    warning: Range | None
    critical: Range | None
    least: float | None
    most: float | None

    @property
    def verdict(self) -> str:
        """`critical`, `warning` or nothing, by the plugin's own ranges."""
        if self.value is None:
            return ""
        if self.critical and self.critical.alerts(self.value):
            return "critical"
        return "warning" if self.warning and self.warning.alerts(self.value) else ""


def parse_performance(text: str) -> tuple[list[Measure], int]:
    """The measures in a text, and how many pieces of it are none."""
    measures: list[Measure] = []
    for match in _ITEM.finditer(text):
        label = match[1].replace("''", "'") if match[1] is not None else match[2]
        if len(measures) < _MOST and (measure := _measure(label.strip(), match[3])):
            measures.append(measure)
    rest = _ITEM.sub(" ", text).split()
    return measures, len(_ITEM.findall(text)) - len(measures) + len(rest)


def parse_range(text: str) -> Range | None:
    """A threshold, or None when the text is none."""
    inside = text.startswith("@")
    start, colon, end = text.removeprefix("@").rpartition(":")
    low = -math.inf if start == "~" else _as_number(start) if start else 0.0
    high = math.inf if colon and not end else _as_number(end)
    return None if low is None or high is None or low > high else Range(text, low, high, inside)


def measured_fields(measures: Iterable[Measure]) -> dict[str, Value]:
    """Fields named by label and unit: `time_s`, `size_bytes`, `load1`; KB, MB… become bytes.

    Where the plugin tells the most a value can be, `<label>_percent` is the share of it.
    """
    fields: dict[str, Value] = {}
    for measure in measures:
        name, unit = _name(measure.label), measure.unit
        factor = _BYTES.get(unit.upper().replace("IB", "B"), 0) if unit != "b" else 0
        suffix = "bytes" if factor else _SUFFIXES.get(unit, re.sub(r"\W+", "_", unit).strip("_").lower())
        own = name if not suffix or name.endswith(f"_{suffix}") else f"{name}_{suffix}"
        _put(fields, own, None if measure.value is None else measure.value * (factor or 1))
        if measure.most and measure.value is not None and unit != "%" and measure.most > (measure.least or 0):
            _put(fields, f"{name}_percent", round(100 * measure.value / measure.most, 2))
    return fields


def _put(fields: dict[str, Value], name: str, value: float | None) -> None:
    number, unique = 2, name
    while unique in fields:
        unique, number = f"{name}_{number}", number + 1
    fields[unique] = int(value) if value is not None and value.is_integer() and abs(value) < 2**53 else value


def _name(label: str) -> str:
    if label == "/":
        return "root"
    name = re.sub(r"\W+", "_", label).strip("_").lower()[:60]
    return f"_{name}" if not name or name[0].isdigit() else name


def _measure(label: str, text: str) -> Measure | None:
    value, *limits = text.split(";")
    match = _VALUE.fullmatch(value)
    if match is None or not label:
        return None
    warning, critical, least, most = (limits + [""] * 4)[:4]
    return Measure(
        label=label,
        value=None if match[1] == "U" else _as_number(match[1]),
        unit=match[2],
        warning=parse_range(warning),
        critical=parse_range(critical),
        least=_as_number(least),
        most=_as_number(most),
    )


def _as_number(text: str) -> float | None:
    if not re.fullmatch(_NUMBER, text):
        return None
    number = float(text.replace(",", "."))
    return number if math.isfinite(number) else None
