"""Every test of storage and of the use cases runs on SQLite and on PostgreSQL."""

from tests.databases import *  # noqa: F403
