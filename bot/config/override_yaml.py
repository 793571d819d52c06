"""Values changed at run time as YAML to put back into the file, with what the file says beside them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from bot.config.mistake import Path
from bot.config.override_paths import Parts
from bot.config.overriding import Setting, changed, value_at
from bot.config.settings import Settings
from bot.config.variables import mask_secrets

_WIDE = 10_000


def file_value(base: Settings, parts: Parts) -> tuple[bool, Any]:
    """Whether the file says something at a path, and what, its secrets masked."""
    there, value = value_at(base.document.data, parts)
    return there, _masked(value, base)


def as_yaml(base: Settings, settings: Sequence[Setting]) -> str:
    """What to paste over the same keys of the file; empty when nothing is changed.

    A rule is written whole, since rules are a list and its entry is replaced. What is taken away is a comment.
    """
    if not settings:
        return ""
    lines = list(_sections(base, [each for each in settings if each.parts[0] != "alerts"]))
    lines += _rules(base, [each for each in settings if each.parts[0] == "alerts"])
    return mask_secrets("\n".join(lines) + "\n", base.document.secrets)


def shown(value: Any) -> str:
    """A value on one line, as YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, width=_WIDE, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").replace("\n", " ")


def _masked(value: Any, base: Settings) -> Any:
    if isinstance(value, str):
        return mask_secrets(value, base.document.secrets)
    if isinstance(value, dict):
        return {key: _masked(each, base) for key, each in value.items()}
    return [_masked(each, base) for each in value] if isinstance(value, list) else value


def _sections(base: Settings, settings: Sequence[Setting]) -> Iterator[str]:
    """Checks, jobs and defaults as nested mappings, each key once."""
    tree: dict[str, Any] = {}
    for each in settings:
        branch = tree
        for part in each.parts[:-1]:
            branch = branch.setdefault(part, {})
        branch[each.parts[-1]] = each
    yield from _branch(base, tree, 0)


def _branch(base: Settings, tree: Mapping[str, Any], depth: int) -> Iterator[str]:
    for key, item in tree.items():
        lead = "  " * depth
        if not isinstance(item, Setting):
            yield f"{lead}{shown(key)}:"
            yield from _branch(base, item, depth + 1)
        elif item.value is None:
            yield f"{lead}# remove {shown(key)}: {_beside(base, item.parts)}"
        else:
            yield f"{lead}{shown(key)}: {shown(item.value)}  # {_beside(base, item.parts)}"


def _beside(base: Settings, parts: Parts) -> str:
    there, value = file_value(base, parts)
    if not there:
        return "the file does not say"
    return f"the file says {shown(value)}, line {_line(base, parts)}"


def _line(base: Settings, parts: Parts) -> int:
    path: Path = parts
    if parts[0] == "alerts":
        rules = base.document.data.get("alerts") or []
        index = next(n for n, rule in enumerate(rules) if rule.get("name") == parts[1])
        path = ("alerts", index, *parts[2:])
    return base.document.place(path).line


def _rules(base: Settings, settings: Sequence[Setting]) -> Iterator[str]:
    if not settings:
        return
    data = changed(base, settings).document.data
    yield "alerts:"
    for name in dict.fromkeys(each.parts[1] for each in settings):
        of_it = [each for each in settings if each.parts[1] == name]
        there, rule = value_at(data, ("alerts", name))
        if not there:
            yield f"  # remove the rule {shown(name)}, line {_line(base, ('alerts', name))}"
            continue
        known, _ = value_at(base.document.data, ("alerts", name))
        place = f"instead of the entry on line {_line(base, ('alerts', name))}" if known else "a new entry"
        yield f"  # {place}"
        for each in of_it:
            if len(each.parts) > 2:
                yield f"  # {'.'.join(each.parts[2:])}: {_beside(base, each.parts)}"
        yield from _entry(copy.deepcopy(rule))


def _entry(rule: dict[str, Any]) -> Iterator[str]:
    ordered = {"name": rule.pop("name"), **rule}
    for number, (key, value) in enumerate(ordered.items()):
        yield f"  {'-' if number == 0 else ' '} {shown(key)}: {shown(value)}"


__all__ = ["as_yaml", "file_value", "shown"]
