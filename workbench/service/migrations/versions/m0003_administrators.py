"""Accounts that may see how the server is used."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"


def upgrade() -> None:
    """Add the column."""
    column = sa.Column("is_administrator", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("users", column)
