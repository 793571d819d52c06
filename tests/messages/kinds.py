"""A kind of message, and the samples of outside words and numbers that every kind is rendered with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.blocks.message import Message

T = TypeVar("T")
Window = dict[str, Any]
"""A modal or App Home as views.open and views.publish take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What comes from outside. `words` stands for every such text, `most` for how many there are of what can be
    many, `figure` for every number; each None leaves what is usual.
    """

    name: str
    words: str | None = None
    most: int | None = None
    figure: float | None = None

    def text(self, usual: str) -> str:
        return usual if self.words is None else self.words

    def number(self, usual: float) -> float:
        return usual if self.figure is None else float(self.figure)

    def count(self, usual: int) -> int:
        return int(self.number(usual))

    def many(self, usual: int, make: Callable[[int], T]) -> list[T]:
        """As many as there are, each made of its number from 1."""
        return [make(number) for number in range(1, (usual if self.most is None else self.most) + 1)]


USUAL = Sample(name="usual")

HOSTILE_HTML = "<script>alert(1)</script> <b>bold</b> &amp; &lt; <img src=x onerror=alert(1)> <!-- gone -->"
HOSTILE_MARKS = (
    "<!channel> <!here|x> <@U0VICTIM> <#C0ROOM> <https://evil.example|ok> `a` ```b``` *c* ~d~ _e_ >f"
)
EXTREMES: Sequence[Sample] = (
    Sample(name="longest names", words="n" * 300, most=50, figure=9_999_999),
    Sample(name="fifty mounts", words="/mnt/" + "volume-of-the-archive/" * 13, most=50),
    Sample(name="zero data", words="", most=0, figure=0),
    Sample(name="one of everything", words="x", most=1, figure=1),
    Sample(name="newline only", words="\n", most=2),
    Sample(name="right to left", words="\u202eخادم الدفع متوقف עברית\u202c " * 10, most=5),
    Sample(name="emoji", words="👨‍👩‍👧🏳️‍🌈:red_circle::x: é́́" * 12, most=5),
    Sample(name="html", words=HOSTILE_HTML * 3, most=5),
    Sample(name="marks of Slack", words=HOSTILE_MARKS * 3, most=50),
    Sample(name="ampersands", words="&" * 300, most=50),
    Sample(name="huge counts", words="CPU", most=500, figure=10**15),
    Sample(name="ten thousand letters", words="word " * 2000, most=30, figure=-1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of message. `of` are the functions that render it; `says` is what its top-level text must hold.

    `large`: also photographed dark and on a phone.
    """

    name: str
    seen: str
    render: Callable[[Sample], Message | Window]
    of: tuple[Callable[..., Any], ...]
    says: tuple[str, ...] = ()
    large: bool = False
    group: str = ""


CATALOGUE: dict[str, Kind] = {}


def kind(
    name: str,
    seen: str,
    *of: Callable[..., Any],
    says: Sequence[str] = (),
    large: bool = False,
) -> Callable[[Callable[[Sample], Message | Window]], Callable[[Sample], Message | Window]]:
    """Enter a kind: its name, when it is seen in a sentence, and the functions of the program that it shows."""

    def enter(render: Callable[[Sample], Message | Window]) -> Callable[[Sample], Message | Window]:
        assert name not in CATALOGUE, f"two kinds are called {name}"
        group = render.__module__.rpartition(".")[2]
        CATALOGUE[name] = Kind(
            name=name, seen=seen, render=render, of=of, says=tuple(says), large=large, group=group
        )
        return render

    return enter
