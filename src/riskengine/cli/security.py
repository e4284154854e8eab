"""Commands about security: keys, clients, the audit log."""

import getpass
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from riskengine.cli.app import app, console
from riskengine.errors import InputError, ProtectionError
from riskengine.security.audit import AuditEvent
from riskengine.security.key_ring import (
    KeyUse,
    new_ring,
    read_key_ring,
    write_key_ring,
)
from riskengine.security.scopes import Scope
from riskengine.settings import Settings

if TYPE_CHECKING:
    from riskengine.service.security import Protected

keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make and rotate keys.")
clients = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Who may call the service, and for what."
)
_SECRET = "RISKENGINE_CLIENT_SECRET"
Person = Annotated[
    str | None,
    typer.Option(help=f"Where there are keys: who promotes. Asks for the secret ({_SECRET})."),
]
audit = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The audit log.")
app.add_typer(keys, name="keys")
app.add_typer(clients, name="clients")
app.add_typer(audit, name="audit")

ClientId = Annotated[str, typer.Argument(help="Name of the client, such as sales-front-end.")]
Use = Annotated[KeyUse, typer.Argument(help="What the key is for.")]


@keys.command()
def new() -> None:
    """Make a key for every use, into the file that RISKENGINE_KEYS names."""
    path = _key_file()
    if path.exists():
        message = f"{path} is there already: `riskengine keys rotate` adds to it"
        raise InputError(message)
    write_key_ring(path, new_ring(datetime.now(UTC)))
    console.print(f"{path}: keep a copy where nobody else can read it; without it data are lost")


@keys.command("list")
def list_keys() -> None:
    """Every key with its use and dates; secrets are not told."""
    table = Table("use", "key", "made (UTC)", "ends (UTC)")
    for key in reversed(read_key_ring(_key_file()).keys):
        ends = "" if key.until is None else f"{key.until:%Y-%m-%d %H:%M}"
        table.add_row(key.use.value, key.kid, f"{key.created_at:%Y-%m-%d %H:%M}", ends)
    console.print(table)


@keys.command()
def rotate(
    use: Use,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Signing: refuse every token given before now.")
    ] = False,
) -> None:
    """Make a new key, which is used from now on; a service that runs takes it up by itself.

    Old signing keys verify until their last token has expired. Old keys of other uses stay: after
    rotating encryption, run `riskengine keys reencrypt`, then `riskengine keys drop`.
    """
    overlap = None
    if use is KeyUse.SIGNING:
        overlap = timedelta(minutes=0 if at_once else Settings().token_minutes)
    ring = read_key_ring(_key_file()).rotated(use, datetime.now(UTC), overlap)
    write_key_ring(_key_file(), ring)
    console.print(f"{ring.current(use).kid} is used for {use} from now on")


@keys.command()
def reencrypt() -> None:
    """Seal everything stored with the newest encryption key, batch by batch; may be repeated."""
    from riskengine.security.reencryption import keys_in_use
    from riskengine.security.reencryption import reencrypt as seal_anew
    from riskengine.service.security.holdings import SEALED_COLUMNS

    protected = _protected()
    changed = seal_anew(protected.database, SEALED_COLUMNS, protected.cipher)
    console.print(f"{changed:,} values sealed anew")
    for kid, values in keys_in_use(protected.database, SEALED_COLUMNS).items():
        console.print(f"  {kid}: {values:,} values")


@keys.command()
def drop(use: Use, kid: Annotated[str, typer.Argument(help="Name of the key.")]) -> None:
    """Take an old key out of the ring; refused while something is sealed with it."""
    from riskengine.security.reencryption import keys_in_use
    from riskengine.service.security.holdings import SEALED_COLUMNS

    if use in {KeyUse.AUDIT, KeyUse.INDEX}:
        message = f"old keys for {use} stay: what was written with them is looked up by them"
        raise InputError(message)
    ring = read_key_ring(_key_file()).without(use, kid)
    if use is KeyUse.ENCRYPTION:
        values = keys_in_use(_protected().database, SEALED_COLUMNS).get(kid, 0)
        if values:
            message = f"{values:,} values are sealed with {kid}: run `riskengine keys reencrypt`"
            raise InputError(message)
    write_key_ring(_key_file(), ring)
    console.print(f"{kid} is gone")


