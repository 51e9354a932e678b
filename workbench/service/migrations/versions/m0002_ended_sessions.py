"""Sessions that were logged out of."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ended_sessions",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("until", sa.Double, nullable=False),
    )
