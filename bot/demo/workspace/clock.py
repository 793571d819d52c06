"""What time it is: the one place in the workspace that asks."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The machine's time, aware UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the clock itself
