"""Small parts from which the shapes of Block Kit are put together; each reports what is wrong and where."""

import re
from collections.abc import Callable, Mapping
from typing import Any


class Problems(list[str]):
    """What is wrong with a payload, in Slack's words, each with its JSON pointer."""

    def report(self, message: str, pointer: str) -> None:
        self.append(f"{message} [json-pointer:{pointer}]")


Shape = Callable[[Any, str, Problems], None]


def string(most: int, least: int = 1) -> Shape:
    """A string of `least` to `most` characters."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, str):
            problems.report("must be a string", pointer)
        elif len(value) > most:
            problems.report(f"must be less than {most + 1} characters", pointer)
        elif len(value) < least:
            problems.report(f"must be more than {least - 1} characters", pointer)

    return check


def matching(pattern: str, message: str) -> Shape:
    """A string that matches `pattern` as a whole."""
    compiled = re.compile(pattern)

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            problems.report(message, pointer)

    return check


def boolean(value: Any, pointer: str, problems: Problems) -> None:
    if not isinstance(value, bool):
        problems.report("must be a boolean", pointer)


def integer(least: int, most: int) -> Shape:
    """A whole number between the two, both included."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            problems.report("must be an integer", pointer)
        elif value > most:
            problems.report(f"must be less than {most + 1}", pointer)
        elif value < least:
            problems.report(f"must be more than {least - 1}", pointer)

    return check


def number(value: Any, pointer: str, problems: Problems) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        problems.report("must be a number", pointer)


def positive_number(value: Any, pointer: str, problems: Problems) -> None:
    before = len(problems)
    number(value, pointer, problems)
    if len(problems) == before and value <= 0:
        problems.report("must be more than 0", pointer)


def one_of(*allowed: str) -> Shape:
    """One of these strings."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if value not in allowed:
            problems.report(f"must be a valid enum value: {', '.join(allowed)}", pointer)

    return check


def array(item: Shape, most: int, least: int = 1) -> Shape:
    """A list of `least` to `most` items."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, list):
            problems.report("must be an array", pointer)
            return
        if len(value) > most:
            problems.report(f"no more than {most} items allowed", pointer)
        if len(value) < least:
            problems.report(f"no fewer than {least} items allowed", pointer)
        for index, each in enumerate(value):
            item(each, f"{pointer}/{index}", problems)

    return check


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """An object with all of `required`, any of `optional` and nothing else."""
    known = {**required, **(optional or {})}

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems.report("must be an object", pointer)
            return
        for name in required:
            if name not in value:
                problems.report(f"missing required field: {name}", pointer)
        for name, each in value.items():
            if name in known:
                known[name](each, f"{pointer}/{name}", problems)
            else:
                problems.report(f"invalid additional property: {name}", pointer)

    return check


def tagged(kinds: Mapping[str, Shape]) -> Shape:
    """An object whose `type` selects its shape."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems.report("must be an object", pointer)
        elif "type" not in value:
            problems.report("missing required field: type", pointer)
        elif not isinstance(value["type"], str) or value["type"] not in kinds:
            problems.report(f"unsupported type: {value['type']}", f"{pointer}/type")
        else:
            kinds[value["type"]](value, pointer, problems)

    return check


def all_of(*shapes: Shape) -> Shape:
    """Every shape holds; the later ones are asked only when the earlier found nothing."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        before = len(problems)
        for shape in shapes:
            shape(value, pointer, problems)
            if len(problems) > before:
                return

    return check


def exactly_one(*names: str) -> Shape:
    """An object with one of these fields and not two."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if sum(name in value for name in names) != 1:
            problems.report(f"must provide exactly one of: {', '.join(names)}", pointer)

    return check


def anything(value: Any, pointer: str, problems: Problems) -> None:
    """No rule of its own."""
