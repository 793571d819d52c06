"""How the web server answers: JSON, and refusals always in the same words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

_KEPT = ("Retry-After", "Allow")
UNWRITABLE = "the database cannot be written at present; try again"
TRY_AGAIN = {"Retry-After": "5"}


def refusal(status: int, reason: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """A refusal with its reason; of the headers only those that tell what to do."""
    kept = {name: value for name, value in (headers or {}).items() if name in _KEPT}
    return answer(status, {"error": reason}, kept)


def answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    kept = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return web.Response(status=status, body=text, headers=kept)
