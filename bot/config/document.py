"""YAML text into plain values, each with the line it stands on; bounded against hostile files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from bot.config.mistake import Mistake, Path, Place, format_path
from bot.config.syntax import explain_syntax
from bot.config.variables import substitute

LARGEST = 524_288  # bytes; reading them takes seconds, and real files have five thousand
_DEEPEST = 40
_MOST_VALUES = 50_000  # after aliases are written out
_STR_TAGS = {None, "!", "tag:yaml.org,2002:str"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,30})")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = dict.fromkeys(("", "~", "null", "Null", "NULL")) | {
    "true": True,
    "True": True,
    "TRUE": True,
}
_WORDS |= {"false": False, "False": False, "FALSE": False}


@dataclass(slots=True)
class Document:
    """What the file says: plain values, and the place of every key and every value by path."""

    file: str
    data: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    unresolved: set[Path] = field(default_factory=set)
    secret_paths: dict[Path, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """The place of the value (or the key) at a path, or of the nearest thing that contains it."""
        first, second = (self.keys, self.values) if key else (self.values, self.keys)
        for length in range(len(path), -1, -1):
            if place := first.get(path[:length]) or second.get(path[:length]):
                return place
            first = self.keys
        return Place(1, 1)

    def mistake(
        self, path: Path, message: str, suggestion: str | None = None, *, key: bool = False
    ) -> Mistake:
        """A mistake at the place of a path."""
        place = self.place(path, key=key)
        return Mistake(
            file=self.file, path=format_path(path), line=place.line, column=place.column,
            message=message, suggestion=suggestion,
        )  # fmt: skip


class _UnreadableError(Exception):
    """The text cannot be understood any further."""

    def __init__(self, place: Place, message: str, suggestion: str | None = None) -> None:
        self.place, self.message, self.suggestion = place, message, suggestion


@dataclass(slots=True)
class _Scalar:
    place: Place
    text: str
    plain: bool


@dataclass(slots=True)
class _List:
    place: Place
    items: list[_Node] = field(default_factory=list)


@dataclass(slots=True)
class _Mapping:
    place: Place
    items: list[tuple[_Node, _Node]] = field(default_factory=list)


_Node = _Scalar | _List | _Mapping


def read_document(content: bytes, file: str, environ: Mapping[str, str]) -> Document:
    """The document in a file's bytes. Never raises: what is wrong is among its mistakes."""
    document = Document(file)
    try:
        root = _compose(_decode(content))
        if root is not None:
            document.values[()] = root.place
            document.data = _Reader(document, environ).value(root, ())
    except _UnreadableError as problem:
        document.data = None
        document.mistakes.append(
            Mistake(
                file=file,
                path="",
                line=problem.place.line,
                column=problem.place.column,
                message=problem.message,
                suggestion=problem.suggestion,
            )
        )
    if isinstance(document.data, dict):
        document.data = {key: value for key, value in document.data.items() if not key.startswith("x-")}
    return document


