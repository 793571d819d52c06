"""One run as the line that is logged and posted."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LARGEST = 512 * 1024
"""Bytes of a line; the bot takes bodies of 1 MiB unless told otherwise."""
_LONGEST_COMMAND = 2000
_MOST = 500
_LEVELS = frozenset({"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"})
_SECRET = re.compile(r"(?i)pass(word|wd|phrase)?|secret|token|credential|api[-_]?key|access[-_]?key")
_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):([^@/\s]+)@")
_MASK = "••••"


def instant(at: datetime) -> str:
    """`2026-11-20T06:00:00.000Z`; takes an aware UTC instant."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_run_id() -> str:
    """A random UUID (version 4) without the import of `uuid`, which costs as much as all else here."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def with_fields(run: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The run with a job's own fields. What was measured stands; `fields_ignored` names those it kept out."""
    whole = dict(run)
    ignored = []
    for name, value in fields.items():
        if name == "log_level" and str(value).upper() in _LEVELS:
            whole[name] = str(value).upper()
        elif (name in run and name != "error_codes") or len(whole) > _MOST:
            ignored.append(str(name)[:200])
        else:
            whole[name] = value
    if ignored:
        whole["fields_ignored"] = ignored[:50]
    return whole


def encode(record: Mapping[str, Any]) -> bytes:
    """The line, its end included. What is not JSON becomes text; what is too long is cut or left out."""
    line = _dumps(record)
    whole = dict(record)
    while len(line) > LARGEST:
        largest = max(whole, key=lambda name: len(_dumps(whole[name])))
        value = whole.pop(largest)
        if isinstance(value, str):
            whole[largest] = value[-len(value) // 2 :]
        else:
            whole["fields_dropped"] = [*whole.get("fields_dropped", []), largest[:200]][-50:]
        line = _dumps(whole)
    return line + b"\n"


def command_line(command: Sequence[str], secrets: Sequence[str] = ()) -> str:
    """The command as a shell would take it, without passwords, and without end."""
    shown, masked = [], False
    for argument in command:
        name, equals, _ = argument.partition("=")
        if masked:
            argument = _MASK
        elif equals and _SECRET.search(name):
            argument = f"{name}={_MASK}"
        masked = not masked and not equals and argument.startswith("-") and bool(_SECRET.search(argument))
        shown.append(argument if _MASK in argument else shlex.quote(argument))
    return mask(_PASSWORD.sub(rf"\1:{_MASK}@", " ".join(shown)), secrets)[:_LONGEST_COMMAND]


def mask(text: str, secrets: Sequence[str]) -> str:
    """The text without these secrets."""
    for secret in secrets:
        if len(secret) >= 6:
            text = text.replace(secret, _MASK)
    return text


def _dumps(value: Any) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_shown)
    except (ValueError, TypeError, RecursionError):
        text = json.dumps(_plain(value, 0), ensure_ascii=False, default=_shown)
    return text.encode("utf-8", "replace")


def _shown(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a caller's own class may do anything
        return f"a {type(value).__name__}"


def _plain(value: Any, depth: int) -> Any:
    """The value as JSON can hold it: no NaN, no odd keys, no circles."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if depth > 16:
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    return value
