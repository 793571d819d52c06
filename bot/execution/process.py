"""Runs a command in a session of its own: passes its output on, keeps its end, and ends it when its time is over."""

from __future__ import annotations

import fcntl
import math
import os
import select
import signal
import stat
import time
from collections.abc import Mapping, Sequence

from bot.execution.fields import FieldLines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any

TAIL = 64 * 1024
"""Bytes kept of what the command prints."""
_AT_ONCE = 64 * 1024
_LINGER = 1.0  # seconds for output of processes that outlive the command
_LOOK_EVERY = 0.1
_LONGEST_WAIT = 3600.0  # poll takes no more milliseconds than an int holds
_PASSED_ON = (
    signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2,
)  # fmt: skip
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP})


class Signals:
    """Catches what is sent to this process until the end of the `with`; the main thread only.

    A signal that was ignored before (nohup) stays ignored, by the command too.
    """

    def __enter__(self) -> Signals:
        self.reader, self._writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self._writer, False)
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._before: dict[int, Any] = {signal.SIGCHLD: signal.signal(signal.SIGCHLD, _nothing)}
        for number in _PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, _nothing)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self.reader)
        os.close(self._writer)

    def caught(self) -> list[signal.Signals]:
        """Those to pass on since the last call."""
        try:
            numbers = os.read(self.reader, 1024)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in numbers if number in _PASSED_ON]


class Finished:
    """How the command ended. `code` is what a shell would say: 128 and the signal's number when one killed it."""

    __slots__ = ("code", "fields", "interrupted_by", "killed_by", "output_bytes", "tail", "timed_out")

    def __init__(self) -> None:
        self.code = 0
        self.killed_by: str | None = None
        self.timed_out = False
        self.interrupted_by: str | None = None
        self.tail = b""
        self.output_bytes = 0
        self.fields = FieldLines()