@clients.command()
def add(
    client_id: ClientId,
    scope: Annotated[list[Scope], typer.Option(help="What it may do; may be repeated.")],
    person: Annotated[
        bool, typer.Option("--person", help="A person, who gets a second factor.")
    ] = False,
) -> None:
    """Register a client; its secret, and a person's otpauth address, are shown this once."""
    audited("client.add", client_id, {"scopes": [*scope], "person": person})
    shown = _protected().clients.add(client_id, scope, datetime.now(UTC), person=person)
    # Secrets go out bare, without wrapping or colour, to be piped.
    print(f"client_id {client_id}\nclient_secret {shown.secret}")  # noqa: T201
    if shown.otpauth is not None:
        print(f"otpauth {shown.otpauth}")  # noqa: T201


@clients.command()
def enrol(client_id: ClientId) -> None:
    """Give a person a new second factor in place of the old one."""
    audited("client.enrol", client_id, {})
    print(f"otpauth {_protected().clients.enrol(client_id)}")  # noqa: T201


@clients.command("list")
def list_clients() -> None:
    """Every client with its scopes; secrets are not kept and cannot be told."""
    table = Table("client", "person", "scopes", "second factor", "added (UTC)", "revoked (UTC)")
    for one in _protected().clients.clients():
        yes = {True: "yes", False: "no"}
        table.add_row(
            one.client_id,
            yes[one.person],
            " ".join(one.scopes),
            yes[one.second_factor],
            one.created_at[:16],
            (one.revoked_at or "")[:16],
        )
    console.print(table)


@clients.command()
def revoke(client_id: ClientId) -> None:
    """Give a client no more tokens; those it has are refused within seconds."""
    audited("client.revoke", client_id, {})
    _protected().clients.revoke(client_id, datetime.now(UTC))
    console.print(f"{client_id} is revoked")


@audit.command()
def verify() -> None:
    """Look for changes, gaps and cuts in the audit log; exit code 2 when there are any."""
    faults = _protected().audit.verify()
    for fault in faults[:20]:
        console.print(fault, soft_wrap=True)
    if faults:
        message = f"the audit log has {len(faults)} faults: secure the database and the anchors"
        raise ProtectionError(message)
    console.print("the audit log is whole")


def audited(action: str, subject: str, detail: Mapping[str, object], by: str | None = None) -> None:
    """Write into the audit log, where there are keys, what this command is about to do.

    Before it is done: nothing moves that is not on record. Raises `StoreError` when it cannot. `by`
    is a client that has shown who it is; else it is whoever is logged in.
    """
    if not _has_keys():
        return
    event = AuditEvent(by or f"cli:{getpass.getuser()}", action, subject, detail)
    _protected().audit.append(event, datetime.now(UTC))


def promoter(client: str | None) -> str | None:
    """Who promotes: where there are keys a person, who shows secret and one-time code.

    Raises `InputError` without a name, and as a token is refused.
    """
    from riskengine.security.clients import Credentials
    from riskengine.service.security.access import require_scope

    if not _has_keys():
        return None
    if client is None:
        message = f"a person promotes: give --client, who has the scope {Scope.RELEASES_PROMOTE}"
        raise InputError(message)
    secret = os.environ.get(_SECRET) or typer.prompt("Client secret", hide_input=True, err=True)
    code = typer.prompt("One-time code", err=True)
    found = _protected().clients.authenticate(Credentials(client, secret, code), datetime.now(UTC))
    require_scope(found, Scope.RELEASES_PROMOTE)
    return found.client


def _has_keys() -> bool:
    settings = Settings()
    return settings.keys is not None or settings.keys_json is not None


def _key_file() -> Path:
    path = Settings().keys
    if path is None:
        message = "set RISKENGINE_KEYS to the file of the keys"
        raise InputError(message)
    return path


def _protected() -> "Protected":
    from riskengine.service.security import security_of
    from riskengine.store import Database

    settings = Settings()
    protected = security_of(settings, Database(settings.store)).protected
    if protected is None:
        message = "there are no keys: set RISKENGINE_KEYS, then `riskengine keys new`"
        raise InputError(message)
    return protected
