"""`tocsin exec` and `tocsin exec --flush`."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import time
from collections.abc import Mapping, Sequence

from bot.domain.clock import system_clock
from bot.execution import lock as locks
from bot.execution.fields import FieldLines
from bot.execution.options import USAGE, Misused, Options, parse, wants_help
from bot.execution.process import Command, Finished, Signals, open_standard_streams
from bot.execution.record import command_line, encode, instant, mask, new_run_id, with_fields
from bot.execution.spool import RUN, Entry, Spool, append_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DUPLICATE = 1
MISUSED = 2
NOT_EXECUTABLE, NOT_FOUND = 126, 127
_PATIENCE = 2.5  # seconds without progress; a request itself takes two
_LIMIT = 10.0  # seconds for all that waits
_LARGEST_FIELDS = 1024 * 1024


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run what `argv` (without `tocsin exec`) says; returns the exit code."""
    if wants_help(argv):
        os.write(1, USAGE.encode())
        return 0
    try:
        options = parse(argv, environ)
    except Misused as mistake:
        _tell(f"{mistake}; see tocsin exec --help")
        return MISUSED
    if options.flush:
        return _flush(options)
    open_standard_streams()
    execution = _Execution(options, environ)
    with Signals() as signals:
        code = execution.run(signals)
    with contextlib.suppress(KeyboardInterrupt):  # the run is kept, and the next start delivers it
        execution.deliver()
    return code