class Command:
    """One execution: `start`, then `finish`, both within `signals`."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        signals: Signals,
        *,
        timeout: float = math.inf,
        grace: float,
        fields_fd: int | None,
        tell: Callable[[str], None],
    ) -> None:
        self._command = list(command)
        self._environ = dict(environ)
        self._signals = signals
        self._timeout = timeout
        self._grace = grace
        self._fields_fd = fields_fd
        self._tell = tell
        self._streams: list[_Stream] = []
        self._tail = bytearray()
        self._result = Finished()
        self._deadline = self._kill_at = self._linger_until = math.inf
        self._look_at = 0.0
        self._ended = self._killed = False
        self.pid = 0

    def start(self) -> None:
        """Start it. Raises OSError when it cannot be found or run."""
        ours: list[int] = []
        actions: list[tuple[int, int, int]] = []

        def connect(target: int | None, descriptors: Sequence[int], take: Callable[[bytes], None]) -> None:
            reader, writer = os.pipe()
            above = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, max((*descriptors, 2)) + 1)
            os.close(writer)
            ours.append(above)
            actions.extend((os.POSIX_SPAWN_DUP2, above, number) for number in descriptors)
            self._streams.append(_Stream(reader, target, take, self._tell))

        if _is_same_file(1, 2):
            connect(1, (1, 2), self._keep)  # one pipe keeps the order of their lines
        else:
            connect(1, (1,), self._keep)
            connect(2, (2,), self._keep)
        if self._fields_fd is not None:
            connect(None, (self._fields_fd,), self._result.fields.feed)
        try:
            self.pid = os.posix_spawnp(
                self._command[0], self._command, self._environ,
                file_actions=actions, setsid=True, setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
            )  # fmt: skip
        except OSError:
            for stream in self._streams:
                stream.close()
            raise
        finally:
            for writer in ours:
                os.close(writer)
        self._deadline = time.monotonic() + self._timeout

    def finish(self) -> Finished:
        """Wait for its end, or bring it about."""
        while True:
            now = time.monotonic()
            self._watch(now)
            if self._ended and self._is_over(now):
                break
            self._turn(now)
        if self._kill_at < math.inf:
            self._send(signal.SIGKILL)
        for stream in self._streams:
            stream.close()
        _, status = os.waitpid(self.pid, 0)
        self._tell_how(status)
        return self._result

    def _watch(self, now: float) -> None:
        """See whether it ended; act when its time is over."""
        if not self._ended:
            # The dead leader is not reaped yet: it keeps its number, and thus its group's, from being given away.
            found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            self._ended = found is not None
            if self._ended:
                self._linger_until = now + _LINGER
        if not self._ended and now >= self._deadline and not self._result.timed_out:
            self._result.timed_out = True
            self._end(signal.SIGTERM, now)
        if now >= self._kill_at and not self._killed:
            self._killed = True
            self._send(signal.SIGKILL)

    def _is_over(self, now: float) -> bool:
        """Whether nothing more is to come after the command itself ended."""
        if self._kill_at < math.inf and not self._killed and self._is_populated(now):
            return False
        if now >= self._linger_until:
            for stream in self._streams:
                if not stream.has_pending or self._result.timed_out:
                    stream.close()
        return all(stream.is_closed for stream in self._streams)

    def _is_populated(self, now: float) -> bool:
        """Whether others of its session live on; looks now and then only, for each look walks all of /proc."""
        if now < self._look_at:
            return True
        self._look_at = now + _LOOK_EVERY
        return any(_members(self.pid))

    def _turn(self, now: float) -> None:
        """Wait for the next event and handle it."""
        poller = select.poll()
        poller.register(self._signals.reader, select.POLLIN)
        by_descriptor = {}
        for stream in self._streams:
            if not stream.is_closed:
                descriptor, event = stream.awaits()
                poller.register(descriptor, event)
                by_descriptor[descriptor] = stream
        for descriptor, _ in poller.poll(max(0.0, min(self._next() - now, _LONGEST_WAIT)) * 1000):
            if descriptor in by_descriptor:
                by_descriptor[descriptor].step()
            else:
                self._pass_on(now)

    def _next(self) -> float:
        """When something is to be done though nothing happens."""
        instants = [self._kill_at if not self._killed else math.inf]
        if self._ended:
            instants.append(self._linger_until if self._linger_until > time.monotonic() else math.inf)
            if self._kill_at < math.inf and not self._killed:
                instants.append(self._look_at)
        elif not self._result.timed_out:
            instants.append(self._deadline)
        return min(instants)

    def _pass_on(self, now: float) -> None:
        for number in self._signals.caught():
            if number in _ENDING:
                self._result.interrupted_by = number.name
                self._end(number, now)
            else:
                self._send(number)

    def _end(self, number: signal.Signals, now: float) -> None:
        """Ask all of it to end, and make sure of it after the grace."""
        self._send(number)
        self._send(signal.SIGCONT)
        self._kill_at = min(self._kill_at, now + self._grace)

    def _send(self, number: signal.Signals) -> None:
        """Send to its group, and to those of its session that made groups of their own."""
        for group in {self.pid, *_members(self.pid)}:
            try:
                os.killpg(group, number)
            except (ProcessLookupError, PermissionError):
                continue

    def _keep(self, data: bytes) -> None:
        self._result.output_bytes += len(data)
        self._tail += data
        if len(self._tail) > 2 * TAIL:
            del self._tail[:-TAIL]

    def _tell_how(self, status: int) -> None:
        result = self._result
        result.fields.finish()
        result.tail = bytes(self._tail[-TAIL:])
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            result.killed_by = _signal_name(-code)
            code = 128 - code
        result.code = 124 if result.timed_out else code


class _Stream:
    """One pipe of the command. What comes out of it is taken, and passed on where there is a `target`.

    Nothing is read while the last piece still waits, so a slow reader slows the command as it would without us.
    """

    __slots__ = ("_at_once", "_pending", "_source", "_take", "_target", "_tell", "is_closed")

    def __init__(
        self, source: int, target: int | None, take: Callable[[bytes], None], tell: Callable[[str], None]
    ) -> None:
        self._source = source
        self._target = target
        self._take = take
        self._tell = tell
        self._pending = memoryview(b"")
        # After POLLOUT a pipe takes so much without blocking: PIPE_BUF. A file takes all.
        regular = target is not None and stat.S_ISREG(os.fstat(target).st_mode)
        self._at_once = _AT_ONCE if regular else select.PIPE_BUF
        self.is_closed = False

    @property
    def has_pending(self) -> bool:
        return bool(self._pending)

    def awaits(self) -> tuple[int, int]:
        """The descriptor, and the event of `poll` that lets `step` go on."""
        if self._pending and self._target is not None:
            return self._target, select.POLLOUT
        return self._source, select.POLLIN

    def step(self) -> None:
        if self._pending and self._target is not None:
            self._write(self._target)
            return
        data = os.read(self._source, _AT_ONCE)
        if not data:
            self.close()
            return
        self._take(data)
        if self._target is not None:
            self._pending = memoryview(data)

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            os.close(self._source)

    def _write(self, target: int) -> None:
        try:
            self._pending = self._pending[os.write(target, self._pending[: self._at_once]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # nobody reads: the command learns it as it would without us
            self._pending = memoryview(b"")
            self.close()
        except OSError as error:
            self._pending, self._target = memoryview(b""), None
            self._tell(f"the output cannot be passed on: {error.strerror}; the job goes on")


def open_standard_streams() -> None:
    """Give 0, 1 and 2 something where whoever started us closed them, so that no pipe of ours gets their number."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _members(session: int) -> Iterator[int]:
    """The groups of a session's live processes; nothing where there is no /proc."""
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return
    for number in numbers:
        try:
            with open(f"/proc/{number}/stat", "rb") as file:
                state, _, group, of, *_ = file.read().rpartition(b")")[2].split()
        except (OSError, ValueError):
            continue
        if int(of) == session and state not in (b"Z", b"X"):
            yield int(group)


def _is_same_file(first: int, second: int) -> bool:
    one, other = os.fstat(first), os.fstat(second)
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler, so that the system call is interrupted and the number comes through the pipe."""
