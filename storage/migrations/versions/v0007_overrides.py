"""settings changed at run time"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from storage.tables import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "overrides",
        sa.Column("id", _ID, nullable=False),
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.Column("value", _DOCUMENT, nullable=False),
        sa.Column("file_value", _DOCUMENT, nullable=False),
        sa.Column("set_by", sa.String(length=64), nullable=False),
        sa.Column("set_at", Instant(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("reverted_at", Instant()),
        sa.Column("reverted_by", sa.String(length=64)),
        sa.Column("replaced", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overrides")),
    )
    holding = sa.text("reverted_at IS NULL")
    op.create_index(
        "uq_overrides_path",
        "overrides",
        ["path"],
        unique=True,
        sqlite_where=holding,
        postgresql_where=holding,
    )


def downgrade() -> None:
    op.drop_table("overrides")
