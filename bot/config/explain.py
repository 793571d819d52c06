"""What pydantic finds, in words a newcomer can act on, at the place in the file."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.config.document import Document
from bot.config.mistake import Mistake, Path
from bot.config.probing import CheckSettings, common_keys
from bot.config.suggest import near_or_choices
from bot.config.variables import mask_secrets
from bot.config.wording import shown_as
from checks.kinds import kinds, options_of

_KEYS, _LIST = "a mapping such as {name: value}", "a list such as [a, b]"
_ADDRESS, _TIME = "an address such as https://example.com", 'a time of day such as "07:30"'
_EXPECTED = {
    "string_type": "a text",
    "string_sub_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": _KEYS,
    "mapping_type": _KEYS,
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "uuid_parsing": "a UUID",
    "uuid_type": "a UUID",
    "time_delta_type": "a duration such as 30s or 5m",
    "url_parsing": _ADDRESS,
    "url_type": _ADDRESS,
    "path_type": "the path of a file",
    "time_parsing": _TIME,
    "time_type": _TIME,
    "date_parsing": "a date such as 2026-03-01",
    "datetime_parsing": "a date and time such as 2026-03-01 22:00",
}
_BOUNDS = {
    "greater_than": ("{shown} is too small; it must be more than {bound}", "gt"),
    "greater_than_equal": ("{shown} is too small; it must be at least {bound}", "ge"),
    "less_than": ("{shown} is too large; it must be less than {bound}", "lt"),
    "less_than_equal": ("{shown} is too large; it must be at most {bound}", "le"),
    "too_short": ("too little is named; at least {bound} belongs here", "min_length"),
    "too_long": ("too much is named; at most {bound} belong here", "max_length"),
    "string_too_short": ("the text is empty; at least {bound} character belongs here", "min_length"),
    "string_too_long": ("the text is too long; at most {bound} characters belong here", "max_length"),
}


def mistakes_of(error: ValidationError, document: Document, model: type[BaseModel]) -> Iterator[Mistake]:
    """One mistake for each of pydantic's, those that follow from a variable that is not set left out.

    What two models refuse, as with the members of a group, is told once, by the one that knows what was meant.
    """
    found = list(_mistakes(error, document, model))
    told = {(each.path, each.message) for each in found if each.suggestion}
    return (each for each in found if each.suggestion or (each.path, each.message) not in told)


def _mistakes(error: ValidationError, document: Document, model: type[BaseModel]) -> Iterator[Mistake]:
    for details in error.errors(include_url=False):
        path, missing = locate(details["loc"], document.data)
        named = (*path, missing) if missing else path
        unset = any(named[:length] in document.unresolved for length in range(len(named) + 1))
        if unset or _follows_from_another(details, path, document.data):
            continue
        yield _mistake(details, document, path, missing, model)


def _follows_from_another(details: ErrorDetails, path: Path, data: Any) -> bool:
    """Whether a mistake is told already: keys of an unknown kind, a list short of what is wrong in it."""
    if details["type"] == "too_short":
        for step in path:
            data = _child(data, step)
        least = (details.get("ctx") or {}).get("min_length", 0)
        return isinstance(data, list) and len(data) >= least
    return details["type"] == "unjudged"


def locate(loc: Sequence[str | int], data: Any) -> tuple[Path, str | None]:
    """The path in the file that a pydantic location means, and the key that is missing there, if one is.

    Steps that are not in the file (a union's branch, the options set apart, a key's own mark) fall away.
    """
    path: list[str | int] = []
    rest = list(loc)
    while rest:
        step = rest.pop(0)
        if (isinstance(data, dict) and str(step) in data) or (
            isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data)
        ):
            path.append(str(step) if isinstance(data, dict) else step)
            data = _child(data, step)
        elif not rest and isinstance(data, dict | None) and isinstance(step, str) and step != "[key]":
            return tuple(path), step
    return tuple(path), None


def _mistake(
    details: ErrorDetails, document: Document, path: Path, missing: str | None, model: type[BaseModel]
) -> Mistake:
    kind, value = details["type"], details["input"]
    if kind == "missing":
        named = (*path, missing) if missing else path
        return document.mistake(named, f'the key "{named[-1]}" is missing', None, key=True)
    if kind == "extra_forbidden":
        known = keys_at(model, details["loc"][:-1], document.data)
        return document.mistake(
            path, "unknown key", near_or_choices(str(details["loc"][-1]), known), key=True
        )
    message, hint = _words(details, value)
    if any(path == other[: len(path)] for other in document.secret_paths):
        message = mask_secrets(message, document.secrets, shortest=1)
    if (secret := _secret_at(path, document)) and not (details.get("ctx") or {}).get("discreet"):
        expected = _EXPECTED.get(kind, "what belongs here")
        message, hint = f"what ${{{secret}}} holds (secret, not shown) is not {expected}", None
    return document.mistake(path, message, hint, key=isinstance(value, dict | list))


def _secret_at(path: Path, document: Document) -> str | None:
    """The variable that gave the value at a path its secret."""
    found = (document.secret_paths.get(path[:length]) for length in range(len(path), 0, -1))
    return next((name for name in found if name), None)


def _words(details: ErrorDetails, value: Any) -> tuple[str, str | None]:
    kind, context = details["type"], details.get("ctx") or {}
    if kind == "config":
        return str(context["message"]), context.get("suggestion")
    if kind in {"value_error", "assertion_error"}:
        message, _, hint = str(context.get("error", details["msg"])).partition("; ")
        return message or "this does not fit", hint or None
    if kind in _EXPECTED:
        return f"{shown_as(value)} stands where {_EXPECTED[kind]} belongs", None
    if kind in _BOUNDS:
        return _bounded(kind, value, context)
    if kind in {"literal_error", "enum"}:
        allowed = str(context.get("expected", "")).replace("'", "")
        words = [word for part in allowed.split(", ") for word in part.split(" or ")]
        return f"{shown_as(value)} is none of the words there are", near_or_choices(str(value)[:80], words)
    return f"{shown_as(value)} does not fit: {details['msg'].removeprefix('Value error, ')}", None


def _bounded(kind: str, value: Any, context: Mapping[str, Any]) -> tuple[str, str | None]:
    pattern, name = _BOUNDS[kind]
    message, _, hint = pattern.partition("; ")
    return message.format(shown=shown_as(value)), hint.format(bound=context.get(name))


def keys_at(model: type[BaseModel], loc: Sequence[str | int], data: Any) -> list[str]:
    """The keys that could stand at a pydantic location, as written in the file."""
    annotation: Any = model
    for step in loc:
        annotation = _below(annotation, step, data)
        if step != "options" and isinstance(data, dict | list):
            data = _child(data, step)
        if annotation is None:
            return []
    found = _models_in(annotation)
    keys = [info.alias or name for each in found for name, info in each.model_fields.items()]
    if CheckSettings in found:
        keys = [*common_keys()]
    if loc and loc[-1] == "options":
        keys += common_keys()
    return keys


def _below(annotation: Any, step: str | int, data: Any) -> Any:
    for candidate in arms_of(annotation):
        origin, arguments = get_origin(candidate), get_args(candidate)
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            if candidate is CheckSettings and step == "options":
                kind = data.get("type") if isinstance(data, dict) else None
                return options_of(kind) if kind in kinds() else None
            for name, info in candidate.model_fields.items():
                if step in {name, info.alias}:
                    return info.annotation
        elif origin is not None and arguments and isinstance(origin, type):
            if issubclass(origin, Mapping):
                return arguments[1]
            if issubclass(origin, Sequence | set | frozenset):
                return arguments[0]
    return annotation


def _child(data: Any, step: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(str(step), data)
    return data[step] if isinstance(step, int) and 0 <= step < len(data) else data


def arms_of(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from arms_of(get_args(annotation)[0])
    elif origin in {Union, types.UnionType}:
        for argument in get_args(annotation):
            yield from arms_of(argument)
    else:
        yield annotation


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    return [arm for arm in arms_of(annotation) if isinstance(arm, type) and issubclass(arm, BaseModel)]
