"""Report jobs and alerts from Python, with the standard library only.

    from bot.client import job, alert

    with job("parse_reservations") as run:
        run.set(rows_processed=1200, rows_invalid=3)

Nothing here raises into the caller's work or makes it wait for the bot: what is reported is written to the spool and
delivered by a thread; while the bot is down it waits there, across restarts.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import functools
import inspect
import logging
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from bot.domain.clock import system_clock
from bot.execution.delivery import TIMEOUT, Delivery, Endpoint
from bot.execution.options import DEFAULT_URL, spool_folder
from bot.execution.record import encode, instant, new_run_id, with_fields
from bot.execution.spool import ALERT, RUN, Entry, Spool

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("tocsin.client")

_LONGEST_TEXT = 8000
_TRY_AGAIN = 30.0
_MOST_WAITING = 10_000
_ELSEWHERE = "another process delivers it"
_current: contextvars.ContextVar[JobRun | None] = contextvars.ContextVar("tocsin_run", default=None)


class JobRun:
    """The run under way. `fields` become fields of the report; what was measured stands."""

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        self.name = name
        self.run_id = new_run_id()
        self.fields: dict[str, Any] = dict(fields)
        self._failure: str | None = None
        self._started_at = system_clock()
        self._began = time.monotonic()

    def set(self, **fields: Any) -> None:
        """Set fields of the report."""
        self.fields.update(fields)

    def fail(self, error: str) -> None:
        """Report an error though nothing is raised."""
        self._failure = error

    def record(self, error: BaseException | None) -> dict[str, Any]:
        """The run as it is reported when it ends now, by this exception or without one."""
        about = _about(error) if self._failure is None else {"error": self._failure[:_LONGEST_TEXT]}
        code = about.pop("exit_code", 1 if about else 0)
        measured = {
            "timestamp": instant(system_clock()),
            "job_name": self.name,
            "run_id": self.run_id,
            "status": "ERROR" if code else "SUCCESS",
            "duration_seconds": round(time.monotonic() - self._began, 3),
            "error_codes": [],
            "exit_code": code,
            "log_level": "ERROR" if code else "INFO",
            "host": os.uname().nodename,
            "started_at": instant(self._started_at),
            **about,
        }
        return with_fields(measured, self.fields)


class Job:
    """A job to run: `with` and `async with` it, or decorate a function, sync or async, each call of which is a run.

    A `with` of it is one run; two at once need a `job(...)` each.
    """

    def __init__(self, client: Callable[[], Client], name: str, fields: Mapping[str, Any]) -> None:
        self._client = client
        self._name = name
        self._fields = fields
        self._run: JobRun | None = None
        self._token: contextvars.Token[JobRun | None] | None = None

    def __enter__(self) -> JobRun:
        self._run = JobRun(self._name, self._fields)
        self._token = _current.set(self._run)
        return self._run

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._end(error)

    async def __aenter__(self) -> JobRun:
        return self.__enter__()

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._end(error)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, R]", self._decorated_async(function))
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__qualname__} is a generator: use `with job(...)` within it")

        @functools.wraps(function)
        def decorated(*args: P.args, **kwargs: P.kwargs) -> R:
            with Job(self._client, self._name, self._fields):
                return function(*args, **kwargs)

        return decorated

    def _decorated_async(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(function)
        async def decorated(*args: Any, **kwargs: Any) -> Any:
            async with Job(self._client, self._name, self._fields):
                return await function(*args, **kwargs)

        return decorated

    def _end(self, error: BaseException | None) -> None:
        run, self._run = self._run, None
        with contextlib.suppress(ValueError):  # left in another context than it was entered in
            if self._token is not None:
                _current.reset(self._token)
        if run is None:
            return
        try:
            self._client().send(RUN, run.run_id, run.record(error))
        except Exception:
            log.exception("the run of %s could not be reported", self._name)


class Client:
    """Reports to one bot. Thread-safe; `spool` is where things wait, shared with `tocsin exec` unless given.

    `timeout` is the most seconds that a request may take, and that a caller may be kept waiting.
    """

    def __init__(
        self, url: str = DEFAULT_URL, token: str = "", *, spool: str | None = None, timeout: float = TIMEOUT
    ) -> None:
        self._endpoint = Endpoint(url, token, timeout)
        self._has_token = bool(token)
        self._timeout = timeout
        self._spool = Spool(spool or spool_folder(os.environ))
        self._lock = threading.Lock()
        self._prepare()

    def _prepare(self) -> None:
        """Begin with nothing to do, and no thread."""
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()

    def job(self, name: str, **fields: Any) -> Job:
        """A run of a job, to be used as a context manager or a decorator. The fields become the report's."""
        return Job(lambda: self, name, fields)

    def alert(
        self,
        alert_type: str,
        title: str,
        message: str = "",
        *,
        severity: str = "ERROR",
        category: str | None = None,
        resource: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        recommendations: Sequence[str] | None = None,
        related_logs: Sequence[str] | None = None,
        affected_users: int | None = None,
        error_count: int | None = None,
        stack_trace: str | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Raise an alert; one with the same type and resource is the same alert. Returns at once."""
        if stack_trace is None and exception is not None:
            stack_trace = _stack_trace(exception)
        given = {
            "alert_type": alert_type,
            "title": title,
            "message": message,
            "severity": severity,
            "category": category,
            "resource": resource,
            "metadata": metadata,
            "recommendations": recommendations,
            "related_logs": related_logs,
            "affected_users": affected_users,
            "error_count": error_count,
            "stack_trace": stack_trace,
        }
        try:
            body = {name: value for name, value in given.items() if value is not None}
            self.send(ALERT, new_run_id(), body)
        except Exception:
            log.exception("the alert %s could not be reported", alert_type)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until nothing waits any more; False when the bot takes nothing, or not within `timeout` seconds."""
        end = time.monotonic() + (self._timeout if timeout is None else timeout)
        while True:
            item = _Item()
            self._put(item)
            item.handled.wait(max(0.0, end - time.monotonic()))
            if item.trouble is None or time.monotonic() > end:
                return item.handled.is_set() and item.trouble is None
            if item.trouble != _ELSEWHERE:
                return False
            time.sleep(0.02)

    def send(self, kind: str, name: str, record: Mapping[str, Any]) -> None:
        """Report a record: write it to the spool, in the thread where an event loop would wait, and deliver it soon."""
        item = _Item(kind, name, encode(record))
        if not _is_in_event_loop():
            self._keep(item)
        self._put(item)

    def _put(self, item: _Item) -> None:
        with self._lock:
            if self._process != os.getpid():
                self._prepare()  # after a fork the thread is the parent's
            if self._queue.qsize() >= _MOST_WAITING:
                log.warning("a report was dropped: %d are waiting to be written", _MOST_WAITING)
                return
            self._queue.put(item)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="tocsin-client", daemon=True)
                self._thread.start()
                atexit.register(self._at_exit)

    def _at_exit(self) -> None:
        with contextlib.suppress(RuntimeError):  # no thread may be started any more
            self.flush()

    def _work(self) -> None:
        """Keep and deliver what comes, until the process ends; what waits is tried again now and then."""
        waiting = False
        while True:
            items = []
            with contextlib.suppress(queue.Empty):
                items.append(self._queue.get(timeout=_TRY_AGAIN if waiting else None))
                while True:
                    items.append(self._queue.get_nowait())
            trouble: str | None = "it could not be delivered"
            try:
                trouble = self._handle(items)
            except Exception:
                log.exception("reports could not be delivered")
            waiting = trouble is not None and self._has_token
            for item in items:
                item.trouble = trouble
                item.handled.set()

    def _handle(self, items: Sequence[_Item]) -> str | None:
        """Keep these and deliver all that waits; returns why something still does, or None."""
        for item in items:
            if item.kind and item.entry is None:
                self._keep(item)
        own = [item.entry for item in items if item.entry is not None]
        delivery = Delivery(self._endpoint, self._spool, lambda text: log.warning("%s", text))
        if self._has_token:
            delivery.run(system_clock(), own)
        else:
            delivery.trouble = "TOCSIN_TOKEN is not set"
        if delivery.trouble is not None and own:
            lost = sum(not entry.path for entry in own)
            log.warning("%s; reports wait in %s", delivery.trouble, self._spool.folder)
            if lost:
                log.error("%d reports were lost: the spool cannot be written either", lost)
        return delivery.trouble or (_ELSEWHERE if self._spool.names() else None)

    def _keep(self, item: _Item) -> None:
        """Write it to the spool, or hold it in memory where that cannot be written."""
        try:
            item.entry = self._spool.add(item.kind, item.name, item.line, system_clock())
            if dropped := self._spool.trim():
                log.warning("%s was full: its %d oldest reports were dropped", self._spool.folder, dropped)
        except OSError as error:
            log.warning("the spool %s cannot be written: %s", self._spool.folder, error.strerror or error)
            item.entry = Entry("", item.kind, item.line)


