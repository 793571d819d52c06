"""How the workspace says no: Slack's error codes, and the two ways a call can end without an answer."""

from collections.abc import Sequence
from typing import Any


class Refusal(Exception):
    """Slack would answer `{"ok": false, "error": code, ...}`, with this HTTP status and Retry-After."""

    def __init__(
        self, code: str, *, status: int = 200, retry_after: int | None = None, **details: Any
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.retry_after = retry_after
        self.details = details

    def body(self) -> dict[str, Any]:
        """The JSON a client reads."""
        return {"ok": False, "error": self.code, **self.details}


class ConnectionDropped(Exception):
    """The connection must be cut without an answer."""


class NotDelivered(Exception):
    """The app did not take an interaction: `dispatch_failed` unconnected, else `operation_timeout`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def invalid_arguments(*messages: str) -> Refusal:
    """The refusal for arguments of the wrong shape."""
    return Refusal("invalid_arguments", response_metadata=error_messages(messages))


def error_messages(messages: Sequence[str]) -> dict[str, list[str]]:
    """The part of an answer that explains each mistake."""
    return {"messages": [f"[ERROR] {message}" for message in messages]}
