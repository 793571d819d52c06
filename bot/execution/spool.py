"""What waits on this machine until the bot has taken it: a folder, a file for each thing.

A file is whole when it ends with a line end; one that a kill or a full disk cut off is passed over. Nothing is
changed after it was written, so any number of processes may add, deliver and delete at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

LARGEST = 64 * 1024 * 1024
MOST = 10_000
RUN, ALERT = "run", "alert"
_LARGEST_LINE = 1024 * 1024
_BEING_WRITTEN = timedelta(hours=1)


class Entry:
    """One thing that waits."""

    __slots__ = ("kind", "line", "path")

    def __init__(self, path: str, kind: str, line: bytes) -> None:
        self.path = path
        self.kind = kind
        self.line = line


class Spool:
    """The folder. It is made by the first `add`."""

    def __init__(self, folder: str, *, largest: int = LARGEST, most: int = MOST) -> None:
        self.folder = folder
        self._largest = largest
        self._most = most

    def add(self, kind: str, name: str, line: bytes, now: datetime) -> Entry:
        """Keep a line that ends with its line end; after this it survives a power cut. Raises OSError."""
        os.makedirs(self.folder, 0o700, exist_ok=True)
        path = os.path.join(self.folder, f"{int(now.timestamp() * 1000):013d}.{name}.{kind}")
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_whole(file, line)
            os.fsync(file)
        except OSError:
            self.remove(path)  # half of it would only take space from the next
            raise
        finally:
            os.close(file)
        self._sync()
        return Entry(path, kind, line)

    def names(self) -> list[str]:
        """The files that wait, oldest first."""
        try:
            found = os.listdir(self.folder)
        except OSError:
            return []
        return sorted(name for name in found if name.endswith((f".{RUN}", f".{ALERT}")))

    def read(self, names: Iterable[str]) -> Iterator[Entry]:
        """Those of the files that are whole and still there."""
        for name in names:
            path = os.path.join(self.folder, name)
            try:
                with open(path, "rb") as file:
                    line = file.read(_LARGEST_LINE)
            except OSError:
                continue
            if line.endswith(b"\n") and len(line) > 1:
                yield Entry(path, name.rpartition(".")[2], line)

    def remove(self, path: str) -> None:
        """Forget what was delivered."""
        with contextlib.suppress(OSError):
            os.unlink(path)

    def set_aside(self, entry: Entry) -> None:
        """Keep for people what the bot will never take; it is deleted with the oldest."""
        with contextlib.suppress(OSError):
            os.rename(entry.path, f"{entry.path}.refused")

    def trim(self) -> int:
        """Drop the oldest beyond the limits; returns how many."""
        sizes = {}
        with contextlib.suppress(OSError), os.scandir(self.folder) as found:
            for item in found:
                if item.name[:13].isdigit():
                    sizes[item.name] = item.stat(follow_symlinks=False).st_size
        total, dropped = sum(sizes.values()), 0
        for name in sorted(sizes):
            if total <= self._largest and len(sizes) - dropped <= self._most:
                break
            self.remove(os.path.join(self.folder, name))
            total -= sizes[name]
            dropped += 1
        return dropped

    def drop_unfinished(self, names: Iterable[str], now: datetime) -> int:
        """Of files that are not whole, delete those of an hour ago, whose writer is dead; returns how many."""
        before = f"{int((now - _BEING_WRITTEN).timestamp() * 1000):013d}"
        dead = [name for name in names if name[:13] < before]
        for name in dead:
            self.remove(os.path.join(self.folder, name))
        return len(dead)

    @contextlib.contextmanager
    def delivering(self) -> Iterator[bool]:
        """Whether nobody else delivers at present; nobody else does within it."""
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            file = os.open(os.path.join(self.folder, "delivering.lock"), flags, 0o600)
        except OSError:
            yield False
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = True
        except OSError:
            mine = False
        try:
            yield mine
        finally:
            os.close(file)

    def _sync(self) -> None:
        """Make the new name in the folder last as well."""
        folder = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def append_line(path: str, line: bytes) -> None:
    """Append a line to a log in one write, after a line of its own where the last was cut off. Raises OSError."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, 0o644)
    try:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            line = b"\n" + line
        write_whole(file, line)
        with contextlib.suppress(OSError):  # a pipe or a terminal
            os.fsync(file)
    finally:
        os.close(file)


def write_whole(file: int, data: bytes) -> None:
    """Write all of it, in one call wherever the system takes it. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
