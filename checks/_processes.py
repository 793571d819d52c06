"""Finding processes and what they use. Blocking: to be called in threads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_LONGEST_COMMAND = 4096  # a regular expression may take very long on more
# The process in the middle of an exec, or gone between two reads of it.
_GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, ProcessLookupError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One running process. `born` is seconds since 1970; `open_files` is None when we may not count them."""

    pid: int
    born: float
    user: str
    name: str
    command: str
    rss_mb: float
    cpu_seconds: float
    threads: int
    open_files: int | None

    @property
    def identity(self) -> tuple[int, float]:
        """Numbers are used again; a number and a birth are not."""
        return self.pid, self.born


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Which processes are meant; every part given must fit."""

    match: re.Pattern[str] | None = None
    pidfile: str | None = None
    user: str | None = None

    def __str__(self) -> str:
        parts = [f"/{self.match.pattern}/"] if self.match else []
        parts += [f"pid file {self.pidfile}"] if self.pidfile else []
        return ", ".join([*parts, *([f"user {self.user}"] if self.user else [])])


class PidFileError(Exception):
    """The pid file is not there or holds no number; the message says which."""


def find(pattern: Pattern) -> list[Seen]:
    """The running processes that fit, oldest first; never this one, whose settings hold the pattern.

    Raises PidFileError, and PermissionError for a pid file that may not be read.
    """
    candidates = psutil.process_iter() if pattern.pidfile is None else _of_file(Path(pattern.pidfile))
    seen = (_see(process, pattern) for process in candidates if process.pid != os.getpid())
    return sorted((one for one in seen if one), key=lambda one: one.born)


def _of_file(path: Path) -> Iterator[psutil.Process]:
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            text = file.read(64).split("\n")[0].strip()
    except FileNotFoundError:
        raise PidFileError(f"the pid file {path} is not there") from None
    if not text.isdecimal() or len(text) > 9:
        raise PidFileError(f"the pid file {path} holds no process number")
    try:
        yield psutil.Process(int(text))
    except _GONE:
        raise PidFileError(f"process {text} of the pid file {path} is not running") from None


def _see(process: psutil.Process, pattern: Pattern) -> Seen | None:
    try:
        with process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            name, command = process.name(), _command(process)[:_LONGEST_COMMAND]
            if pattern.match and not (pattern.match.search(name) or pattern.match.search(command)):
                return None
            if pattern.user is not None and process.username() != pattern.user:
                return None
            times = process.cpu_times()
            return Seen(
                pid=process.pid,
                born=process.create_time(),
                user=process.username(),
                name=name,
                command=command[:500],
                rss_mb=process.memory_info().rss / 1e6,
                cpu_seconds=times.user + times.system,
                threads=process.num_threads(),
                open_files=_open_files(process),
            )
    except _GONE:
        return None
    except psutil.AccessDenied:
        return None


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.AccessDenied:
        return ""


def _open_files(process: psutil.Process) -> int | None:
    try:
        return process.num_fds()
    except (psutil.AccessDenied, PermissionError):
        return None
