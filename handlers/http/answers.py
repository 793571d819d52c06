"""What the web server answers with: JSON, and every refusal in the same shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import ValidationError

UNWRITABLE = "the database cannot be written at present; try again"
TRY_AGAIN = {"Retry-After": "5"}
HALF = "holds half of a surrogate pair, which is no text"


def refusal(
    status: int, reason: str, headers: Mapping[str, str] | None = None, details: Any = None
) -> web.Response:
    """`{"error": reason}`, with the path of each mistake where there are several."""
    kept = {name: value for name, value in (headers or {}).items() if name in ("Retry-After", "Allow")}
    body = {"error": reason} if details is None else {"error": reason, "details": details}
    return answer(status, body, kept)


def answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer; half of a surrogate pair, which some text from outside may hold, is a question mark."""
    text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    kept = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return web.Response(status=status, body=text, headers=kept)


def mistakes(error: ValidationError) -> list[dict[str, str]]:
    """What is wrong with each field of a payload: `path` and `message`."""
    return [
        {"path": ".".join(str(part) for part in each["loc"]), "message": _words(each)}
        for each in error.errors(include_url=False, include_context=False)[:20]
    ]


def _words(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "string_unicode":
        return HALF
    return str(error["msg"]).removeprefix("Value error, ")
