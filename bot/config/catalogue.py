"""The words `type:` may have: the kinds of checks, and the group, which has members instead of a measurement."""

from __future__ import annotations

from checks.kinds import kinds, options_of
from checks.options import Check, CheckContext, CheckOptions

GROUP = "group"


class GroupOptions(CheckOptions):
    """Several checks told as one; its members stand under `checks`, each with a type of its own."""

    def build(self, context: CheckContext) -> Check:
        """There is nothing to build but the members. Always raises TypeError."""
        raise TypeError("a group is its members; build those")


def known_kinds() -> tuple[str, ...]:
    """Every word `type:` may have, sorted."""
    return tuple(sorted({*kinds(), GROUP}))


def options_model(kind: str) -> type[CheckOptions]:
    """The settings of a kind. Raises KeyError for a word that is none."""
    return GroupOptions if kind == GROUP and GROUP not in kinds() else options_of(kind)
