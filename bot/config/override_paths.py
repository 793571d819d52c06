"""Which settings can be changed at run time, and the paths that lead to them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bot.config.acting import RuleSettings
from bot.config.advice import COMMON_FIELDS, all_checks
from bot.config.mistake import Path
from bot.config.probing import Alerting, CheckSettings, Defaults, JobSettings
from bot.config.settings import Settings
from bot.config.suggest import choices, closest, near_or_choices

Parts = tuple[str, ...]

_SHARED = frozenset(Alerting.model_fields) | {"dedupe", "expire", "tags", "anomaly", "forecast"}
_OF_CHECKS = _SHARED | {
    "failures", "recoveries", "condition", "states", "thresholds", "depends_on", "for", "flapping",
}  # fmt: skip
_OF_JOBS = _SHARED | {
    "grace", "timeout", "budget", "min_duration", "sla", "success_rate", "consecutive_failures", "throughput",
}  # fmt: skip


def _keys_of(model: type[Alerting]) -> frozenset[str]:
    return frozenset(info.alias or name for name, info in model.model_fields.items())


CHANGEABLE: Mapping[str, frozenset[str]] = {
    "checks": _OF_CHECKS & _keys_of(CheckSettings),
    "jobs": _OF_JOBS & _keys_of(JobSettings),
    "alerts": _keys_of(RuleSettings) - {"name"},
    "defaults": _keys_of(Defaults) - {"every", "timeout"},
}
"""What rules are made from. How a check looks, when, and at what, is the file's alone."""

_HOLDS_OTHERS = frozenset({"thresholds", "states", "sla", "success_rate", "throughput", "flapping"})
_NOT_WHOLE = frozenset({"thresholds", "states"})
_SECTION_OF = {"check": "checks", "job": "jobs", "rule": "alerts"}
_WHAT = {section: what for what, section in _SECTION_OF.items()}
_PLAIN = re.compile(r"[^\s.\"'\[\]{}#:,\\]+")
_PART = re.compile(r'"((?:[^"\\]|\\.)*)"|([^.\s"]+)')
_LONGEST = 300


class PathUnknown(Exception):
    """A path leads to nothing that can be changed; the message says what would."""


def format_parts(parts: Sequence[str]) -> str:
    """`checks.host.thresholds.cpu_percent`, `alerts."Job failed".severity`."""
    return ".".join(part if _PLAIN.fullmatch(part) else f'"{_quoted(part)}"' for part in parts)


def _quoted(part: str) -> str:
    return part.replace("\\", "\\\\").replace('"', '\\"')


def parse_parts(text: str) -> Parts:
    """The parts of a path as `format_parts` writes it. Raises PathUnknown."""
    parts, position = [], 0
    while len(text) <= _LONGEST and (found := _PART.match(text, position)) is not None:
        parts.append(re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else found[2])
        position = found.end()
        if position == len(text):
            return tuple(parts)
        if text[position] != ".":
            break
        position += 1
    raise PathUnknown(
        f'"{text[:80]}" is not a path; write one such as host.cpu_percent or alerts."Job failed".severity'
    )


def find_path(text: str, settings: Settings) -> Parts:
    """What a path means, in full: `host.cpu_percent` is `checks.host.thresholds.cpu_percent`.

    Raises PathUnknown, with the nearest name.
    """
    parts = parse_parts(_with_names_quoted(text.strip(), settings))
    section = _SECTION_OF.get(parts[0], parts[0])
    if section == "defaults" or (section in CHANGEABLE and len(parts) > 1):
        return _checked((section, *parts[1:]), settings)
    return _from_name(parts, settings)


def _with_names_quoted(text: str, settings: Settings) -> str:
    """The text with a name in it that holds a point or a space quoted."""
    awkward = [name for _, name in _known(settings) if not _PLAIN.fullmatch(name)]
    for name in sorted(awkward, key=len, reverse=True):
        for lead in ("", "checks.", "jobs.", "alerts.", "check.", "job.", "rule."):
            start = lead + name
            if text == start or text.startswith(start + "."):
                return f'{lead}"{_quoted(name)}"{text[len(start) :]}'
    return text


