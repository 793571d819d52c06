"""One start of a job at a time, by a lock of the kernel's: it ends with the process that holds it.

The command does not inherit the lock, or a daemon it leaves behind would hold it for ever. So that a command whose
`tocsin exec` was killed still counts as running, the lock's file names its process; one that is dead never blocks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import sys
import time
from datetime import datetime

from bot.execution.record import instant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_LONGEST_NAME = 150
_RUN_ID = re.compile(r"[0-9a-f-]{36}")  # it becomes part of a file's name
_LARGEST = 1024 * 1024


class Holder:
    """Who runs the job already: its process, and how long it has; None where that cannot be known."""

    __slots__ = ("age_seconds", "pid")

    def __init__(self, pid: int | None, age_seconds: float | None) -> None:
        self.pid = pid
        self.age_seconds = age_seconds


class Lock:
    """A lock that is held until `release`. `left` is what a start that died left in it, if one did."""

    __slots__ = ("_close", "_file", "_noted", "left")

    def __init__(self, file: int | None, close: Callable[[], None], left: Left | None = None) -> None:
        self._file = file
        self._close = close
        self._noted = 0
        self.left = left

    def note(self, **about: Any) -> None:
        """Write down who holds it. A disk that is full takes only this knowledge away, not the lock."""
        line = json.dumps(about).encode() + b"\n"
        self._noted = len(line)
        self._write(line, 0)

    def finish(self, line: bytes) -> None:
        """Write down how the run ended, for the next start to report if this process dies before it can."""
        self._write(line, self._noted)

    def release(self) -> None:
        """Let the next start have it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, 0)
        self._close()

    def _write(self, line: bytes, at: int) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.pwrite(self._file, line, at)
                os.ftruncate(self._file, at + len(line))


class Left:
    """What stands in a lock's file: the note of who took it, and the run's line once it had ended."""

    __slots__ = ("line", "note")

    def __init__(self, note: Mapping[str, Any], line: bytes) -> None:
        self.note = note
        self.line = line


def acquire(folder: str, job: str, now: datetime) -> Lock | Holder:
    """The job's lock, or who has it. Raises OSError where no lock can be had."""
    try:
        os.makedirs(folder, 0o755, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(os.path.join(folder, file_name(job)), flags, 0o644)
    except OSError:
        return _acquire_without_disk(folder, job)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(file, now)
        os.close(file)
        return holder
    except OSError:  # a file system without locks
        os.close(file)
        return _acquire_without_disk(folder, job)
    left = _left(file)
    if left is not None and (command := _survivor(left.note)) is not None:
        os.close(file)
        return Holder(command, _age(left.note, now))
    return Lock(file, lambda: os.close(file), left)


def file_name(job: str) -> str:
    """A file name of its own for every job, readable where the job's is."""
    safe = "".join(
        sign
        if sign.isascii() and (sign.isalnum() or sign in "_-" or (sign == "." and at))
        else f"%{ord(sign):x}%"
        for at, sign in enumerate(job)
    )
    if len(safe) > _LONGEST_NAME:
        safe = f"{safe[:_LONGEST_NAME]}%{_digest(job)}"
    return f"{safe}.lock"


def started(pid: int) -> int | None:
    """When a process started, in the kernel's ticks since boot; None when it is dead or cannot be asked."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _digest(text: str) -> str:
    import hashlib  # here, for few starts need it

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _acquire_without_disk(folder: str, job: str) -> Lock | Holder:
    """The lock where its file cannot be had (the disk is full): a name in the kernel, gone with its process."""
    if sys.platform != "linux":
        raise OSError(errno.ENOLCK, "no lock can be had", folder)
    import socket  # here, for few starts need it

    held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        held.bind(f"\0tocsin-exec-{os.geteuid()}-{_digest(folder + '/' + job)}")
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            return Holder(None, None)
        raise
    return Lock(None, held.close)


def _holder(file: int, now: datetime) -> Holder:
    """Who holds it. One that has only just begun may not have written its note yet."""
    for _ in range(20):
        left = _left(file)
        if left is not None and started(left.note["pid"]) is not None:
            return Holder(left.note["pid"], _age(left.note, now))
        time.sleep(0.005)
    return Holder(None, 0.0)


def _survivor(note: Mapping[str, Any]) -> int | None:
    """The command of a start that died, when it lives on: the same number and the same birth."""
    command, birth = note.get("command_pid"), note.get("command_started")
    alive = isinstance(command, int) and birth is not None and started(command) == birth
    return command if alive else None


def _left(file: int) -> Left | None:
    try:
        first, _, second = os.pread(file, _LARGEST, 0).partition(b"\n")
        note = json.loads(first)
        if isinstance(note["pid"], int) and _RUN_ID.fullmatch(note["run_id"]):
            return Left(note, second if second.endswith(b"}\n") else b"")
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return None


def _age(noted: Mapping[str, Any], now: datetime) -> float | None:
    try:
        return max(0.0, round((now - datetime.fromisoformat(noted["started_at"])).total_seconds(), 3))
    except (KeyError, TypeError, ValueError):
        return None


def note_of(run_id: str, started_at: datetime) -> dict[str, Any]:
    """What is written into a lock that was just taken."""
    return {"pid": os.getpid(), "run_id": run_id, "started_at": instant(started_at)}
