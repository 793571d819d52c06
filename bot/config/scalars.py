"""The small values of tocsin.yml, parsed: shares, times of day, targets, thresholds, templates."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, StringConstraints

from bot.config.wording import shown_as, text_of
from bot.domain.severity import Severity, parse_severity
from checks.options import Duration

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_OPERATORS = r"<=|>=|<|>|≤|≥"
_STAT = re.compile(r"sum|avg|min|max|last|first|count|p[1-9]\d?(?:\.\d+)?")
_STATS = "sum, avg, min, max, last, count, p95 or share of 'a value'"
_WIDEST = re.compile(r"\d{4}|\{")  # in a format: a width that would fill the memory, or a width from a field


@dataclass(frozen=True, slots=True)
class Limit:
    """A number to stay above or below: itself, or a share of the baseline (1.0 is all of it)."""

    value: float
    of_baseline: bool = False

    def __str__(self) -> str:
        return f"{self.value * 100:g}% of baseline" if self.of_baseline else f"{self.value:g}"


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should be: `>= 99.9%`, `< 500 ms`, `>0.8`. The unit is as written, empty for none."""

    operator: Literal["<", "<=", ">", ">="]
    value: float
    unit: str = ""

    def __str__(self) -> str:
        space = " " if self.unit and self.unit != "%" else ""
        return f"{self.operator} {self.value:g}{space}{self.unit}"

    def met_by(self, figure: float) -> bool:
        """Whether a figure in the target's own unit meets it."""
        return _compare(self.operator, figure, self.value)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A value a field should not cross. Without a severity the overage decides it."""

    limit: float
    direction: Literal["above", "below"] = "above"
    severity: Severity | None = None

    def crossed_by(self, value: float) -> bool:
        """Whether the value lies beyond the limit; the limit itself is still good."""
        return value > self.limit if self.direction == "above" else value < self.limit


@dataclass(frozen=True, slots=True)
class Stat:
    """A figure over many values: sum, avg, min, max, last, first, count, pNN, or share (of `value`)."""

    kind: str
    value: str | None = None

    def __str__(self) -> str:
        return self.kind if self.value is None else f"share of '{self.value}'"


@dataclass(frozen=True, slots=True)
class BindAddress:
    """Where a server listens. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field of a check or a job: `backend.response_time_ms`."""

    source: str
    field: str

    def __str__(self) -> str:
        return f"{self.source}.{self.field}"


def more_than_nothing(value: timedelta) -> timedelta:
    """A duration that is not zero."""
    if not value:
        raise ValueError("no time at all is too short; write one such as 30s or 5m")
    return value


def parse_share(value: Any) -> float:
    """`95%` or 0.95 as 0.95. Raises ValueError for 95, which could be either."""
    text = text_of(value)
    if (match := re.fullmatch(rf"({_NUMBER})\s*%", text)) and not text.startswith("-"):
        return float(match[1]) / 100
    if re.fullmatch(_NUMBER, text) and 0 <= float(text) <= 1:
        return float(text)
    hint = f"; write {text}%" if re.fullmatch(_NUMBER, text) else "; write one such as 95%"
    raise ValueError(f"{shown_as(value)} is not a share{hint}")


def parse_limit(value: Any) -> Limit:
    """`50% of baseline`, or a plain number."""
    text = text_of(value)
    if match := re.fullmatch(rf"({_NUMBER})\s*%\s*of\s+(?:the\s+)?baseline", text):
        return Limit(float(match[1]) / 100, of_baseline=True)
    if re.fullmatch(_NUMBER, text):
        return Limit(float(text))
    raise ValueError(f"{shown_as(value)} is not a limit; write one such as 50% of baseline, or a number")


def parse_target(value: Any) -> Target:
    """`>= 99.9%`, `< 500 ms`."""
    match = re.fullmatch(rf"({_OPERATORS})\s*({_NUMBER})\s*(%|[A-Za-z/]{{0,12}})", text_of(value))
    if match is None:
        raise ValueError(f'{shown_as(value)} is not a target; write one such as ">= 99.9%" or "< 500 ms"')
    operator: Any = match[1].replace("≤", "<=").replace("≥", ">=")
    return Target(operator, float(match[2]), match[3])


def parse_limit_value(value: Any) -> tuple[float, Literal["above", "below"]]:
    """A threshold's number and direction: `80`, `"< 10"`."""
    text = text_of(value)
    if re.fullmatch(_NUMBER, text):
        return float(text), "above"
    if match := re.fullmatch(rf"({_OPERATORS})\s*({_NUMBER})", text):
        return float(match[2]), "below" if match[1] in "<=≤" else "above"
    if text.endswith("%") and re.fullmatch(_NUMBER, text[:-1].strip()):
        number = text[:-1].strip()
        raise ValueError(
            f"{shown_as(value)} could mean two numbers; write {number} for a field in percent, "
            f"{float(number) / 100:g} for a share"
        )
    raise ValueError(
        f'{shown_as(value)} is not a threshold; write a number such as 80, or "< 10" for too little'
    )


