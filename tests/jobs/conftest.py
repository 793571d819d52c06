"""Jobs are judged alike on SQLite and on PostgreSQL."""

from tests.databases import *  # noqa: F403
