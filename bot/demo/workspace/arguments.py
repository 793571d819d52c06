"""The arguments of a Web API call, from a form, JSON or the query, read as the method wants them."""

import json
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from bot.demo.workspace.errors import Refusal, invalid_arguments
from bot.demo.workspace.state import Json

FORM = "application/x-www-form-urlencoded"


async def read_arguments(request: web.Request) -> Json:
    """Every argument of a call by name; raise the Refusal Slack has for a body it cannot read."""
    found: Json = dict(request.query)
    if request.content_type == "multipart/form-data":
        form = await request.post()
        return found | {name: value for name, value in form.items() if isinstance(value, str)}
    body = await request.read()
    if not body:
        return found
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Refusal("invalid_charset") from None
    if request.content_type == "application/json":
        return found | _json_object(text)
    if request.content_type == FORM:
        return found | dict(parse_qsl(text, keep_blank_values=True))
    raise Refusal("invalid_post_type")


def _json_object(text: str) -> Json:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal("invalid_json") from None
    if not isinstance(body, dict):
        raise Refusal("json_not_object")
    return body


class Arguments:
    """Arguments by name; a form's strings and JSON's values read alike."""

    def __init__(self, given: Json) -> None:
        self.given = {name: value for name, value in given.items() if value is not None}

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def text(self, name: str, default: str = "") -> str:
        """A string, or the default."""
        value = self.given.get(name, default)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise invalid_arguments(f"must be a string [json-pointer:/{name}]")
        return value

    def required(self, name: str) -> str:
        """A string that must be there."""
        value = self.text(name)
        if not value:
            raise invalid_arguments(f"missing required field: {name}")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean: true, "true", "1" or 1."""
        value = self.given.get(name, default)
        return value is True or str(value).lower() in ("true", "1")

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number, brought into its range."""
        value = self.given.get(name, default)
        try:
            return min(max(int(value), least), most)
        except (TypeError, ValueError, OverflowError):
            raise invalid_arguments(f"must be an integer [json-pointer:/{name}]") from None

    def names(self, name: str) -> list[str]:
        """A list of strings, given as a list or separated by commas."""
        value = self.given.get(name, [])
        found = value.split(",") if isinstance(value, str) else value
        if not isinstance(found, list):
            raise invalid_arguments(f"must be an array [json-pointer:/{name}]")
        return [str(each).strip() for each in found if str(each).strip()]

    def structure(self, name: str, kind: type, code: str) -> Any:
        """A list or object, as such or as JSON in a string; None without it, else refused with `code`."""
        value = self.given.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                raise Refusal(code) from None
        if not isinstance(value, kind):
            raise Refusal(code)
        return value
