"""Every member of a household that was quoted together, where there was room for the first only."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table; quotes from before were of one member, or told no others."""
    op.create_table(
        "quote_members",
        sa.Column("quote_id", sa.String(36), sa.ForeignKey("quotes.quote_id"), primary_key=True),
        sa.Column("member", sa.String, primary_key=True),
    )
    op.create_index("quote_members_member", "quote_members", ["member"])
