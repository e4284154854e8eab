"""Tables of clients, consents and the audit log; who owns the store migrates them with its own.

Times are text in ISO 8601, UTC. No column here holds a member id: consents are found by a blind
index, the audit log tells pseudonyms.
"""

import sqlalchemy as sa

METADATA = sa.MetaData()

CLIENTS = sa.Table(
    "security_clients",
    METADATA,
    sa.Column("client_id", sa.String(64), primary_key=True),
    sa.Column("person", sa.Boolean, nullable=False),
    sa.Column("secret_hash", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("created_at", sa.String(32), nullable=False),
    sa.Column("revoked_at", sa.String(32)),
    sa.Column("totp_secret", sa.Text),
    sa.Column("totp_step", sa.BigInteger, nullable=False, default=0),
    sa.Column("totp_attempts", sa.Integer, nullable=False, default=0),
    sa.Column("locked_until", sa.BigInteger, nullable=False, default=0),
)
CONSENTS = sa.Table(
    "member_consents",
    METADATA,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("member_index", sa.String(64), nullable=False, index=True),
    sa.Column("purpose", sa.String(32), nullable=False),
    sa.Column("given", sa.Boolean, nullable=False),
    sa.Column("wording", sa.String(64), nullable=False),
    sa.Column("recorded_by", sa.String(64), nullable=False),
    sa.Column("recorded_at", sa.String(32), nullable=False),
)
AUDIT = sa.Table(
    "audit_log",
    METADATA,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("recorded_at", sa.String(32), nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("detail_digest", sa.String(64), nullable=False),
    sa.Column("kid", sa.String(64), nullable=False),
    sa.Column("previous_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
