"""Places where a test may kill the process, to show that nothing is lost or doubled there."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

_armed: dict[str, int] = {}


def arm(environ: Mapping[str, str]) -> None:
    """Read TOCSIN_FAILPOINT, `place` or `place:N` for the Nth time it is passed. Unset: nothing ever happens."""
    _armed.clear()
    place, _, nth = environ.get("TOCSIN_FAILPOINT", "").partition(":")
    if place:
        _armed[place] = int(nth or 1)


def reach(place: str) -> None:
    """Die here by SIGKILL when armed, as a power cut would have it: no handler runs, nothing is flushed."""
    if place not in _armed:
        return
    _armed[place] -= 1
    if _armed[place] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
