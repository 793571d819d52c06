"""Fields that a job prints about its own run: JSON objects, a line each, merged."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST_LINE = 64 * 1024
_LARGEST = 128 * 1024
MOST = 500


class FieldLines:
    """Reads the lines as they come. A broken one is counted in `broken`, never fatal."""

    __slots__ = ("_rest", "_sizes", "_skipping", "_total", "broken", "fields")

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.broken = 0
        self._sizes: dict[str, int] = {}
        self._total = 0
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes, wherever they were cut."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False  # the end of a line that was too long
            else:
                self._take(line)
        if len(self._rest) > LONGEST_LINE:
            self.broken += not self._skipping
            self._skipping, self._rest = True, b""

    def finish(self) -> None:
        """Take a last line that has no end."""
        if not self._skipping:
            self._take(self._rest)
        self._rest = b""

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            found = json.loads(line.decode("utf-8-sig"), parse_constant=lambda _name: None)
            sizes = {name: len(name) + len(json.dumps(value)) for name, value in found.items()}
        except (ValueError, AttributeError, RecursionError):
            self.broken += 1
            return
        kept = [self._put(name, value, sizes[name]) for name, value in found.items()]
        self.broken += not all(kept)

    def _put(self, name: str, value: Any, size: int) -> bool:
        """Set one field unless all of them together would be too many or too large."""
        total = self._total - self._sizes.get(name, 0) + size
        if total > _LARGEST or (name not in self.fields and len(self.fields) >= MOST):
            return False
        self._total, self._sizes[name] = total, size
        self.fields[name] = value
        return True
