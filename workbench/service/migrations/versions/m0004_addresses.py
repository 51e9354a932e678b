"""Where jobs come from: a visitor who takes a new cookie stays at one address."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0004", "0003"


def upgrade() -> None:
    """Add the column."""
    op.add_column("jobs", sa.Column("address", sa.String(80), nullable=False, server_default=""))
