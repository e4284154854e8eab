"""What recommendations are judged by: every candidate, not only what was answered."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; decisions from before have no candidates to judge."""
    op.add_column("decisions", sa.Column("record", sa.LargeBinary))
