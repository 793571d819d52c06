"""The threads of all checks' blocking work: at most so many, and never more than one for each check.

A thread that blocks in the kernel (a mount whose server is gone, a driver without a time limit) cannot be
ended. It costs its own check and nobody else: the check's next work is refused while it lasts, other checks
have the other threads, and the process can end without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any, TypeVar

from checks.options import format_duration
from checks.result import CannotRun

T = TypeVar("T")

_PATIENCE = 5.0  # seconds that work waits for a thread; a busy moment is shorter, a blocked one much longer
_MOST_NAMED = 3


@dataclass(slots=True, eq=False)
class _Work:
    owner: str
    call: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)
    began: float = 0.0

    def do(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            value = self.call()
        except BaseException as error:  # noqa: BLE001  (whatever it is belongs to who waits)
            self.future.set_exception(error)
        else:
            self.future.set_result(value)


class Threads:
    """Up to `most` threads, lent to the checks through a lane for each."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._running: dict[str, _Work] = {}
        self._waiting: deque[_Work] = deque()

    def lane(self, owner: str, patience: float = _PATIENCE) -> Lane:
        """The threads as the check of this name may use them. `patience`: seconds its work waits for one."""
        return Lane(self, owner, patience)

    def close(self) -> None:
        """Begin nothing more. What runs is left alone: a blocked thread cannot be ended, nor waited for."""
        with self._lock:
            waiting, self._waiting = list(self._waiting), deque()
        for work in waiting:
            work.future.cancel()

    def begin(self, work: _Work) -> bool:
        """Start it, or keep it until its check and a thread are free; False when it has to wait. Raises CannotRun."""
        with self._lock:
            own = self._running.get(work.owner)
            if own is not None and monotonic() - own.began > _PATIENCE:
                raise self._refusal(work.owner)
            if own is not None or len(self._running) >= self.most:
                self._waiting.append(work)
                return False
            self._start(work)
            return True

    def give_up(self, work: _Work) -> None:
        """Refuse what still waits, saying who holds what it waits for."""
        with self._lock:
            if work not in self._waiting:
                return
            self._waiting.remove(work)
            refusal = self._refusal(work.owner)
        if work.future.set_running_or_notify_cancel():
            work.future.set_exception(refusal)

    def _start(self, work: _Work) -> None:
        work.began = monotonic()
        self._running[work.owner] = work
        thread = threading.Thread(target=self._work, args=(work,), name=f"check:{work.owner}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the host has no more threads
            del self._running[work.owner]
            raise CannotRun(
                "this host gives Tocsin no more threads", remedy="raise its limit of processes (ulimit -u)"
            ) from None

    def _work(self, work: _Work) -> None:
        """The life of a thread: its work, then whatever waits."""
        following: _Work | None = work
        while following is not None:
            following.do()
            with self._lock:
                del self._running[following.owner]
                following = self._next()

    def _next(self) -> _Work | None:
        for work in self._waiting:
            if work.owner not in self._running:
                self._waiting.remove(work)
                work.began = monotonic()
                self._running[work.owner] = work
                return work
        return None

    def _refusal(self, owner: str) -> CannotRun:
        if (own := self._running.get(owner)) is not None:
            return CannotRun(
                f"its last look, begun {_since(own)} ago, has not come back: what it reads does not answer",
                remedy="see whether the mount, the disk or the server it reads answers",
            )
        oldest = sorted(self._running.values(), key=lambda work: work.began)
        names = ", ".join(f"{work.owner} (since {_since(work)})" for work in oldest[:_MOST_NAMED])
        more = f" and {len(oldest) - _MOST_NAMED} more" if len(oldest) > _MOST_NAMED else ""
        return CannotRun(
            f"all {self.most} threads for blocking work are taken: {names}{more}",
            remedy="see why those checks do not come back, or leave them out and restart Tocsin",
        )


class Lane(Executor):
    """One check's way to the threads: one at a time, the next when it has come back."""

    def __init__(self, threads: Threads, owner: str, patience: float) -> None:
        self._threads, self._owner, self._patience = threads, owner, patience

    def lane(self, name: str) -> Lane:
        """A lane of its own for a part of this check, such as the member of a group."""
        return Lane(self._threads, f"{self._owner}/{name}", self._patience)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run it in a thread. The future raises CannotRun when none was free for too long."""
        work = _Work(owner=self._owner, call=lambda: fn(*args, **kwargs))
        if not self._threads.begin(work):
            with contextlib.suppress(RuntimeError):  # no loop: whoever calls from a thread can wait
                asyncio.get_running_loop().call_later(self._patience, self._threads.give_up, work)
        return work.future


def lane_for(threads: Executor, name: str) -> Executor:
    """A lane for a part of a check, where the threads have lanes."""
    return threads.lane(name) if isinstance(threads, Lane) else threads


def _since(work: _Work) -> str:
    return format_duration(timedelta(seconds=max(1, round(monotonic() - work.began))))