class _Item:
    """Something to report, or nothing: then only a place in the queue to wait for."""

    __slots__ = ("entry", "handled", "kind", "line", "name", "trouble")

    def __init__(self, kind: str = "", name: str = "", line: bytes = b"") -> None:
        self.kind = kind
        self.name = name
        self.line = line
        self.entry: Entry | None = None
        self.handled = threading.Event()
        self.trouble: str | None = None


_clients: dict[tuple[str, str, str], Client] = {}
_clients_lock = threading.Lock()


def default_client() -> Client:
    """The client of TOCSIN_URL, TOCSIN_TOKEN and TOCSIN_SPOOL as they are now."""
    environ = os.environ
    key = environ.get("TOCSIN_URL") or DEFAULT_URL, environ.get("TOCSIN_TOKEN", ""), spool_folder(environ)
    with _clients_lock:
        if key not in _clients:
            _clients[key] = Client(key[0], key[1], spool=key[2])
        return _clients[key]


def job(name: str, **fields: Any) -> Job:
    """`Client.job` of the client that the environment describes when the run ends."""
    return Job(default_client, name, fields)


def alert(alert_type: str, title: str, message: str = "", **more: Any) -> None:
    """`Client.alert` of the client that the environment describes."""
    default_client().alert(alert_type, title, message, **more)


