"""YAML text into plain values, each with the line it stands on; bounded against hostile files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.config.mistake import Mistake, Path, Place, format_path
from bot.config.nodes import DEEPEST, ListNode, MappingNode, Node, Scalar, UnreadableError, compose, decode
from bot.config.variables import mask_secrets, substitute

_MOST_VALUES = 50_000  # after aliases are written out
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
        """A mistake at the place of a path, in words without secrets."""
        place = self.place(path, key=key)
        words = [None if text is None else mask_secrets(text, self.secrets) for text in (message, suggestion)]
        return Mistake(
            file=self.file,
            path=mask_secrets(format_path(path), self.secrets),
            line=place.line,
            column=place.column,
            message=words[0] or "",
            suggestion=words[1],
        )


def read_document(content: bytes, file: str, environ: Mapping[str, str]) -> Document:
    """The document in a file's bytes. Never raises: what is wrong is among its mistakes."""
    document = Document(file)
    try:
        root = compose(decode(content))
        if root is not None:
            document.values[()] = root.place
            document.data = _Reader(document, environ).value(root, ())
    except UnreadableError as problem:
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


class _Reader:
    """Writes nodes out as values: merges, aliases, variables, and the place of each."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document, self._environ, self._count = document, environ, 0

    def value(self, node: Node, path: Path) -> Any:
        self._spend(node, 1 + (len(node.text) // 50 if isinstance(node, Scalar) else 0), len(path))
        self._document.values[path] = node.place
        if isinstance(node, Scalar):
            return self._scalar(node, path)
        if isinstance(node, ListNode):
            out = []
            for index, item in enumerate(node.items):
                self._document.keys[(*path, index)] = item.place
                out.append(self.value(item, (*path, index)))
            return out
        return self._mapping(node, path)

    def _scalar(self, node: Scalar, path: Path) -> Any:
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

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        own: dict[str, Place] = {}
        merges: list[Node] = []
        for key, item in node.items:
            if not isinstance(key, Scalar):
                raise UnreadableError(
                    key.place, "a key must be a plain word", "quote the value if it begins with { or ["
                )
            if key.plain and key.text == "<<":
                merges += item.items if isinstance(item, ListNode) else [item]
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

    def _merge(self, node: Node, out: dict[str, Any], path: Path) -> None:
        if not isinstance(node, MappingNode):
            raise UnreadableError(
                node.place, "<< can only take in a mapping, such as *name of an anchored one"
            )
        for key, item in self._written_out(node, 0):
            if key.text not in out:
                self._document.keys[(*path, key.text)] = key.place
                out[key.text] = self.value(item, (*path, key.text))

    def _written_out(self, node: MappingNode, depth: int) -> Iterator[tuple[Scalar, Node]]:
        """The entries of a mapping that is merged in: its own, then those it merges in itself."""
        self._spend(node, 1, depth)
        inherited: list[Node] = []
        for key, item in node.items:
            if isinstance(key, Scalar) and key.plain and key.text == "<<":
                inherited += item.items if isinstance(item, ListNode) else [item]
            elif isinstance(key, Scalar):
                yield key, item
        for merged in inherited:
            if isinstance(merged, MappingNode):
                yield from self._written_out(merged, depth + 1)

    def _spend(self, node: Node, values: int, depth: int) -> None:
        self._count += values
        if self._count > _MOST_VALUES or depth > DEEPEST:
            raise UnreadableError(
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
