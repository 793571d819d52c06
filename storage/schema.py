"""Bringing the database to this version's schema with Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage.database import Database, DatabaseError, DatabaseUnusable

_LOCK = 0x746F6373696E  # the word "tocsin"


async def upgrade(database: Database) -> None:
    """Create or migrate the tables. Raises DatabaseUnusable when the database cannot be reached or written."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        async with database.engine.connect() as connection:
            await connection.execution_options(tocsin_write=True)
            async with connection.begin():
                if not database.is_sqlite:  # replicas that start together migrate one after another
                    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
                await connection.run_sync(_upgrade, config)
    except (DatabaseError, OSError, sa.exc.SQLAlchemyError) as error:
        raise DatabaseUnusable(f"{_where(database)}: {_reason(error)}") from error


def _upgrade(connection: sa.Connection, config: Config) -> None:
    newest = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {script.revision for script in newest.walk_revisions()}:
        raise DatabaseUnusable(
            f"the database was written by a newer Tocsin (schema {current}); install that version, "
            "or restore the backup made before it"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _where(database: Database) -> str:
    return f"the database {database.url.render_as_string(hide_password=True)} cannot be used"


def _reason(error: Any) -> str:
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    hints = {
        "unable to open database file": "its folder does not exist or this user may not write there",
        "readonly": "this user may not write to the file",
        "file is not a database": "the file is something else; point `database:` at another path",
        'role "': "check the user in `database:`",
        "does not exist": "create it first, for instance with createdb",
        "password authentication failed": "check the user and password in `database:`",
        "refused": "nothing listens there; start PostgreSQL or correct the host and port",
        "Connect call failed": "nothing listens there; start PostgreSQL or correct the host and port",
        "not known": "check the host in `database:`",
        "name resolution": "check the host in `database:`",
        "SSL": "remove sslmode from `database:`, or let the server speak TLS",
        "full": "free some space on its disk",
    }
    hint = next((advice for word, advice in hints.items() if word in text), None)
    return f"{text}; {hint}" if hint else text