def parse_stat(value: Any) -> Stat:
    """`avg`, `p95`, `share of 'live'`."""
    text = text_of(value)
    if match := re.fullmatch(r"share of ['\"]?(.+?)['\"]?", text):
        return Stat("share", match[1])
    if _STAT.fullmatch(text):
        return Stat(text)
    raise ValueError(f"{shown_as(value)} is not a figure; write {_STATS}")


def parse_stats(value: Any) -> tuple[Stat, ...]:
    """One figure, or a list of them."""
    items = value if isinstance(value, list | tuple) else [value]
    if not items:
        raise ValueError(f"no figure is named; write {_STATS}")
    return tuple(parse_stat(item) for item in items)


def parse_bind(value: Any) -> BindAddress:
    """`127.0.0.1:8787`, `[::1]:8787`, `:8787` for every interface."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-*]*):(\d{1,5})", text_of(value))
    if match is None or int(match[2]) > 65535:
        raise ValueError(
            f"{shown_as(value)} is not an address to listen on; write host:port, such as 127.0.0.1:8787"
        )
    host = match[1].strip("[]")
    return BindAddress("0.0.0.0" if host in {"", "*"} else host, int(match[2]))  # noqa: S104


def parse_field(value: Any) -> FieldRef:
    """`parse_reservations.pct_valid`; the field may have points of its own, the source has none."""
    source, point, name = text_of(value).partition(".")
    if not (source and point and name):
        raise ValueError(
            f"{shown_as(value)} names no field; write check.field or job.field, such as backend.up"
        )
    return FieldRef(source, name)


def parse_size(value: Any) -> int:
    """`1MB` or a number of bytes."""
    match = re.fullmatch(r"(\d{1,12})\s*(B|KB|MB|GB)?", text_of(value), re.IGNORECASE)
    if match is None:
        raise ValueError(f"{shown_as(value)} is not a size; write one such as 1MB")
    return int(match[1]) * {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}[(match[2] or "B").upper()]


def parse_template(value: Any) -> str:
    """A text with `{field}` in it. Raises ValueError when its braces do not pair."""
    text = _plain_text(value)
    try:
        for _, name, spec, conversion in string.Formatter().parse(text):
            if name is not None and (not name or "__" in name):
                raise ValueError("name the field between { and }")
            if _WIDEST.search(spec or "") or conversion not in {None, "s", "r", "a"}:
                raise ValueError(f"the format {spec!r} cannot be used")
    except ValueError as error:
        problem = str(error).lower()
        raise ValueError(
            f"the text cannot be filled in: {problem}; write {{field}}, or {{{{ for a brace"
        ) from None
    return text


def parse_format(value: Any) -> str:
    """How a number is shown: `{:.1f}%`, `${:,.0f}`."""
    text = _plain_text(value)
    parts = list(_format_parts(text))
    if sum(name is not None for name, _ in parts) != 1 or any(_WIDEST.search(spec) for _, spec in parts):
        raise ValueError(f'{shown_as(value)} is not a number format; write one such as "{{:.1f}}%"')
    try:
        text.format(1.0)
    except (ValueError, LookupError, AttributeError):
        raise ValueError(f'{shown_as(value)} is not a number format; write one such as "{{:.1f}}%"') from None
    return text


def _format_parts(text: str) -> list[tuple[str | None, str]]:
    try:
        return [(name, spec or "") for _, name, spec, _ in string.Formatter().parse(text)]
    except ValueError:
        return []


def _compare(operator: str, left: float, right: float) -> bool:
    if operator.startswith("<"):
        return left < right or (operator == "<=" and left == right)
    return left > right or (operator == ">=" and left == right)


def _plain_text(value: Any) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError(f"{shown_as(value)} is not a text")
    return str(value)


_AS_TEXT = PlainSerializer(str, return_type=str)
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
SeverityWord = Annotated[
    Severity,
    BeforeValidator(parse_severity),
    PlainSerializer(lambda severity: severity.word, return_type=str),
]
Span = Annotated[Duration, AfterValidator(more_than_nothing)]
Share = Annotated[float, BeforeValidator(parse_share)]
LimitText = Annotated[Limit, BeforeValidator(parse_limit), _AS_TEXT]
TargetText = Annotated[Target, BeforeValidator(parse_target), _AS_TEXT]
StatText = Annotated[Stat, BeforeValidator(parse_stat), _AS_TEXT]
Stats = Annotated[
    tuple[Stat, ...],
    BeforeValidator(parse_stats),
    PlainSerializer(lambda stats: [str(stat) for stat in stats], return_type=list[str]),
]
Bind = Annotated[BindAddress, BeforeValidator(parse_bind), _AS_TEXT]
FieldText = Annotated[FieldRef, BeforeValidator(parse_field), _AS_TEXT]
Size = Annotated[int, BeforeValidator(parse_size)]
Template = Annotated[str, BeforeValidator(parse_template)]
NumberFormat = Annotated[str, BeforeValidator(parse_format)]