def _decode(content: bytes) -> str:
    if len(content) > LARGEST:
        raise _UnreadableError(
            Place(1, 1), f"the file has {len(content)} bytes; {LARGEST} is the most that is read"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _UnreadableError(Place(line, 1), "this is not UTF-8 text", "save the file as UTF-8") from None


def _compose(text: str) -> _Node | None:
    """The tree in the text. Built from events rather than by PyYAML's composer, which recurses."""
    try:
        return _Composer().compose(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        raise _UnreadableError(*explain_syntax(error, text)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"the character U+{ord(text[error.position]):04X} cannot stand in YAML"
        raise _UnreadableError(Place(line, 1), what, "remove it") from None
    except (ValueError, OverflowError):  # an escape such as "\UFFFFFFFF" that is no character
        raise _UnreadableError(Place(1, 1), "the file holds an escape that is no character") from None


class _Composer:
    def __init__(self) -> None:
        self._anchors: dict[str, _Node] = {}
        self._open: list[tuple[_List | _Mapping, str | None]] = []
        self._pending: list[_Node | None] = []  # for each open mapping, the key that waits for its value
        self._root: _Node | None = None
        self._documents = 0

    def compose(self, events: Iterator[yaml.Event]) -> _Node | None:
        for event in events:
            self._take(event)
        return self._root

    def _take(self, event: yaml.Event) -> None:
        mark = event.start_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _UnreadableError(place, "a second document begins here", 'remove the line "---"')
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _UnreadableError(
                    place, f"*{event.anchor} refers to nothing before it", "quote it if a plain text is meant"
                )
            self._add(self._anchors[event.anchor], None)
        elif isinstance(event, yaml.ScalarEvent):
            _refuse_tag(event.tag, place)
            if _SURROGATE.search(event.value):
                raise _UnreadableError(place, "the text holds an escape that is no character")
            plain = event.style is None and event.tag is None
            self._add(_Scalar(place, event.value, plain), event.anchor)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            _refuse_tag(event.tag, place)
            if len(self._open) >= _DEEPEST:
                raise _UnreadableError(place, f"this is nested more than {_DEEPEST} levels deep")
            node = _List(place) if isinstance(event, yaml.SequenceStartEvent) else _Mapping(place)
            self._open.append((node, event.anchor))
            self._pending.append(None)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._pending.pop()
            self._add(*self._open.pop())

    def _add(self, node: _Node, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self._root = node
            return
        parent = self._open[-1][0]
        if isinstance(parent, _List):
            parent.items.append(node)
        elif (key := self._pending[-1]) is None:
            self._pending[-1] = node
        else:
            parent.items.append((key, node))
            self._pending[-1] = None


def _refuse_tag(tag: str | None, place: Place) -> None:
    if tag not in _STR_TAGS:
        shown = str(tag).replace("tag:yaml.org,2002:", "!!")
        raise _UnreadableError(place, f"the tag {shown[:60]} has no meaning here", "write the plain value")


class _Reader:
    """Writes nodes out as values: merges, aliases, variables, and the place of each."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document, self._environ, self._count = document, environ, 0

    def value(self, node: _Node, path: Path) -> Any:
        self._spend(node, 1 + (len(node.text) // 200 if isinstance(node, _Scalar) else 0), len(path))
        self._document.values[path] = node.place
        if isinstance(node, _Scalar):
            return self._scalar(node, path)
        if isinstance(node, _List):
            out = []
            for index, item in enumerate(node.items):
                self._document.keys[(*path, index)] = item.place
                out.append(self.value(item, (*path, index)))
            return out
        return self._mapping(node, path)

    def _scalar(self, node: _Scalar, path: Path) -> Any:
        document = self._document
        if "$" not in node.text or (path and isinstance(path[0], str) and path[0].startswith("x-")):
            return resolve(node.text) if node.plain else node.text
        found = substitute(node.text, self._environ)
        for name in found.missing:
            hint = f"set it, or write ${{{name}:-a default}}"
            document.mistakes.append(document.mistake(path, f"the variable {name} is not set", hint))
            document.unresolved.add(path)
        for name, value in found.secrets.items():
            document.secret_paths[path] = name
            document.secrets.add(value)
        if not node.plain:
            return found.text
        value = resolve(found.text)
        # A password such as 1e5 must stay what it is: numbers only when they would print the same.
        return (
            value
            if not found.used or isinstance(value, bool | None) or str(value) == found.text
            else found.text
        )

    def _mapping(self, node: _Mapping, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        own: dict[str, Place] = {}
        merges: list[_Node] = []
        for key, item in node.items:
            if not isinstance(key, _Scalar):
                raise _UnreadableError(
                    key.place, "a key must be a plain word", "quote the value if it begins with { or ["
                )
            if key.plain and key.text == "<<":
                merges += item.items if isinstance(item, _List) else [item]
                continue
            if key.text in own:
                self._duplicate((*path, key.text), own[key.text], key.place)
                continue
            own[key.text] = key.place
            self._document.keys[(*path, key.text)] = key.place
            out[key.text] = self.value(item, (*path, key.text))
        for merged in merges:
            self._merge(merged, out, path)
        return out

    def _merge(self, node: _Node, out: dict[str, Any], path: Path) -> None:
        if not isinstance(node, _Mapping):
            raise _UnreadableError(
                node.place, "<< can only take in a mapping, such as *name of an anchored one"
            )
        for key, item in self._written_out(node, 0):
            if key.text not in out:
                self._document.keys[(*path, key.text)] = key.place
                out[key.text] = self.value(item, (*path, key.text))

    def _written_out(self, node: _Mapping, depth: int) -> Iterator[tuple[_Scalar, _Node]]:
        """The entries of a mapping that is merged in: its own, then those it merges in itself."""
        self._spend(node, 1, depth)
        inherited: list[_Node] = []
        for key, item in node.items:
            if isinstance(key, _Scalar) and key.plain and key.text == "<<":
                inherited += item.items if isinstance(item, _List) else [item]
            elif isinstance(key, _Scalar):
                yield key, item
        for merged in inherited:
            if isinstance(merged, _Mapping):
                yield from self._written_out(merged, depth + 1)

    def _spend(self, node: _Node, values: int, depth: int) -> None:
        self._count += values
        if self._count > _MOST_VALUES or depth > _DEEPEST:
            raise _UnreadableError(
                node.place, f"with its aliases written out the file holds over {_MOST_VALUES} values"
            )

    def _duplicate(self, path: Path, first: Place, second: Place) -> None:
        document = self._document
        document.mistakes.append(
            Mistake(
                file=document.file,
                path=format_path(path),
                line=second.line,
                column=second.column,
                message=f"this key was already written on line {first.line}",
                suggestion="keep one of them",
            )
        )


def resolve(text: str) -> Any:
    """What an unquoted text means in YAML 1.2's core schema, so that 11:45 and `no` stay texts."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and not text.isdigit() and len(text) < 40:
        return float(text)
    return text
