"""Profiles, as stores had them before they were versioned."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table where it is not there yet."""
    if sa.inspect(op.get_bind()).has_table("profiles"):
        return
    op.create_table(
        "profiles",
        sa.Column("member_id", sa.String, primary_key=True),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("features", sa.Text, nullable=False),
    )
