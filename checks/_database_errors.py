"""What went wrong with a database, in the few kinds that matter to a check."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from enum import Enum

from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

from checks._reasons import system_reason
from checks._secrets import masked
from checks.result import CheckResult, Diagnostic, State


class Trouble(Enum):
    """Why there is no reading. What a check says of it follows from this alone."""

    UNREACHABLE = "no connection, or it was lost"
    FAILING = "it answers, and fails by itself: locked, full, damaged"
    SLOW = "no answer within the statement's time"
    WRONG = "what was asked cannot be answered"
    UNUSABLE = "the check cannot run here: a driver or a setting"


class DatabaseError(Exception):
    """A database gave no reading; `reason` says why without any secret."""

    def __init__(self, trouble: Trouble, reason: str, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.trouble, self.reason, self.remedy = trouble, reason, remedy
        self.diagnostics: tuple[Diagnostic, ...] = ()


# https://www.postgresql.org/docs/current/errcodes-appendix.html, by class
_POSTGRESQL = {
    "08": Trouble.UNREACHABLE, "57": Trouble.UNREACHABLE, "28": Trouble.UNREACHABLE,
    "40": Trouble.FAILING, "53": Trouble.FAILING, "55": Trouble.FAILING, "58": Trouble.FAILING,
    "XX": Trouble.FAILING,
}  # fmt: skip
# https://mariadb.com/kb/en/mariadb-error-codes/ and MySQL's own 3024
_MYSQL = {
    1969: Trouble.SLOW, 3024: Trouble.SLOW,
    **dict.fromkeys((1040, 1053, 1927, 2006, 2013, 2014, 4031), Trouble.UNREACHABLE),
    **dict.fromkeys((126, 127, 144, 145, 1194, 1195, 1205, 1213, 1317, 1877, 1932), Trouble.FAILING),
    **dict.fromkeys((1021, 1030, 1034, 1035, 1037, 1038, 1041, 1114), Trouble.FAILING),
}  # fmt: skip
# https://www.sqlite.org/rescode.html, primary codes
_SQLITE = {
    sqlite3.SQLITE_INTERRUPT: Trouble.SLOW, sqlite3.SQLITE_CANTOPEN: Trouble.UNREACHABLE,
    **dict.fromkeys(
        (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_IOERR,
         sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB),
        Trouble.FAILING,
    ),
}  # fmt: skip


def connect_failure(error: BaseException, secrets: Iterable[str]) -> DatabaseError:
    """For an error while connecting: whatever the reason, nobody can use the database this way."""
    if isinstance(error, TypeError | ValueError | ImportError):
        remedy = "see which parameters the URL's driver knows"
        return DatabaseError(Trouble.UNUSABLE, masked(_reason(error), secrets), remedy)
    return DatabaseError(Trouble.UNREACHABLE, masked(_reason(error), secrets))


def statement_failure(error: BaseException, seconds: float, secrets: Iterable[str]) -> DatabaseError:
    """For an error on an open connection."""
    trouble = _trouble(error)
    if trouble is Trouble.SLOW:
        return DatabaseError(trouble, f"no answer within {seconds:g} s; the query was stopped")
    return DatabaseError(trouble, masked(_reason(error), secrets))


def failed_result(failure: DatabaseError, place: str) -> CheckResult:
    """What a check says of a failure: critical if the database is at fault, unknown if the question."""
    reason = failure.reason
    match failure.trouble:
        case Trouble.UNREACHABLE:
            state, up, summary = State.CRITICAL, 0, f"{place} is unreachable: {reason}"
        case Trouble.FAILING:
            state, up, summary = State.CRITICAL, 0, f"{place} fails: {reason}"
        case Trouble.SLOW:
            state, up, summary = State.CRITICAL, 1, f"{place} is too slow: {reason}"
        case Trouble.WRONG:
            state, up, summary = State.UNKNOWN, 1, f"the query cannot run: {reason}"
        case Trouble.UNUSABLE:
            return CheckResult(
                state=State.UNKNOWN, summary=f"the check cannot run: {reason}", remedy=failure.remedy
            )
    return CheckResult(
        state=state,
        summary=summary,
        fields={"up": up},
        diagnostics=failure.diagnostics,
        remedy=failure.remedy,
    )


def _trouble(error: BaseException) -> Trouble:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Trouble.UNREACHABLE
    original = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if isinstance(original, sqlite3.Error) and hasattr(original, "sqlite_errorcode"):
        return _SQLITE.get(original.sqlite_errorcode & 0xFF, Trouble.WRONG)
    if isinstance(original, OSError):
        return Trouble.UNREACHABLE
    code = original.args[0] if original.args else None
    if isinstance(code, int):
        return _MYSQL.get(code, Trouble.WRONG)
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if isinstance(state, str):
        return Trouble.SLOW if state == "57014" else _POSTGRESQL.get(state[:2], Trouble.WRONG)
    server = isinstance(error, OperationalError | InternalError | InterfaceError)
    return Trouble.FAILING if server else Trouble.WRONG


def _reason(error: BaseException) -> str:
    """One line from whichever cause says most."""
    if isinstance(error, IsADirectoryError):
        return "it is a directory"
    if isinstance(error, FileNotFoundError):
        return "the file does not exist"
    if reason := system_reason(error):
        return reason
    original = getattr(error, "orig", None) or error
    text = str(original.args[1] if len(original.args) > 1 and isinstance(original.args[0], int) else original)
    text = re.sub(r"^<class '[^']+'>: ", "", text).strip()
    return (text.splitlines() or [type(original).__name__])[0][:300]
