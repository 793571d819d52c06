"""What the file may say already and this version does not act on yet, so that nobody relies on it in silence."""

from __future__ import annotations

from bot.config.mistake import Mistake
from bot.config.settings import Settings


def not_yet(settings: Settings) -> tuple[Mistake, ...]:
    """A warning for each part that is read and checked but has no effect, with what happens instead."""
    found: list[tuple[str, str]] = []
    if settings.metrics.influxdb is not None or settings.metrics.measurements:
        found.append(("metrics", "nothing is sent"))
    if settings.dashboard.panels:
        found.append(("dashboard", "there is no web page"))
    warnings = (
        settings.document.mistake((name,), "this version does not act on it yet", what, key=True)
        for name, what in found
    )
    return tuple(sorted(warnings, key=lambda warning: (warning.line, warning.path)))
