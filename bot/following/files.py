"""Files of JSON lines, followed through rotation, truncation and deletion.

A file is an item named by its device, its inode and its first line. While Tocsin runs it holds on to the files it
reads, so that what was written to one before it was renamed or deleted is read to the end; after a start it looks
among the neighbours for files that were renamed meanwhile.
"""

from __future__ import annotations

import asyncio
import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from bot.config.probing import RunLog
from bot.following import lines
from bot.following.batch import Batch, CannotRead, Found
from bot.following.lines import Line, Position
from bot.following.records import Records, refused

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY  # a pipe or a terminal must not hold us up
_MOST_HELD = 32
_LAST_WORDS = timedelta(minutes=1)
_PATIENCE = timedelta(hours=1)

Signature = tuple[int, int, int, int]


@dataclass(slots=True)
class _Held:
    """A file that stays open, and since when nothing was added to it although it is not in its place."""

    file: int
    path: str
    quiet_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """A file to read from a position on. `last`: nothing more will be added."""

    file: int
    path: str
    item: str
    position: Position
    last: bool = False


class FileReader:
    """Reads on in the files that a path or a pattern (`*`, `?`, `[...]`) names. Works in a thread."""

    def __init__(self, log: RunLog, threads: Executor) -> None:
        assert log.path is not None
        self.place = log.path
        self._path = str(Path(log.path).expanduser())
        self._is_pattern = glob.has_magic(self._path) and not os.path.exists(self._path)
        self._records = Records(log)
        self._threads = threads
        self._reading = Lock()
        self._held: dict[str, _Held] = {}
        self._done: dict[str, tuple[Signature, str]] = {}
        self._copies: dict[str, Position] = {}
        self._looked_for: set[tuple[str, int]] = set()
        self._looked_beside = False

    async def read(self, known: Mapping[str, Mapping[str, Any]], now: datetime) -> Batch | None:
        positions = {item: Position.from_json(value) for item, value in known.items() if item}
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._read, positions, now)
        except OSError as error:
            raise CannotRead(f"it cannot be read: {error.strerror or error}") from None

    def present(self) -> frozenset[str]:
        return frozenset({*self._held, *(item for _, item in self._done.values())})

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._close)

    def _close(self) -> None:
        with self._reading:
            while self._held:
                self._let_go(next(iter(self._held)))

    def _read(self, known: Mapping[str, Position], now: datetime) -> Batch | None:
        with self._reading:
            troubles: list[str] = []
            paths = self._paths()
            here = self._here(paths, known, troubles)
            try:
                self._look_beside(known, paths, here)
                for opened in [*self._elsewhere(here, {**self._copies, **known}, now), *here.values()]:
                    if (batch := self._batch(opened, now)) is not None:
                        return batch
                    if opened.last:
                        self._let_go(opened.item)
            finally:
                self._hold(here)
            if troubles:
                raise CannotRead("; ".join(troubles[:3]))
            if not paths and not known:
                raise CannotRead(
                    "there is no such file, or this user may not look there; check the path",
                    patience=_PATIENCE,
                )
            return None

    # Which files

    def _paths(self) -> list[str]:
        """The files that the setting names, the one that was written last at the end."""
        if not self._is_pattern:
            return [self._path] if os.path.lexists(self._path) else []
        found = {path: _modified(path) for path in glob.glob(self._path, recursive=True)}
        return sorted(found, key=lambda path: (found[path], path))

    def _here(self, paths: list[str], known: Mapping[str, Position], troubles: list[str]) -> dict[str, _Open]:
        """The files in their place that have changed since they were read to the end, by item."""
        found: dict[str, tuple[int, str]] = {}
        for path in paths:
            try:
                file = os.open(path, _FLAGS)
            except FileNotFoundError:
                continue
            except OSError as error:
                troubles.append(f"{path}: {error.strerror}; let this user read it")
                continue
            item = self._item(file, path, troubles)
            if item is None or item in found:
                os.close(file)
            else:
                found[item] = file, path
        present = {*found, *(item for _, item in self._done.values())}
        return {
            item: _Open(file=file, path=path, item=item, position=_position(file, item, known, present))
            for item, (file, path) in found.items()
        }

    def _item(self, file: int, path: str, troubles: list[str]) -> str | None:
        """What a file is known by; None when nothing of it is new."""
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            troubles.append(f"{path} is not a file")
            return None
        if (done := self._done.get(path)) is not None:
            if done[0] == _signature(status):
                return None
            del self._done[path]
        return _item_of(file, status)

    def _look_beside(
        self, known: Mapping[str, Position], paths: list[str], here: Mapping[str, _Open]
    ) -> None:
        """Hold on to neighbours with lines not read yet: files renamed while nobody looked, and copies of
        files that were emptied."""
        emptied = self._emptied(known, here)
        inodes = {inode_of(item) for item in known} if not self._looked_beside else set()
        self._looked_beside = True
        folder, name = os.path.split(self._path)
        if glob.has_magic(folder) or not (emptied or inodes):
            return
        stem = re.split(r"[.*?\[]", name)[
            0
        ]  # what rotation keeps of a name: runs.jsonl.1, runs-20261120.jsonl
        taken = {_inode(path) for path in paths}
        with suppress(OSError), os.scandir(folder or ".") as entries:
            for entry in entries:
                renamed = entry.inode() in inodes
                if entry.inode() not in taken and (renamed or (emptied and entry.name.startswith(stem))):
                    self._hold_neighbour(entry.path, known, emptied)

    def _emptied(self, known: Mapping[str, Position], here: Mapping[str, _Open]) -> list[str]:
        """The items whose inode holds other lines now, each the first time it is seen so."""
        inodes = {inode_of(item): opened for item, opened in here.items()}
        found = []
        for item, position in known.items():
            now = inodes.get(inode_of(item))
            change = item, position.generation
            if now is None or change in self._looked_for:
                continue
            if now.item != item or now.position.generation != position.generation:
                self._looked_for.add(change)
                found.append(item)
        return found

    def _hold_neighbour(self, path: str, known: Mapping[str, Position], emptied: list[str]) -> None:
        with suppress(OSError):
            file = os.open(path, _FLAGS)
            status = os.fstat(file)
            item = _item_of(file, status) if stat.S_ISREG(status.st_mode) else None
            if item is not None and item not in known:
                originals = {other: known[other] for other in emptied}
                if (position := _of_original(file, item, originals, set())) is not None:
                    self._copies[item] = position
            if item is None or item in self._held or not (item in known or item in self._copies):
                os.close(file)
            else:
                self._held[item] = _Held(file, path)

    def _elsewhere(
        self, here: Mapping[str, _Open], known: Mapping[str, Position], now: datetime
    ) -> Iterator[_Open]:
        """The files that left their place; a minute after nothing more came of one it is let go."""
        for item, held in list(self._held.items()):
            position = known.get(item)
            if item in here or (held.path in self._done and _is_at(held.path, held.file)):
                continue
            if position is None or not lines.continues(held.file, position):
                self._let_go(item)  # emptied, in its place or out of it
                continue
            held.quiet_since = held.quiet_since or now
            last = now - held.quiet_since > _LAST_WORDS
            yield _Open(file=held.file, path=held.path, item=item, position=position, last=last)

    def _hold(self, here: Mapping[str, _Open]) -> None:
        """Keep the files in their place open; those that were written last when they are many."""
        for item, opened in here.items():
            if item in self._held:
                self._let_go(item)
            self._held[item] = _Held(opened.file, opened.path)
        while len(self._held) > _MOST_HELD:
            self._let_go(next(iter(self._held)))

    def _let_go(self, item: str) -> None:
        os.close(self._held.pop(item).file)

    # What is in them

    def _batch(self, opened: _Open, now: datetime) -> Batch | None:
        """The next lines of a file; None when there are none and nothing was passed over."""
        signature = _signature(os.fstat(opened.file))  # before it is read: what comes meanwhile is seen later
        cut, position = lines.read_lines(opened.file, opened.position, last=opened.last)
        if not cut and position == opened.position:
            if _is_at(opened.path, opened.file):
                self._done[opened.path] = signature, opened.item
            return None
        if held := self._held.get(opened.item):
            held.quiet_since = None
        written = min(now, datetime.fromtimestamp(os.fstat(opened.file).st_mtime, UTC))
        found = [self._found(line, opened.item, position, opened.path, written, now) for line in cut]
        return Batch(item=opened.item, found=found, position=position.as_json(), more=True)

    def _found(
        self, line: Line, item: str, position: Position, path: str, written: datetime, now: datetime
    ) -> Found:
        place, text = f"{path}, line {line.number}", lines.shown(line.raw)
        if line.raw is None:
            return refused(place, f"it is longer than {lines.LONGEST // 1024} KiB", "")
        try:
            record = lines.parsed(line.raw)
        except ValueError as error:
            return refused(place, str(error), text)
        # A line that says when it was is the same run in any copy of its file; another only where it stands.
        dated = isinstance(record, dict) and record.get("timestamp") is not None
        origin = head_of(item) if dated else f"{position.origin}:{position.generation}"
        key = hashlib.sha256(f"{origin}:{line.offset}:".encode() + line.raw.strip()).hexdigest()[:32]
        return self._records.found(record, key=key, place=place, text=text, written=written, now=now)


