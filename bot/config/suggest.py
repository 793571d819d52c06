"""What somebody probably meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, known: Iterable[str]) -> str | None:
    """`did you mean "every"?`, or None when nothing is near."""
    by_folded = {_fold(name): name for name in sorted(known)}
    near = get_close_matches(_fold(word), by_folded, n=1, cutoff=0.6)
    return f'did you mean "{by_folded[near[0]]}"?' if near else None


def choices(known: Iterable[str], most: int = 12) -> str | None:
    """`there are: a, b, c`, or None when there are none or too many to read."""
    names = sorted(known)
    if len(names) == 1:
        return f"there is only {names[0]}"
    return f"there are {', '.join(names)}" if 0 < len(names) <= most else None


def near_or_choices(word: str, known: Iterable[str]) -> str | None:
    """The nearest name, else all of them while they are few."""
    names = list(known)
    return closest(word, names) or choices(names)


def _fold(word: str) -> str:
    return word.casefold().replace("-", "_").replace(" ", "_")[:100]
