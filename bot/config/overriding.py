"""The file's settings with values changed at run time: parsed again as a whole, refused with the same words."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.config.advice import warnings
from bot.config.document import read_document
from bot.config.loader import settings_of
from bot.config.mistake import ConfigInvalid, Mistake
from bot.config.override_paths import Parts, format_parts
from bot.config.settings import Settings

_ABSENT: Any = object()
_MOST_VALUE = 4000


class Unfit(Exception):
    """A value does not fit where it is to stand; the message says why and what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A path and the value that is to stand there. None takes away what the file says."""

    parts: Parts
    value: Any

    @property
    def path(self) -> str:
        return format_parts(self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """Settings with what could be changed; why the rest was not, by path."""

    settings: Settings
    refused: Mapping[str, str]


def parse_value(text: str) -> Any:
    """What a value means in YAML; `P1=95 P2=80` is a mapping. Raises Unfit."""
    if len(text) > _MOST_VALUE:
        raise Unfit(f"the value is too long; {_MOST_VALUE} characters are the most")
    pairs = [word.partition("=") for word in text.split()]
    if pairs and all(key.isalnum() and equals and value for key, equals, value in pairs):
        text = "{" + ", ".join(f"{key}: {value}" for key, _, value in pairs) + "}"
    document = read_document(_as_entry(text).encode(), "", {})
    if document.mistakes or not isinstance(document.data, dict) or set(document.data) != {"value"}:
        found = document.mistakes[0].message if document.mistakes else "it is more than one value"
        raise Unfit(f"the value cannot be read: {found}")
    return document.data["value"]


def _as_entry(text: str) -> str:
    """The text as a value of YAML. A text such as `< 10`, `@oncall` or `#alerts` needs no quotes."""
    plain = read_document(f"value: {text}".encode(), "", {})
    if not plain.mistakes and isinstance(plain.data, dict):
        value = plain.data.get("value")
        is_flow = text.startswith(("{", "[", '"', "'"))
        if is_flow or value == text or isinstance(value, int | float) or text in ("", "~", "null"):
            return f"value: {text}"
    escaped = text.replace("'", "''")
    return f"value: '{escaped}'"


def value_at(data: Any, parts: Parts) -> tuple[bool, Any]:
    """Whether something stands at a path of the parsed file, and what."""
    for number, part in enumerate(parts):
        if number == 1 and parts[0] == "alerts":
            data = next(
                (rule for rule in data if isinstance(rule, dict) and rule.get("name") == part), _ABSENT
            )
        else:
            data = data.get(part, _ABSENT) if isinstance(data, dict) else _ABSENT
        if data is _ABSENT:
            return False, None
    return True, copy.deepcopy(data)


def changed(base: Settings, settings: Sequence[Setting]) -> Settings:
    """The file's settings with all of these values. Raises Unfit for the first that does not fit."""
    if not settings:
        return base
    data = copy.deepcopy(base.document.data)
    for setting in settings:
        _put(data, setting)
    document = replace(base.document, data=data, mistakes=[])
    try:
        return settings_of(document)
    except ConfigInvalid as error:
        raise Unfit(_words(error.mistakes, settings)) from None


def applied(base: Settings, settings: Sequence[Setting]) -> Applied:
    """As many of the values as fit, in their order, and why the others do not. Never raises."""
    try:
        return Applied(settings=changed(base, settings), refused={})
    except Unfit:
        pass
    kept: list[Setting] = []
    refused: dict[str, str] = {}
    for setting in settings:
        try:
            changed(base, [*kept, setting])
            kept.append(setting)
        except Unfit as error:
            refused[setting.path] = str(error)
    return Applied(settings=changed(base, kept), refused=refused)


def new_warnings(before: Settings, after: Settings) -> list[str]:
    """What loads and is probably not meant, since a change."""
    known = {(each.path, each.message) for each in warnings(before)}
    return [_sentence(each) for each in warnings(after) if (each.path, each.message) not in known]


def _words(mistakes: Iterable[Mistake], settings: Sequence[Setting]) -> str:
    found = list(dict.fromkeys(_sentence(each) for each in mistakes))
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return found[0] + more if found else f"{settings[-1].path} does not fit"


def _sentence(mistake: Mistake) -> str:
    where = f"{mistake.path}: " if mistake.path else ""
    return f"{where}{mistake.message}" + (f"; {mistake.suggestion}" if mistake.suggestion else "")


def _put(data: dict[str, Any], setting: Setting) -> None:
    """Let the value stand at its path. Raises Unfit when the file has nothing there to change."""
    parts, value = setting.parts, copy.deepcopy(setting.value)
    if parts[0] == "alerts":
        _put_rule(data, parts, value)
        return
    holder: Any = data.setdefault("defaults", {}) if parts[0] == "defaults" else data.get(parts[0])
    ahead = parts[1:]
    depth = 0 if parts[0] == "defaults" else _depth(ahead)
    for part in ahead[:depth]:
        if not isinstance(holder, dict) or part not in holder:
            raise Unfit(f'the file has no "{part}" any more, so {setting.path} leads nowhere')
        if holder[part] is None:
            holder[part] = {}
        holder = holder[part]
    _put_below(holder, ahead[depth:], value, setting.path)


def _depth(parts: Parts) -> int:
    """How many parts lead to the entry itself: a name, or the names of groups and of a member."""
    depth = 1
    while parts[depth : depth + 1] == ("checks",) and len(parts) > depth + 2:
        depth += 2
    return depth


def _put_below(holder: Any, keys: Parts, value: Any, path: str) -> None:
    for key in keys[:-1]:
        if not isinstance(holder, dict):
            break
        if not isinstance(holder.get(key), dict):
            holder[key] = {}
        holder = holder[key]
    if not isinstance(holder, dict):
        raise Unfit(f"the file has no place for {path}")
    if value is None:
        holder.pop(keys[-1], None)
    else:
        holder[keys[-1]] = value


def _put_rule(data: dict[str, Any], parts: Parts, value: Any) -> None:
    """A key of a rule, or a rule as a whole: instead of the file's, after them all, or none."""
    rules = data.get("alerts")
    rules = data["alerts"] = list(rules) if isinstance(rules, list) else []
    at = next(
        (n for n, rule in enumerate(rules) if isinstance(rule, dict) and rule.get("name") == parts[1]), None
    )
    if len(parts) > 2:
        if at is None:
            raise Unfit(f'there is no rule "{parts[1]}" any more, so {format_parts(parts)} leads nowhere')
        _put_below(rules[at], parts[2:], value, format_parts(parts))
    elif value is None:
        if at is None:
            raise Unfit(f'there is no rule "{parts[1]}" to switch off')
        del rules[at]
    elif not isinstance(value, dict):
        raise Unfit('a rule is written as {condition: "cpu_percent > 90", severity: P2}; off switches it off')
    else:
        whole = {**value, "name": parts[1]}
        rules[at if at is not None else len(rules) : (at + 1) if at is not None else len(rules)] = [whole]


__all__ = ["Applied", "Setting", "Unfit", "applied", "changed", "new_warnings", "parse_value", "value_at"]
