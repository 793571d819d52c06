"""What to do about an alert, by its category and the field that is past its limit (requirement MH4)."""

from __future__ import annotations

_BY_FIELD: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("cpu", (
        "Look for runaway processes: `top -o %CPU`",
        "Check what was deployed recently",
        "Scale out if the load is genuine",
    )),
    ("memory", (
        "See who holds the memory: `ps aux --sort=-rss | head`",
        "Take a heap dump of the largest process",
        "Check recent changes for leaks",
    )),
    ("rss", (
        "Take a heap dump before restarting",
        "Check recent changes for leaks",
    )),
    ("swap", ("See who was swapped out: `smem -s swap -r | head`",)),
    ("disk", (
        "Find what grew: `du -xh / | sort -h | tail -20`",
        "Rotate or compress logs, remove old builds",
    )),
    ("load", ("See what waits: `ps -eo state,pid,cmd | grep ^D`",)),
    ("query_time", (
        "Look at the query plan and its missing indexes",
        "Check for locks and long transactions",
    )),
    ("response_time", (
        "Look at the slowest operations and their traces",
        "Check recent deployments",
        "Profile the endpoint under load",
    )),
    ("error_rate", (
        "Read the newest errors in the service's log",
        "Check recent deployments and roll back if they match",
    )),
    ("tls", ("Renew the certificate and reload the server",)),
)  # fmt: skip

_BY_CATEGORY: dict[str, tuple[str, ...]] = {
    "database": (
        "Check the number of connections and the pool's limit",
        "Check the credentials and that the server accepts connections",
        "Look for locks and long transactions",
    ),
    "availability": (
        "Check that the process runs and listens",
        "Read its newest log lines",
        "Check recent deployments and roll back if they match",
    ),
    "performance": (
        "Look at the slowest operations",
        "Check recent deployments",
        "Profile under load",
    ),
    "application": ("Read the job's newest output", "Run it once by hand", "Check recent deployments"),
    "security": (
        "See where the requests come from and block the source",
        "Check the accounts involved for successful logins",
    ),
    "business": ("Compare with the same hour last week", "Walk through the journey yourself"),
    "system": ("Look at the host's processes, memory and disks",),
}

_TIMEOUT = (
    "Compare its response times before the time-out",
    "Check what it waits for, and whether a circuit breaker should open",
)


def recommend(category: str, field: str | None, reason: str) -> tuple[str, ...]:
    """Up to three first steps; the more particular ones win."""
    if field is not None:
        for word, steps in _BY_FIELD:
            if word in field:
                return steps
    if "time limit" in reason or "timed out" in reason or "no answer within" in reason:
        return _TIMEOUT
    return _BY_CATEGORY.get(category, ())
