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
import sys
import time
from datetime import datetime

from bot.execution.record import instant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_LONGEST_NAME = 150


class Holder:
    """Who runs the job already: its process, and how long it has; None where that cannot be known."""

    __slots__ = ("age_seconds", "pid")

    def __init__(self, pid: int | None, age_seconds: float | None) -> None:
        self.pid = pid
        self.age_seconds = age_seconds


class Lock:
    """A lock that is held until `release`. `lost` is what was noted of a run whose watcher died."""

    __slots__ = ("_close", "_file", "lost")

    def __init__(self, file: int | None, close: Any, lost: Mapping[str, Any] | None = None) -> None:
        self._file = file
        self._close = close
        self.lost = lost

    def note(self, **about: Any) -> None:
        """Write down who holds it. A disk that is full takes only this knowledge away, not the lock."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            text = json.dumps(about).encode()
            os.pwrite(self._file, text, 0)
            os.ftruncate(self._file, len(text))

    def release(self) -> None:
        """Let the next start have it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, 0)
        self._close()


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
    noted = _noted(file)
    if noted and noted.get("command_pid") and started(noted["command_pid"]) == noted.get("command_started"):
        os.close(file)
        return Holder(noted["command_pid"], _age(noted, now))
    return Lock(file, lambda: os.close(file), noted)


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
        noted = _noted(file)
        if noted and started(noted["pid"]) is not None:
            return Holder(noted["pid"], _age(noted, now))
        time.sleep(0.005)
    return Holder(noted["pid"] if noted and not os.path.isdir("/proc/self") else None, 0.0)


def _noted(file: int) -> dict[str, Any] | None:
    try:
        found = json.loads(os.pread(file, 4096, 0))
        return found if isinstance(found["pid"], int) and isinstance(found["run_id"], str) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _age(noted: Mapping[str, Any], now: datetime) -> float | None:
    try:
        return max(0.0, round((now - datetime.fromisoformat(noted["started_at"])).total_seconds(), 3))
    except (KeyError, TypeError, ValueError):
        return None


def note_of(run_id: str, started_at: datetime) -> dict[str, Any]:
    """What is written into a lock that was just taken."""
    return {"pid": os.getpid(), "run_id": run_id, "started_at": instant(started_at)}
