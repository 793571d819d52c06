"""The kinds of check there are: every module here that holds a `CheckOptions` named `Options`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import checks
from checks.options import CheckOptions

_SUPPORT = frozenset({"client", "deadline", "kinds", "means", "options", "result", "threads"})


@cache
def kinds() -> tuple[str, ...]:
    """The names that `type:` may have, sorted."""
    names = (module.name for module in pkgutil.iter_modules(checks.__path__))
    return tuple(sorted(name for name in names if name not in _SUPPORT and not name.startswith("_")))


@cache
def options_of(kind: str) -> type[CheckOptions]:
    """The settings model of a kind. Raises KeyError for a name that is none."""
    if kind not in kinds():
        raise KeyError(kind)
    options: type[CheckOptions] = importlib.import_module(f"checks.{kind}").Options
    return options
