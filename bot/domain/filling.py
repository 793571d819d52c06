"""A remedy's action, and filling it in from an alert: never with a hole, never with a word that acts by itself."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from bot.domain.template import format_value, look_up, placeholders, render

_LONGEST = 1000
Quote = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program and its arguments; no shell reads them."""

    arguments: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An HTTP request. Its headers are sent as they are written."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str | None = field(default=None, repr=False)
    json: Any = field(default=None, repr=False)


Action = Command | Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """Why an action must not be run with the fields there are."""

    reason: str


def values_for(action: Action, names: Mapping[str, Any]) -> dict[str, Any] | Unfit:
    """What the action's placeholders stand for now; Unfit for a field that is missing or dangerous."""
    values: dict[str, Any] = {}
    for name in sorted({name for template in _templates(action) for name in placeholders(template)}):
        value = look_up(names, name)
        if value is None or value == "" or value == []:
            return Unfit(reason=f"the alert has no field {name}")
        if isinstance(value, Mapping):
            return Unfit(reason=f"the field {name} is not a single value")
        if trouble := _trouble(format_value(value, "")):
            return Unfit(reason=f"the field {name} {trouble}")
        values[name] = value
    return values


def _trouble(text: str) -> str | None:
    if not text.isprintable():
        return "holds a line break or another sign that cannot be seen"
    return f"is longer than {_LONGEST} characters" if len(text) > _LONGEST else None


def fill(action: Action, values: Mapping[str, Any]) -> Action | Unfit:
    """The action with its placeholders filled in from `values_for`."""
    return _command(action, values) if isinstance(action, Command) else _call(action, values)


def target_of(action: Action) -> str:
    """What two actions have in common that do the same: equal for them, and 32 characters long."""
    content: Any = (
        list(action.arguments)
        if isinstance(action, Command)
        else [action.method, action.url, action.body, action.json]
    )
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:32]


def shown(action: Action) -> str:
    """The action as a person reads it; secrets in it are for the caller to mask."""
    return shlex.join(action.arguments) if isinstance(action, Command) else f"{action.method} {action.url}"


def _templates(action: Action) -> Iterator[str]:
    if isinstance(action, Command):
        yield from action.arguments
        return
    yield action.url
    yield action.body or ""
    yield from _texts(action.json)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _command(action: Command, values: Mapping[str, Any]) -> Command | Unfit:
    filled = tuple(render(argument, values) for argument in action.arguments)
    for template, argument in zip(action.arguments, filled, strict=True):
        if argument.startswith("-") and not template.startswith("-"):
            return Unfit(
                reason=f"{argument[:80]!r} begins with -, which the program would take for an option"
            )
    return Command(arguments=filled)


def _call(action: Call, values: Mapping[str, Any]) -> Call | Unfit:
    url = render(action.url, values, lambda text: quote(text, safe=""))
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:
        return Unfit(reason="its address is not one that begins with http:// or https://")
    if {".", ".."} & set(parts.path.split("/")) - set(urlsplit(action.url).path.split("/")):
        return Unfit(reason="a field would lead to another path of the address")
    return Call(
        method=action.method,
        url=url,
        headers=action.headers,
        body=None if action.body is None else render(action.body, values, _quote_for(action.body)),
        json=_filled(action.json, values),
    )


def _quote_for(body: str) -> Quote:
    """Within a body that is JSON, a value stays inside its quotes."""
    return (lambda text: json.dumps(text)[1:-1]) if body.lstrip().startswith(("{", "[")) else str


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return render(value, values)
    if isinstance(value, Mapping):
        return {name: _filled(item, values) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(item, values) for item in value]
    return value
