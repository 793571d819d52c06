"""YAML text into a tree of nodes, each with its place; bounded against hostile files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from bot.config.mistake import Place
from bot.config.syntax import explain_syntax

LARGEST = 524_288  # bytes; reading them takes seconds, and real files have five thousand
DEEPEST = 40
_STR_TAGS = {None, "!", "tag:yaml.org,2002:str"}
_SURROGATE = re.compile("[\ud800-\udfff]")


class UnreadableError(Exception):
    """The text cannot be understood any further."""

    def __init__(self, place: Place, message: str, suggestion: str | None = None) -> None:
        self.place, self.message, self.suggestion = place, message, suggestion


@dataclass(slots=True)
class Scalar:
    place: Place
    text: str
    plain: bool


@dataclass(slots=True)
class ListNode:
    place: Place
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class MappingNode:
    place: Place
    items: list[tuple[Node, Node]] = field(default_factory=list)


Node = Scalar | ListNode | MappingNode


def decode(content: bytes) -> str:
    if len(content) > LARGEST:
        raise UnreadableError(
            Place(1, 1), f"the file has {len(content)} bytes; {LARGEST} is the most that is read"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableError(Place(line, 1), "this is not UTF-8 text", "save the file as UTF-8") from None


def compose(text: str) -> Node | None:
    """The tree in the text. Built from events rather than by PyYAML's composer, which recurses."""
    try:
        return _Composer().compose(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        raise UnreadableError(*explain_syntax(error, text)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"the character U+{ord(text[error.position]):04X} cannot stand in YAML"
        raise UnreadableError(Place(line, 1), what, "remove it") from None
    except (ValueError, OverflowError):  # an escape such as "\UFFFFFFFF" that is no character
        raise UnreadableError(Place(1, 1), "the file holds an escape that is no character") from None


class _Composer:
    def __init__(self) -> None:
        self._anchors: dict[str, Node] = {}
        self._open: list[tuple[ListNode | MappingNode, str | None]] = []
        self._pending: list[Node | None] = []  # for each open mapping, the key that waits for its value
        self._root: Node | None = None
        self._documents = 0

    def compose(self, events: Iterator[yaml.Event]) -> Node | None:
        for event in events:
            self._take(event)
        return self._root

    def _take(self, event: yaml.Event) -> None:
        mark = event.start_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise UnreadableError(place, "a second document begins here", 'remove the line "---"')
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise UnreadableError(
                    place, f"*{event.anchor} refers to nothing before it", "quote it if a plain text is meant"
                )
            self._add(self._anchors[event.anchor], None)
        elif isinstance(event, yaml.ScalarEvent):
            _refuse_tag(event.tag, place)
            if _SURROGATE.search(event.value):
                raise UnreadableError(place, "the text holds an escape that is no character")
            plain = event.style is None and event.tag is None
            self._add(Scalar(place, event.value, plain), event.anchor)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            _refuse_tag(event.tag, place)
            if len(self._open) >= DEEPEST:
                raise UnreadableError(place, f"this is nested more than {DEEPEST} levels deep")
            node = ListNode(place) if isinstance(event, yaml.SequenceStartEvent) else MappingNode(place)
            self._open.append((node, event.anchor))
            self._pending.append(None)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._pending.pop()
            self._add(*self._open.pop())

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self._root = node
            return
        parent = self._open[-1][0]
        if isinstance(parent, ListNode):
            parent.items.append(node)
        elif (key := self._pending[-1]) is None:
            self._pending[-1] = node
        else:
            parent.items.append((key, node))
            self._pending[-1] = None


def _refuse_tag(tag: str | None, place: Place) -> None:
    if tag not in _STR_TAGS:
        shown = str(tag).replace("tag:yaml.org,2002:", "!!")
        raise UnreadableError(place, f"the tag {shown[:60]} has no meaning here", "write the plain value")
