"""Whether environment variables are set and well formed. Their values are never shown."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from checks.options import CheckContext, CheckOptions
from checks.result import CheckResult, Diagnostic, State

_FORMATS = {
    "nonempty": "set",
    "url": "a URL such as https://host/path",
    "token": "a token: eight or more printable signs without spaces, no placeholder",
    "int": "a whole number",
    "email": "an email address",
    "path": "a path",
    "json": "JSON",
}
_PLACEHOLDER = re.compile(
    r"(?i)<.*>|\$\{.*|(change|replace)[-_]?me.*|your[-_].*|x{8,}|example.*|todo.*|placeholder.*"
)
_TOKEN = re.compile(r"[\x21-\x7e]{8,}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_MOST_NAMED = 3


def _check_format(text: str) -> str:
    if text.startswith("regex:"):
        try:
            re.compile(text.removeprefix("regex:"))
        except re.error as error:
            raise ValueError(f"{text!r} holds no regular expression: {error}") from None
    elif text not in _FORMATS:
        raise ValueError(f"{text!r} is not a format; write {', '.join(_FORMATS)} or regex:^…$")
    return text


class Options(CheckOptions):
    """Variables that must be set in the environment Tocsin runs in."""

    required: dict[str, Annotated[str, AfterValidator(_check_format)]] = Field(
        min_length=1,
        description="Each variable with its format: url, token, int, email, path, json, nonempty, or "
        "regex:^…$ for the whole value",
    )

    def field_names(self) -> frozenset[str]:
        return frozenset({"variables", "missing", "malformed"})

    def build(self, context: CheckContext) -> EnvCheck:
        del context
        return EnvCheck(self.required, os.environ)


class EnvCheck:
    """Judges the variables as they were when it was built."""

    def __init__(self, required: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self._required = dict(required)
        self._values = {name: environ[name] for name in required if name in environ}

    async def run(self) -> CheckResult:
        missing = [name for name in self._required if not self._values.get(name, "").strip()]
        malformed = [
            name
            for name, form in self._required.items()
            if name not in missing and not is_well_formed(self._values[name], form)
        ]
        faults = [f"{name} is not set" for name in missing]
        faults += [f"{name} is not {_wanted(self._required[name])}" for name in malformed]
        more = f" and {len(faults) - _MOST_NAMED} more" if len(faults) > _MOST_NAMED else ""
        count = len(self._required)
        fine = (
            f"all {count} variables are set and well formed"
            if count > 1
            else "the variable is set and well formed"
        )
        return CheckResult(
            state=State.CRITICAL if faults else State.OK,
            summary="; ".join(faults[:_MOST_NAMED]) + more if faults else fine,
            fields={"variables": count, "missing": len(missing), "malformed": len(malformed)},
            diagnostics=(Diagnostic(title="Environment", text="\n".join(faults[:50])),) if faults else (),
            remedy="set them where Tocsin is started, then restart it" if faults else None,
        )


def is_well_formed(value: str, form: str) -> bool:
    """Whether a value that is not empty has one of the formats of `Options.required`."""
    value = value.strip()
    match form:
        case "url":
            return _is_url(value)
        case "token":
            return bool(_TOKEN.fullmatch(value)) and not _PLACEHOLDER.fullmatch(value)
        case "int":
            return re.fullmatch(r"[+-]?[0-9]+", value) is not None
        case "email":
            return _EMAIL.fullmatch(value) is not None
        case "path":
            return "\0" not in value and "\n" not in value and not _PLACEHOLDER.fullmatch(value)
        case "json":
            return _is_json(value)
        case "nonempty":
            return True
    return re.fullmatch(form.removeprefix("regex:"), value) is not None


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    plain = not re.search(r"\s", value)
    # sqlite:///file.db and unix:///socket have a path where others have a host.
    return (
        plain
        and bool(re.fullmatch(r"[a-zA-Z][\w+.-]*", parts.scheme))
        and bool(parts.hostname or parts.path.strip("/"))
    )


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def _wanted(form: str) -> str:
    return _FORMATS.get(form, "of its form")