def inode_of(item: str) -> int:
    """The inode that an item names."""
    return int(item.split(":")[1], 16)


def head_of(item: str) -> str:
    """The first line that an item names."""
    return item.rpartition(":")[2]


def _item_of(file: int, status: os.stat_result) -> str | None:
    head = lines.head_of(file)
    return None if head is None else f"{status.st_dev:x}:{status.st_ino:x}:{head}"


def _position(file: int, item: str, known: Mapping[str, Position], present: set[str]) -> Position:
    """From where a file is to be read: where it was left, at its start, or where its original was left."""
    position = known.get(item)
    if position is None:
        return _of_original(file, item, known, present) or Position(origin=item)
    if lines.continues(file, position):
        return position
    return Position(origin=position.origin, generation=position.generation + 1)


def _of_original(file: int, item: str, known: Mapping[str, Position], present: set[str]) -> Position | None:
    """The position in a file that this one is a copy of: `copytruncate` makes one, and a disk moved elsewhere."""
    originals = [
        position
        for other, position in known.items()
        if head_of(other) == head_of(item)
        and other not in present
        and position.offset
        and lines.continues(file, position)
    ]
    return max(originals, key=lambda position: position.offset, default=None)


def _signature(status: os.stat_result) -> Signature:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _modified(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _is_at(path: str, file: int) -> bool:
    """Whether an open file is the one that stands at a path."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except OSError:
        return False


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0
