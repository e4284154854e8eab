"""What security is made of, composed once from the settings and handed to the application."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from riskengine.errors import InputError
from riskengine.security.audit import AuditLog
from riskengine.security.clients import ClientStore
from riskengine.security.consents import ConsentStore
from riskengine.security.database import Connections
from riskengine.security.field_encryption import FieldCipher
from riskengine.security.key_ring import KeyFile, Keys, new_ring, parse_key_ring
from riskengine.security.member_log import Pseudonyms
from riskengine.security.member_rows import MemberRows
from riskengine.security.rate_limit import Rate
from riskengine.security.tokens import TokenTerms
from riskengine.service.security.holdings import holdings_of
from riskengine.settings import Settings

_RATE, _TOKEN_RATE = Rate(per_second=100, burst=200), Rate(per_second=1, burst=30)


@dataclass(frozen=True)
class Limits:
    """How much one request, and one client, may ask for."""

    request_bytes: int = 1_048_576
    batch_items: int = 1_000
    rate: Rate = _RATE
    token_rate: Rate = _TOKEN_RATE


@dataclass(frozen=True)
class Protected:
    """What only a service with keys has: who may call, what members agreed to, what was done."""

    keys: Keys
    database: Connections
    cipher: FieldCipher
    clients: ClientStore
    consents: ConsentStore
    audit: AuditLog
    terms: TokenTerms
    holdings: tuple[MemberRows, ...] = ()


@dataclass(frozen=True)
class Security:
    """`protected` is None without keys: then whoever is on this machine may do everything.

    `open_to_all` is for a network that lets nobody else in: other machines may, too.
    """

    names: Pseudonyms
    limits: Limits
    protected: Protected | None = None
    cors_origins: tuple[str, ...] = ()
    open_to_all: bool = False
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


def configured_keys(settings: Settings) -> Keys | None:
    """The key ring that the settings name, or None; raises `ProtectionError` for a bad one."""
    if settings.keys is not None and settings.keys_json is not None:
        message = "RISKENGINE_KEYS and RISKENGINE_KEYS_JSON are both set: leave one"
        raise InputError(message)
    if settings.keys_json is not None:
        ring = parse_key_ring(settings.keys_json.get_secret_value(), "RISKENGINE_KEYS_JSON")
        return lambda: ring
    if settings.keys is None:
        return None
    keys = KeyFile(settings.keys)
    keys()
    return keys


def sealer_of(settings: Settings) -> FieldCipher | None:
    """What opens what the service has sealed, for commands that read its store."""
    keys = configured_keys(settings)
    return None if keys is None else FieldCipher(keys)


def security_without_keys(limits: Limits | None = None) -> Security:
    """For one's own machine: no tokens; pseudonyms in logs are good until the process ends."""
    ring = new_ring(datetime.now(UTC))
    return Security(Pseudonyms(lambda: ring), limits or Limits())


def security_of(settings: Settings, database: Connections) -> Security:
    """Security as the settings say, on the database of the store."""
    limits = Limits(
        settings.request_bytes,
        settings.batch_items,
        Rate(settings.requests_per_second, 2 * settings.requests_per_second),
    )
    keys = configured_keys(settings)
    if keys is None:
        return replace(security_without_keys(limits), open_to_all=settings.open_to_all)
    cipher = FieldCipher(keys)
    protected = Protected(
        keys,
        database,
        cipher,
        ClientStore(database, cipher, settings.issuer),
        ConsentStore(database, cipher),
        AuditLog(database, keys, settings.audit_anchors),
        TokenTerms(settings.issuer, settings.issuer, timedelta(minutes=settings.token_minutes)),
        holdings_of(cipher),
    )
    return Security(Pseudonyms(keys), limits, protected, settings.cors_origins)
