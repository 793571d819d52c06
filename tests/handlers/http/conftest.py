"""What comes in over HTTP is kept alike on SQLite and on PostgreSQL."""

from tests.databases import *  # noqa: F403
