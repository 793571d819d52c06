"""Mistakes between keys rather than in one; found in plain values, so that others do not hide them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.config.document import Document
from bot.config.mistake import Mistake, Path


def inconsistencies(document: Document) -> Iterator[Mistake]:
    """Every mistake between keys of a document whose top is a mapping."""
    yield from _schedules(document)
    yield from _one_of_each(document)
    yield from _silences(document)
    yield from _cycles(document, "people", _people_of, "stands for itself in the end")
    yield from _cycles(document, "checks", _depends_on, "depends on itself in the end")
    yield from _same_names(document)
    yield from _groups(document)
    yield from _rotations(document)
    yield from _pings(document)


def check_entries(data: Any, path: Path = ("checks",)) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every check in the plain values with its path, members of groups after their group."""
    for name, check in entries(data, "checks"):
        yield (*path, name), check
        if "checks" in check:
            yield from check_entries(check, (*path, name, "checks"))


def entries(data: Any, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The named mappings under a key, whatever else stands there."""
    section = data.get(key) if isinstance(data, dict) else None
    if isinstance(section, dict):
        yield from ((name, item) for name, item in section.items() if isinstance(item, dict))


def items(data: Any, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The mappings in the list under a key, with their positions."""
    section = data.get(key) if isinstance(data, dict) else None
    if isinstance(section, list):
        yield from ((index, item) for index, item in enumerate(section) if isinstance(item, dict))


def _schedules(document: Document) -> Iterator[Mistake]:
    for path, check in check_entries(document.data):
        yield from _at_most_one(document, path, check, ("every", "cron", "at"))
    for name, job in entries(document.data, "jobs"):
        yield from _at_most_one(document, ("jobs", name), job, ("schedule", "every"))


def _at_most_one(
    document: Document, path: Path, item: Mapping[str, Any], keys: tuple[str, ...]
) -> Iterator[Mistake]:
    found = [key for key in keys if key in item]
    for extra in found[1:]:
        yield document.mistake(
            (*path, extra),
            f'"{extra}" stands beside "{found[0]}"',
            f"keep one of {', '.join(keys)}",
            key=True,
        )


def _exactly_one(
    document: Document, path: Path, item: Mapping[str, Any], keys: tuple[str, ...]
) -> Iterator[Mistake]:
    yield from _at_most_one(document, path, item, keys)
    if not any(key in item for key in keys):
        yield document.mistake(path, f"one of {', '.join(keys)} is missing", key=True)


def _one_of_each(document: Document) -> Iterator[Mistake]:
    data = document.data
    for name, item in entries(data, "destinations"):
        yield from _exactly_one(document, ("destinations", name), item, ("url", "sentry", "webhook"))
        if name in {"slack", "digest"}:
            yield document.mistake(
                ("destinations", name), f'"{name}" is always there', "choose another name", key=True
            )
    for name, item in entries(data, "remedies"):
        yield from _exactly_one(document, ("remedies", name), item, ("command", "request"))
    for name, item in entries(data, "checklists"):
        yield from _exactly_one(document, ("checklists", name), item, ("at", "schedule"))
    for index, item in items(data, "checkins"):
        yield from _exactly_one(document, ("checkins", index), item, ("at", "schedule"))
    for index, item in items(data, "run_logs"):
        yield from _exactly_one(document, ("run_logs", index), item, ("path", "sql"))
        if "sql" in item and "query" not in item:
            yield document.mistake(
                ("run_logs", index), 'the key "query" is missing', "it gives the rows after :cursor", key=True
            )


def _silences(document: Document) -> Iterator[Mistake]:
    for index, silence in items(document.data, "silences"):
        path: Path = ("silences", index)
        yield from _exactly_one(document, path, silence, ("schedule", "at", "from"))
        if "from" in silence:
            yield from _exactly_one(document, path, silence, ("until", "for"))
        elif "for" not in silence:
            yield document.mistake(
                path, 'the key "for" is missing', "say how long it lasts, such as for: 2h", key=True
            )


def _people_of(entry: Any) -> list[Any]:
    return entry if isinstance(entry, list) else [entry]


def _depends_on(entry: Any) -> list[Any]:
    found = entry.get("depends_on") if isinstance(entry, dict) else None
    return found if isinstance(found, list) else [found]


def _cycles(document: Document, key: str, next_of: Any, what: str) -> Iterator[Mistake]:
    section = document.data.get(key)
    if not isinstance(section, dict):
        return
    graph = {
        name: [str(other).removeprefix("@") for other in next_of(entry) if isinstance(other, str)]
        for name, entry in section.items()
    }
    for name in graph:
        if circle := _way_back(name, graph):
            way = " → ".join([*circle, name])
            yield document.mistake(
                (key, name), f"{name} {what}: {way}"[:300], "remove one of the links", key=True
            )


def _way_back(start: str, graph: Mapping[str, list[str]]) -> list[str] | None:
    """The shortest way from a name back to itself."""
    ways: list[list[str]] = [[start]]
    seen: set[str] = set()
    for way in ways:
        for other in graph.get(way[-1], ()):
            if other == start:
                return way
            if other in graph and other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return None


def _same_names(document: Document) -> Iterator[Mistake]:
    data = document.data
    for key in ("alerts", "silences"):
        first: dict[str, int] = {}
        for index, item in items(data, key):
            name = item.get("name")
            if isinstance(name, str) and first.setdefault(name, index) != index:
                line = document.place((key, first[name], "name")).line
                yield document.mistake(
                    (key, index, "name"),
                    f"this name is already taken on line {line}",
                    "choose another",
                )
    taken: dict[str, Path] = {}
    for path, _ in [*check_entries(data), *(((("jobs", name), job)) for name, job in entries(data, "jobs"))]:
        name = str(path[-1])
        if path != ("jobs", "defaults") and taken.setdefault(name, path) != path:
            line = document.place(taken[name], key=True).line
            yield document.mistake(
                path, f"this name is already taken on line {line}", "choose another", key=True
            )


def _pings(document: Document) -> Iterator[Mistake]:
    """A ping address must lead to one job."""
    first: dict[str, str] = {}
    for name, job in entries(document.data, "jobs"):
        ping = job.get("ping")
        if isinstance(ping, str) and first.setdefault(ping.strip().lower(), name) != name:
            line = document.place(("jobs", first[ping.strip().lower()], "ping")).line
            yield document.mistake(
                ("jobs", name, "ping"),
                f"this is already the ping address of the job on line {line}",
                "give each job a UUID of its own; uuidgen makes one",
            )


def _groups(document: Document) -> Iterator[Mistake]:
    for path, check in check_entries(document.data):
        if check.get("type") == "group" and not check.get("checks"):
            yield document.mistake(path, "the group has no members", "name them under checks:", key=True)
        if "checks" in check and isinstance(check.get("type"), str) and check["type"] != "group":
            message = f'a check of type "{check["type"][:40]}" has no members'
            yield document.mistake((*path, "checks"), message, "only type: group has them", key=True)


def _rotations(document: Document) -> Iterator[Mistake]:
    people = document.data.get("people")
    for name, _ in entries(document.data, "oncall"):
        if name in ("here", "channel", "everyone"):
            yield document.mistake(
                ("oncall", name),
                f"@{name} is Slack's own word for everybody",
                "choose another name",
                key=True,
            )
        elif isinstance(people, dict) and name in people:
            line = document.place(("people", name), key=True).line
            yield document.mistake(
                ("oncall", name),
                f"this name already stands for a person on line {line}",
                "choose another",
                key=True,
            )