def flush(timeout: float | None = None) -> bool:
    """`Client.flush` of the client that the environment describes."""
    return default_client().flush(timeout)


def current_run() -> JobRun | None:
    """The run that this code is part of, for functions that a decorator made a job."""
    return _current.get()


def _is_in_event_loop() -> bool:
    """Whether this thread runs an event loop, which must not wait for a disk."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _about(error: BaseException | None) -> dict[str, Any]:
    """What a report says of how a job ended; nothing when it ended well."""
    if error is None:
        return {}
    if isinstance(error, SystemExit):
        if error.code is None or error.code == 0:
            return {}
        if isinstance(error.code, int):
            return {"exit_code": error.code & 0xFF or 1, "error": f"SystemExit: {error.code}"}
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - the caller's own class may do anything
        message = "an exception that cannot be shown"
    name = type(error).__name__
    return {
        "error": f"{name}: {message}"[:_LONGEST_TEXT] if message else name,
        "error_type": name,
        "stack_trace": _stack_trace(error),
        **({"exit_code": 130} if isinstance(error, KeyboardInterrupt) else {}),
    }


def _stack_trace(error: BaseException) -> str:
    """The end of the traceback, which names the cause."""
    try:
        return "".join(traceback.format_exception(error, limit=-50))[-_LONGEST_TEXT:]
    except Exception:  # noqa: BLE001 - the caller's own class may do anything
        return f"{type(error).__name__}: the traceback cannot be shown"