def _known(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every check, job and rule, with its section."""
    yield from (("checks", str(path[-1])) for path, _ in all_checks(settings))
    yield from (("jobs", name) for name in settings.jobs)
    yield from (("alerts", rule.name) for rule in settings.alerts)


def _from_name(parts: Parts, settings: Settings) -> Parts:
    """A path that begins with the name of a check, a job or a rule."""
    name, rest = parts[0], parts[1:]
    sections = dict.fromkeys(section for section, known in _known(settings) if known == name)
    if not sections:
        names = [known for _, known in _known(settings)]
        hint = closest(name, names) or choices(names)
        raise PathUnknown(f'there is no check, job or rule named "{name[:80]}"{_after(hint)}')
    wrong: PathUnknown | None = None
    for section in sections:
        try:
            return _checked((section, name, *rest), settings)
        except PathUnknown as error:
            wrong = wrong or error
    assert wrong is not None
    raise wrong


def _after(hint: str | None) -> str:
    return f"; {hint}" if hint else ""


def _checked(parts: Parts, settings: Settings) -> Parts:
    """The path in full, when it leads to a setting that can be changed at run time."""
    section = parts[0]
    if section == "checks":
        return _checked_check(parts, settings)
    if section == "defaults":
        return _checked_keys(parts[:1], parts[1:], section)
    name = parts[1]
    names = list(settings.jobs) if section == "jobs" else [rule.name for rule in settings.alerts]
    if section == "alerts" and len(parts) == 2:
        return parts  # a rule as a whole: a new one, one instead of the file's, or none
    if name not in names:
        raise _nobody(section, name, names)
    return _checked_keys(parts[:2], parts[2:], section)


def _checked_check(parts: Parts, settings: Settings) -> Parts:
    """Of a check, wherever it stands; a field of its own stands for the field's threshold."""
    found = {tuple(map(str, path)): check for path, check in all_checks(settings)}
    lead = next((path for path in sorted(found, key=len, reverse=True) if parts[: len(path)] == path), None)
    keys = parts[len(lead) :] if lead else parts[2:]
    if lead is None:
        lead = next((path for path in found if path[-1] == parts[1]), None)
    if lead is None:
        raise _nobody("checks", parts[1], [path[-1] for path in found])
    check = found[lead]
    if keys and keys[0] not in CHANGEABLE["checks"] and _is_field(keys[0], check):
        keys = ("thresholds", *keys)
    if keys[:1] == ("thresholds",) and len(keys) > 1:
        _check_field(keys[1], check)
    return _checked_keys(lead, keys, "checks", check)


def _is_field(word: str, check: CheckSettings) -> bool:
    """Whether a word is meant as a field rather than as a key that is misspelled or cannot be changed."""
    if word in _fields(check):
        return True
    if word in _keys_of(CheckSettings) or word in type(check.options).model_fields:
        return False
    return check.options.field_names() is None and closest(word, CHANGEABLE["checks"]) is None


def _check_field(word: str, check: CheckSettings) -> None:
    known = check.options.field_names()
    if known is not None and word not in known | COMMON_FIELDS | check.thresholds.keys():
        hint = near_or_choices(word, {*check.thresholds} or known)
        raise PathUnknown(
            f"a check of type {check.type} has no field {word[:80]}{_after(closest(word, known) or hint)}"
        )


def _fields(check: CheckSettings) -> frozenset[str]:
    return (check.options.field_names() or frozenset()) | check.thresholds.keys()


def _nobody(section: str, name: str, known: Sequence[str]) -> PathUnknown:
    return PathUnknown(
        f'there is no {_WHAT[section]} named "{name[:80]}"{_after(near_or_choices(name, known))}'
    )


def _checked_keys(lead: Path, keys: Parts, section: str, check: CheckSettings | None = None) -> Parts:
    """The path, when its keys name one value that can be changed."""
    begin, allowed = tuple(map(str, lead)), CHANGEABLE[section]
    if not keys or (keys[0] in _NOT_WHOLE and len(keys) == 1):
        example = "cpu_percent" if keys == ("thresholds",) else "critical" if keys else "severity"
        raise PathUnknown(
            f"{format_parts((*begin, *keys))} is not one value; add what is meant, such as .{example}"
        )
    key = keys[0]
    if key not in allowed:
        raise PathUnknown(_refusal(key, allowed, check))
    if len(keys) > (2 if key in _HOLDS_OTHERS else 1):
        raise PathUnknown(f"nothing can be named below {format_parts((*begin, *keys[:-1]))}")
    return (*begin, *keys)


def _refusal(key: str, allowed: frozenset[str], check: CheckSettings | None) -> str:
    in_file = _keys_of(CheckSettings) | _keys_of(JobSettings)
    if check is not None:
        in_file |= type(check.options).model_fields.keys()
    listed = f"what can be changed here: {', '.join(sorted(allowed))}"
    if key in in_file:
        return f'"{key[:80]}" can only be changed in the file; {listed}'
    near = closest(key, allowed | (_fields(check) if check is not None else frozenset()))
    return f'"{key[:80]}" is nothing that can be changed at run time; {near or listed}'
