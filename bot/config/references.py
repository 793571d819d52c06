"""Values of tocsin.yml that name something else: people, channels, destinations, checks, conditions."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from bot.config.suggest import closest, near_or_choices
from bot.config.trial import try_condition, try_expression

EVERYBODY = ("here", "channel", "everyone")
ALWAYS_THERE = ("slack", "digest")
_PERSON_ID = re.compile(r"[UWS][A-Z0-9]{3,}")
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{7,}")
_CHANNEL_NAME = re.compile(r"[^\s#@A-Z.,:;!?\"'<>]{1,80}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the file defines, so that a value elsewhere can be checked against it."""

    people: Collection[str] = ()
    rotations: Collection[str] = ()
    destinations: Collection[str] = ()
    escalations: Collection[str] = ()
    checks: Collection[str] = ()
    timezone: tzinfo = UTC


def refuse(message: str, suggestion: str | None = None, *, discreet: bool = False) -> PydanticCustomError:
    """A mistake in words, to be raised by a validator. A discreet one says nothing of the value itself."""
    context = {"message": message, "suggestion": suggestion, "discreet": discreet}
    return PydanticCustomError("config", "{message}", context)


def as_list(value: Any) -> Any:
    """A single value where a list may stand."""
    return [value] if isinstance(value, str) else value


def is_person_id(text: str) -> bool:
    """Whether a text is the id of a Slack user (U, W) or user group (S)."""
    return bool(_PERSON_ID.fullmatch(text))


def _names(info: ValidationInfo) -> Names | None:
    return info.context if isinstance(info.context, Names) else None


def _known(word: str, known: Collection[str], what: str) -> str:
    if word not in known:
        raise refuse(f'there is no {what} named "{word[:80]}"', near_or_choices(word, known))
    return word


def _person(value: str, info: ValidationInfo) -> str:
    word, names = value.strip().removeprefix("@"), _names(info)
    if is_person_id(word) or names is None:
        return word
    if word in names.rotations:
        raise refuse(f'"{word[:80]}" is a rotation, not a person', "it can stand in mention:, not here")
    if word not in names.people:
        hint = closest(word, names.people) or f"add it: people: {{{word[:40]}: U0123ABCD}}"
        raise refuse(f'"{word[:80]}" is nobody under people', hint)
    return word


def _mentioned(value: Any) -> Any:
    if isinstance(value, str):
        return [word for word in re.split(r"[\s,]+", value) if word]
    return value


def _mention(value: str, info: ValidationInfo) -> str:
    word = value.strip().removeprefix("@").removeprefix("!")
    names = _names(info)
    if word in EVERYBODY or (names is not None and word in names.rotations):
        return word
    return _person(word, info)


def _channel(value: Any) -> str:
    if value is None or value == "":
        raise refuse("no channel is named", 'a # begins a comment in YAML, so quote it: "#alerts"')
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if _CHANNEL_ID.fullmatch(text):
        return text
    name = text.removeprefix("#")
    if not _CHANNEL_NAME.fullmatch(name):
        raise refuse(
            f'"{text[:80]}" is not a channel', 'write its name in lower case, such as "#alerts", or its id'
        )
    return f"#{name}"


def _destination(value: str, info: ValidationInfo) -> str:
    names = _names(info)
    if value.startswith("#"):
        return _channel(value)
    if names is not None and value not in ALWAYS_THERE:
        if value in names.people or value.startswith("@"):
            raise refuse(f'"{value[:80]}" is a person, not a destination', "name them with mention:")
        return _known(value, {*names.destinations, *ALWAYS_THERE}, "destination")
    return value


def _check(value: str, info: ValidationInfo) -> str:
    names = _names(info)
    return value if names is None else _known(value, names.checks, "check")


def _escalation(value: str, info: ValidationInfo) -> str:
    names = _names(info)
    return value if names is None else _known(value, names.escalations, "escalation")


def _condition(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise refuse("a condition is a text", "write one such as cpu_percent > 90")
    try_condition(value)
    return value.strip()


def _expression(value: str) -> str:
    try_expression(value)
    return value.strip()


def _instant(value: Any, info: ValidationInfo) -> datetime:
    """A date and time; without an offset it is in the section's own zone, else in the team's."""
    names = _names(info)
    zone = (info.data or {}).get("timezone") or (names.timezone if names else UTC)
    try:
        if isinstance(value, date) and not isinstance(value, datetime):
            value = value.isoformat()
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise refuse(
            f'"{str(value)[:80]}" is not a date and time', "write one such as 2026-03-01 22:00"
        ) from None


Person = Annotated[str, AfterValidator(_person)]
People = Annotated[tuple[Person, ...], BeforeValidator(as_list)]
Mention = Annotated[tuple[Annotated[str, AfterValidator(_mention)], ...], BeforeValidator(_mentioned)]
Channel = Annotated[str, BeforeValidator(_channel)]
Destinations = Annotated[tuple[Annotated[str, AfterValidator(_destination)], ...], BeforeValidator(as_list)]
Checks = Annotated[tuple[Annotated[str, AfterValidator(_check)], ...], BeforeValidator(as_list)]
Escalation = Annotated[str, AfterValidator(_escalation)]
Texts = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=2000)], ...], BeforeValidator(as_list)
]
Condition = Annotated[str, BeforeValidator(_condition)]
Expression = Annotated[str, AfterValidator(_expression)]
Instant = Annotated[
    datetime, BeforeValidator(_instant), PlainSerializer(lambda moment: moment.isoformat(), return_type=str)
]
