"""docs/configuration.md, written from the models: every key with what it takes, its default and its meaning."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot.config import duty, moments, references, scalars
from bot.config.explain import arms_of
from bot.config.probing import Anomaly, CheckSettings, Thresholds
from bot.config.section import Section
from bot.config.settings import Settings
from bot.domain.severity import Severity
from checks.kinds import kinds, options_of
from checks.options import CheckOptions, Duration, format_duration

_INTRODUCTION = """# Configuration

<!-- Written by `python -m bot.config.reference`; change the models in bot/config instead. -->

Tocsin reads one file, `tocsin.yml`. Everything has a default but the Slack tokens, which may also come from
`SLACK_BOT_TOKEN` and `SLACK_APP_TOKEN`: with an empty file it watches the host it runs on. The files in
`examples/` are whole ones to begin from. `tocsin validate` tells every mistake with its line.

```yaml
name: Shop
slack:
  channel: "#alerts"                # a # begins a comment, so names of channels are quoted
people:
  oncall: U0123ABCD                 # a Slack user (U…) or user group (S…)
checks:
  website:
    type: http
    url: https://shop.example.com/
    every: 1m
    thresholds: {response_time_ms: {P2: 1000, P1: 5000}}
    mention: "@oncall"
```

## How values are written

| | |
|---|---|
| variables | `${NAME}` and `${NAME:-default}` are filled in from the environment, in quotes or without; `$$` is a dollar sign. Inside `{ }` and `[ ]` quote them. What they hold is never printed when it looks secret. |
| durations | `30s`, `5m`, `1h30m`, `7d` |
| times of day | `"07:30"`, in the zone of the file; parts of the day `"22:00-06:00"` |
| schedules | five fields of cron: `"30 7 * * 1"` is 07:30 each Monday; quote those that begin with `*` |
| shares | `95%` or `0.95` |
| conditions | [CEL](https://cel.dev) over fields: `cpu_percent > 90.0 && check != 'build'`. `previous.x`, `baseline.x` and `change.x` are the last value, the usual one and the change. Numbers that are calculated with need a point: `2.0 * baseline.x`. |
| conditions over an alert | in routes, silences and remedies: `severity` (`critical`, `high`, `medium`, `low`), `category`, `check`, `job`, `rule`, `resource`, `tags`, `title`, `count`, and the fields last reported |
| severities | `critical` (P1), `high` (P2, ERROR), `medium` (P3, WARNING), `low` (P4) |
| texts with fields | `"{check} took {response_time_ms:.0f} ms"`; `{{` for a brace |
| sources of figures | a check or a job, a point and the field: `website.response_time_ms` |
| your own | keys at the top that begin with `x-` are left alone: a place for YAML anchors, taken in with `<<: *name` |
"""  # noqa: E501  (a row of a table is one line)

_WORDS = {
    Duration: "duration",
    moments.Cron: "schedule",
    moments.TimeOfDay: "time of day",
    moments.TimesOfDay: "time of day, or list",
    moments.Window: "part of the day",
    moments.Zone: "time zone",
    moments.HandoverTime: "hand-over",
    moments.Weekdays: "days, or list",
    duty.Day: "date",
    scalars.SeverityWord: "severity",
    scalars.Share: "share",
    scalars.LimitText: "limit",
    scalars.TargetText: "target",
    scalars.StatText: "figure",
    scalars.Stats: "figure, or list",
    scalars.Bind: "host:port",
    scalars.FieldText: "source.field",
    scalars.Size: "size",
    scalars.Template: "text with fields",
    scalars.NumberFormat: "number format",
    references.Person: "person",
    references.People: "people",
    references.Mention: "people",
    references.Channel: "channel",
    references.Destinations: "destinations",
    references.Checks: "checks",
    references.Escalation: "escalation",
    references.Texts: "list of texts",
    references.Condition: "condition",
    references.Expression: "expression",
    references.Instant: "date and time",
    Thresholds: "threshold",
    Anomaly: "true, false or fields",
}
_PLAIN = {
    str: "text", int: "whole number", float: "number", bool: "true or false", UUID: "UUID",
    SecretStr: "secret text", timedelta: "duration", Any: "anything", type(None): "nothing",
}  # fmt: skip


def render() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, *_sections(Settings, "", set()), *_kinds()]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _sections(model: type[BaseModel], path: str, seen: set[type[BaseModel]]) -> Iterator[str]:
    title = f"## `{path}`" if path else "## The file"
    yield f"{title}\n\n{said(model)}\n{table(model)}"
    seen.add(model)
    for name, info in model.model_fields.items():
        for inner, step in _models(info.annotation):
            key = f"{path}.{info.alias or name}".lstrip(".") + step
            if inner not in seen and not issubclass(inner, CheckOptions):
                yield from _sections(inner, key, seen)


def _kinds() -> Iterator[str]:
    yield "## Kinds of checks\n\nThe keys below stand beside those of every check, under `checks.NAME`."
    for kind in kinds():
        model = options_of(kind)
        yield f"### `type: {kind}`\n\n{said(model)}\n{table(model)}"
        for inner, key in inner_models(model, ""):
            yield f"#### `{key}` of `type: {kind}`\n\n{said(inner)}\n{table(inner)}"


def inner_models(model: type[BaseModel], path: str) -> Iterator[tuple[type[BaseModel], str]]:
    for name, info in model.model_fields.items():
        for inner, step in _models(info.annotation):
            key = f"{path}.{info.alias or name}".lstrip(".") + step
            yield inner, key
            yield from inner_models(inner, key)


def said(model: type[BaseModel]) -> str:
    text = " ".join((model.__doc__ or "").split()) if "__doc__" in vars(model) else ""
    return text + "\n"


def table(model: type[BaseModel]) -> str:
    fields = [
        (info.alias or name, info)
        for name, info in sorted(model.model_fields.items(), key=lambda field: not field[1].is_required())
        if not (model is CheckSettings and name == "options")
    ]
    if not fields:
        return "It has no keys of its own."
    heads = ["key", "takes", "default", "meaning"]
    rows = [[f"`{key}`", _word(info), _default(info), _cell(info.description or "")] for key, info in fields]
    if not any(row[-1] for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows])


def _word(info: FieldInfo) -> str:
    words = _named(info.annotation, info.metadata)
    return _cell(words)


def _named(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    for alias, word in _WORDS.items():
        base, *marks = get_args(alias)
        if base == annotation and marks and all(mark in metadata for mark in marks):
            return word
    return _of_parts(annotation)


def _of_parts(annotation: Any) -> str:
    for alias, word in _WORDS.items():
        if alias == annotation:
            return word
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _named(arguments[0], arguments[1:])
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"{_named(arguments[1])} by name"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"list of {_named(arguments[0])}"
    if origin is not None:
        words = [_of_parts(each) for each in arguments if each is not type(None)]
        return " or ".join(dict.fromkeys(words))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "keys" if issubclass(annotation, Section) else "keys of its own"
    return _PLAIN.get(annotation, "value")


def _models(annotation: Any) -> Iterator[tuple[type[BaseModel], str]]:
    """The models a value may hold, with what stands between its key and theirs."""
    for arm in arms_of(annotation):
        origin, arguments = get_origin(arm), get_args(arm)
        if isinstance(arm, type) and issubclass(arm, BaseModel):
            yield arm, ""
        elif isinstance(origin, type) and issubclass(origin, Mapping):
            yield from ((model, f".NAME{step}") for model, step in _models(arguments[1]))
        elif isinstance(origin, type) and issubclass(origin, Sequence):
            yield from ((model, f"[]{step}") for model, step in _models(arguments[0]))


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "**needed**"
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined or value in ((), {}, frozenset()):
        return "–"
    if isinstance(value, BaseModel):
        return "as below"
    return _cell(f"`{_plain(value)}`")


def _plain(value: Any) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Severity):
        return value.word
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if hasattr(value, "strftime"):
        return f'"{value:%H:%M}"'
    if isinstance(value, tuple):
        return ", ".join(_plain(item) for item in value)
    return str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(render())