class _Execution:
    """One start of a job: its run is written down here, and then taken to the bot."""

    def __init__(self, options: Options, environ: Mapping[str, str]) -> None:
        self._options = options
        self._environ = environ
        self._spool = Spool(options.spool)
        self._run_id = new_run_id()
        self._started_at = system_clock()
        self._began = time.monotonic()
        self._kept: list[Entry] = []

    def run(self, signals: Signals) -> int:
        """Run the command under its lock and keep the run; returns the exit code."""
        try:
            lock = self._lock()
        except OSError as error:
            self._keep(self._record(DUPLICATE, error="lock_unavailable", message=str(error)))
            _tell(f"{self._options.job} is not started: no lock can be had: {error}")
            return DUPLICATE
        if isinstance(lock, locks.Holder):
            return self._refuse(lock)
        try:
            if lock is not None:
                self._take_over(lock)
            record = self._execute(signals, lock)
            if lock is not None:
                lock.finish(encode(record))
            self._keep(record)
        finally:
            if lock is not None:
                lock.release()
        code: int = record["exit_code"]
        return code

    def deliver(self) -> None:
        """Take this run, and those that wait, to the bot."""
        if not self._options.token:
            if self._kept and not self._options.log:
                _tell(
                    f"TOCSIN_TOKEN is not set, so the bot does not hear of this; it waits in {self._spool.folder}"
                )
            return
        from bot.execution.delivery import Delivery, Endpoint  # imported while the job ran

        delivery = Delivery(Endpoint(self._options.url, self._options.token), self._spool, _tell)
        delivery.run_within(_PATIENCE, _LIMIT, system_clock(), self._kept)
        if delivery.trouble is not None:
            _tell(f"{delivery.trouble}; what the bot has not taken waits in {self._spool.folder}")

    def _lock(self) -> locks.Lock | locks.Holder | None:
        if not self._options.lock:
            return None
        return locks.acquire(self._options.lock_dir, self._options.job, self._started_at)

    def _take_over(self, lock: locks.Lock) -> None:
        """Report what the start before could not, then let the lock speak of this one."""
        if lock.left is not None:
            if lock.left.line:
                self._keep_line(lock.left.note["run_id"], lock.left.line)
            else:
                self._keep(self._lost(lock.left.note))
        lock.note(**locks.note_of(self._run_id, self._started_at))

    def _refuse(self, holder: locks.Holder) -> int:
        by = "" if holder.pid is None else f" (process {holder.pid})"
        since = "" if holder.age_seconds is None else f" for {holder.age_seconds:.0f} s"
        _tell(f"{self._options.job} has been running{since} already{by}: not started a second time")
        self._keep(
            self._record(
                DUPLICATE,
                error="duplicate_run",
                lock_age_seconds=holder.age_seconds,
                lock_holder_pid=holder.pid,
            )
        )
        return DUPLICATE

    def _execute(self, signals: Signals, lock: locks.Lock | None) -> dict[str, Any]:
        options = self._options
        if options.fields_file:
            _empty(options.fields_file)
        command = Command(
            options.command,
            self._child_environ(),
            signals,
            timeout=options.timeout.total_seconds() if options.timeout else math.inf,
            grace=options.grace.total_seconds(),
            fields_fd=options.fields_fd,
            tell=_tell,
        )
        try:
            command.start()
        except (OSError, ValueError) as error:
            return self._not_started(error)
        if lock is not None:
            about = locks.note_of(self._run_id, self._started_at)
            lock.note(**about, command_pid=command.pid, command_started=locks.started(command.pid))
        if options.token:
            import bot.execution.delivery  # noqa: F401 - while the job runs, this takes no time from anybody
        finished = command.finish()
        if options.fields_file:
            _read_fields(options.fields_file, finished.fields)
        return self._finished(finished)

    def _child_environ(self) -> dict[str, str]:
        child = {**self._environ, "TOCSIN_JOB": self._options.job, "TOCSIN_RUN_ID": self._run_id}
        if self._options.fields_fd is not None:
            child["TOCSIN_FIELDS_FD"] = str(self._options.fields_fd)
        if self._options.fields_file:
            child["TOCSIN_FIELDS_FILE"] = self._options.fields_file
        return child

    def _not_started(self, error: OSError | ValueError) -> dict[str, Any]:
        name = self._options.command[0]
        reason = str(getattr(error, "strerror", None) or error)
        missing = getattr(error, "errno", None) == errno.ENOENT
        if missing and os.path.exists(name) and "/" in name:
            reason, missing = "the interpreter that its first line names is missing", False
        _tell(f"cannot run {name!r}: {reason}")
        return self._record(
            NOT_FOUND if missing else NOT_EXECUTABLE,
            error="command_not_found" if missing else "command_not_executable",
            message=f"cannot run {name!r}: {reason}",
        )

    def _finished(self, finished: Finished) -> dict[str, Any]:
        about: dict[str, Any] = {}
        if finished.timed_out:
            about["status"], about["log_level"] = "TIMEOUT", "CRITICAL"
        elif finished.killed_by:
            about["error"] = f"killed by {finished.killed_by}"
        if finished.interrupted_by:
            about["interrupted_by"] = finished.interrupted_by
        if finished.fields.broken:
            about["fields_broken"] = finished.fields.broken
        record = self._record(finished.code, **about)
        record = with_fields(record, finished.fields.fields)
        record["output_bytes"] = finished.output_bytes
        record["output_tail"] = mask(finished.tail.decode("utf-8", "replace"), [self._options.token])
        return record

    def _record(self, code: int, **about: Any) -> dict[str, Any]:
        """The run's line, as it stands now."""
        options = self._options
        record: dict[str, Any] = {
            "timestamp": instant(system_clock()),
            "job_name": options.job,
            "run_id": self._run_id,
            "status": "SUCCESS" if code == 0 else "ERROR",
            "duration_seconds": round(time.monotonic() - self._began, 3),
            "error_codes": [],
            "exit_code": code,
            "log_level": "INFO" if code == 0 else "ERROR",
            "host": os.uname().nodename,
            "command": command_line(options.command, [options.token]),
            "started_at": instant(self._started_at),
        }
        if options.timeout is not None:
            seconds = options.timeout.total_seconds()
            record["max_seconds"] = int(seconds) if seconds.is_integer() else seconds
        return {**record, **about}

    def _lost(self, noted: Mapping[str, Any]) -> dict[str, Any]:
        """The run of a start that died before it could write it down: killed, or the power went."""
        _tell(
            f"the last run of {self._options.job}, begun {noted.get('started_at')}, was killed before it was logged"
        )
        return {
            "timestamp": instant(self._started_at),
            "job_name": self._options.job,
            "run_id": noted["run_id"],
            "status": "ERROR",
            "error": "run_lost",
            "message": "tocsin exec was killed during this run, or the machine stopped; how it ended is not known",
            "error_codes": [],
            "log_level": "ERROR",
            "host": os.uname().nodename,
            "started_at": noted.get("started_at"),
        }

    def _keep(self, record: Mapping[str, Any]) -> None:
        self._keep_line(str(record["run_id"]), encode(record))

    def _keep_line(self, run_id: str, line: bytes) -> None:
        """Write it to the log and the spool. What cannot be written is told, and still posted."""
        if self._options.log:
            try:
                append_line(self._options.log, line)
            except OSError as error:
                _tell(f"{self._options.log} cannot be written: {error.strerror or error}")
        if self._options.log and not self._options.token:
            return  # the bot follows the log
        try:
            entry = self._spool.add(RUN, run_id, line, system_clock())
            if dropped := self._spool.trim():
                _tell(f"{self._spool.folder} was full: its {dropped} oldest runs were dropped")
        except OSError as error:
            _tell(f"{self._spool.folder} cannot be written: {error.strerror or error}")
            entry = Entry("", RUN, line)
        self._kept.append(entry)


def _flush(options: Options) -> int:
    """Deliver what waits: 0 when nothing waits any more, else 1."""
    from bot.execution.delivery import Delivery, Endpoint

    if not options.token:
        _tell("TOCSIN_TOKEN is not set")
        return MISUSED
    spool = Spool(options.spool)
    delivery = Delivery(Endpoint(options.url, options.token), spool, _tell)
    delivery.run(system_clock())
    waiting = len(spool.names())
    trouble = f": {delivery.trouble}" if delivery.trouble else ""
    _tell(f"{delivery.delivered} delivered, {waiting} waiting{trouble}")
    return 1 if waiting else 0


def _empty(path: str) -> None:
    """Begin without the fields of the last run."""
    try:
        with open(path, "wb"):
            pass
    except OSError as error:
        _tell(f"{path} cannot be emptied: {error.strerror or error}; fields of an earlier run may show")


def _read_fields(path: str, fields: FieldLines) -> None:
    try:
        with open(path, "rb") as file:
            fields.feed(file.read(_LARGEST_FIELDS))
            fields.finish()
    except OSError as error:
        _tell(f"{path} cannot be read: {error.strerror or error}")


def _tell(text: str) -> None:
    """Say it on standard error, where cron and systemd keep it."""
    with contextlib.suppress(OSError):
        os.write(2, f"tocsin exec: {text}\n".encode("utf-8", "replace"))
