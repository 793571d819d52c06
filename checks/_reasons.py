"""Why something could not be reached, in the operating system's own words."""

from __future__ import annotations

import os


def system_reason(error: BaseException) -> str | None:
    """`Connection refused`, `Name or service not known`: of the first cause that is the system's, or None."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            if isinstance(cause, TimeoutError) and not cause.errno:
                return "no answer in time"
            if cause.errno and cause.errno > 0:
                return os.strerror(cause.errno)
            if cause.strerror:  # a name that does not resolve has a negative number
                return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return None
