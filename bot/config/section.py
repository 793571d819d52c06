"""The base of every part of the settings."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, SecretStr, model_validator

from bot.config.variables import MASK


class Section(BaseModel):
    """Frozen settings. Unknown keys are mistakes; a number may stand where a text is meant."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        coerce_numbers_to_str=True,
        allow_inf_nan=False,
        validate_by_name=False,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_when_nothing_stands_there(cls, value: Any) -> Any:
        return {} if value is None else value


def _secret(value: Any) -> Any:
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _empty_when_nothing(value: Any) -> Any:
    return "" if value is None else value


def _nothing_when_empty(value: Any) -> Any:
    return None if value == "" else value


# An empty secret address means "not configured", as when a variable with an empty default fills it.
Secret = Annotated[
    SecretStr,
    BeforeValidator(_secret),
    PlainSerializer(lambda secret: MASK if secret else "", return_type=str),
]
Address = Annotated[Secret | None, BeforeValidator(_empty_when_nothing)]
# An empty token must not become one that lets everybody in.
OptionalSecret = Annotated[Secret | None, BeforeValidator(_nothing_when_empty)]
