"""What an HTTP answer must be for its target to count as up, and what is taken out of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from checks._exchange import Answer
from checks._ranges import Ranges, RangesSetting, parse_ranges
from checks._regex import is_found
from checks._times import as_instant
from checks.result import Value

_MOST_TEXT = 2000


def _is_path(text: str) -> str:
    try:
        jmespath.compile(text)
    except JMESPathError as error:
        said = " ".join(str(error).split())[:160]
        raise ValueError(
            f"{text!r} is not a JMESPath expression ({said}); write one such as [0].status"
        ) from None
    return text


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Path = Annotated[str, AfterValidator(_is_path)]


class Expectation(BaseModel):
    """What an answer must be; every part given must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    status: RangesSetting = Field(
        default_factory=lambda: parse_ranges("200-299"),
        validate_default=True,
        description="The status: `200`, `200-299`, or several such",
    )
    text: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = Field(
        default=(), description="What the body must contain: a text, or several"
    )
    regex: re.Pattern[str] | None = Field(
        default=None, description="A regular expression to be found in the body"
    )
    truths: Annotated[tuple[Path, ...], BeforeValidator(_as_list)] = Field(
        default=(), alias="json", description="JMESPath expressions that must hold of a JSON body"
    )

    async def problem(self, answer: Answer) -> str | None:
        """The first thing that is not as expected, to follow "HTTP 200 OK in 41 ms, ". Raises CannotRun."""
        status: Ranges = self.status
        if answer.status not in status:
            return f"expected {status}"
        where = "the first 1 MiB of the body" if answer.truncated else "the body"
        for text in self.text:
            if text not in answer.text:
                return f"but {where} does not contain {_quoted(text)}"
        if self.regex is not None and not await is_found(self.regex, answer.text):
            return f"but {where} does not match {_quoted(self.regex.pattern)}"
        for path in self.truths:
            try:
                found = jmespath.search(path, answer.document)
            except (ValueError, JMESPathError) as error:
                return f"but {_one_line(error)}"
            if not found:
                return f"but {path} is {_quoted(found)}"
        return None


def extracted(paths: Mapping[str, str], document: Any, now: datetime) -> tuple[dict[str, Value], list[str]]:
    """The fields found, instants with their age beside them, and the names of those not found."""
    fields: dict[str, Value] = {}
    missing = []
    for name, path in paths.items():
        try:
            value = plain(jmespath.search(path, document))
        except JMESPathError:
            value = None
        fields[name] = value
        if value is None:
            missing.append(name)
        elif instant := as_instant(value):
            fields[f"{name}_age_hours"] = round((now - instant) / timedelta(hours=1), 4)
    return fields, missing


def plain(value: Any) -> Value:
    """A value out of a document as a field: finite, bounded, with whole numbers that fit 64 bits."""
    if isinstance(value, str):
        return value[:_MOST_TEXT]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)[:_MOST_TEXT]
    if isinstance(value, list | dict):
        try:
            # allow_nan=False: a NaN inside would break every reader of the stored fields
            text = json.dumps(value, default=str, allow_nan=False)
        except (ValueError, RecursionError):
            return str(value)[:_MOST_TEXT]
        return value if len(text) <= _MOST_TEXT else text[:_MOST_TEXT]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:_MOST_TEXT]


def _quoted(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:79] + "…"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
