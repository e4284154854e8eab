"""The commands of security, one after the other as an operator types them."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
import sqlalchemy as sa
import typer

from riskengine.cli import main
from riskengine.cli.app import console
from riskengine.security.key_ring import KeyUse, read_key_ring
from riskengine.security.second_factor import code_at

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Types a command; gives what it prints, or `error: ...` of one that fails."""
    monkeypatch.setenv("RISKENGINE_KEYS", str(tmp_path / "keys.json"))
    monkeypatch.setenv("RISKENGINE_STORE", f"sqlite:///{tmp_path}/store.db")
    monkeypatch.setenv("RISKENGINE_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("RISKENGINE_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv("RISKENGINE_AUDIT_ANCHORS", str(tmp_path / "anchors.txt"))
    monkeypatch.setattr(console, "width", 200)

    def typed(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["riskengine", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        assert (ended.value.code == 2) is told.err.startswith("error: "), told
        return told.err or told.out

    return typed


def test_keys_are_made_rotated_and_dropped(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    assert run("clients", "list").startswith("error: cannot read the keys in")
    assert "keep a copy" in run("keys", "new")
    first = read_key_ring(path)
    assert "is there already" in run("keys", "new")
    assert "is used for signing from now on" in run("keys", "rotate", "signing")
    new, old = read_key_ring(path).of(KeyUse.SIGNING)
    assert old.until is not None
    assert new.until is None
    run("keys", "rotate", "signing", "--at-once")
    assert all(key.until for key in read_key_ring(path).of(KeyUse.SIGNING)[1:])
    run("clients", "add", "li.wei", "--person", "--scope", "profiles")
    run("keys", "rotate", "encryption")
    old_kid = first.current(KeyUse.ENCRYPTION).kid
    refused = run("keys", "drop", "encryption", old_kid)
    assert f"1 values are sealed with {old_kid}: run" in refused
    assert "1 values sealed anew" in run("keys", "reencrypt")
    assert "is gone" in run("keys", "drop", "encryption", old_kid)
    listed = run("keys", "list")
    assert old_kid not in listed
    assert all(key.kid in listed for key in read_key_ring(path).keys)
    assert "old keys for audit stay" in run(
        "keys", "drop", "audit", first.current(KeyUse.AUDIT).kid
    )


def test_clients_are_added_listed_and_revoked(run: Run) -> None:
    run("keys", "new")
    told = run("clients", "add", "front-end", "--scope", "quotes", "--scope", "feedback")
    assert told.startswith("client_id front-end\nclient_secret ")
    assert "otpauth" not in told
    person = run("clients", "add", "li.wei", "--person", "--scope", "releases:promote")
    assert "otpauth otpauth://totp/riskengine:li.wei?" in person
    assert run("clients", "enrol", "li.wei") != person.splitlines()[-1] + "\n"
    assert "is for people" in run("clients", "add", "robot", "--scope", "releases:promote")
    assert "front-end is revoked" in run("clients", "revoke", "front-end")
    listed = run("clients", "list")
    assert "feedback quotes" in listed
    assert told.split()[-1] not in listed
    assert "no such client 'front-end'" in run("clients", "enrol", "front-end")


def test_the_audit_log_is_verified(run: Run, tmp_path: Path) -> None:
    from riskengine.security.audit import AuditEvent, AuditLog
    from riskengine.store import Database

    run("keys", "new")
    assert run("audit", "verify") == "the audit log is whole\n"
    ring = read_key_ring(tmp_path / "keys.json")
    database = Database(f"sqlite:///{tmp_path}/store.db")
    log = AuditLog(database, lambda: ring, tmp_path / "anchors.txt")
    for _ in range(3):
        log.append(AuditEvent("li.wei", "profile.read"), datetime.now(UTC))
    assert run("audit", "verify") == "the audit log is whole\n"
    with database.writing() as connection:
        connection.execute(sa.text("update audit_log set actor = 'nobody' where sequence = 2"))
    assert "error: the audit log has 1 faults" in run("audit", "verify")


@pytest.mark.parametrize(
    ("has_keys", "host", "listens"),
    [(False, "0.0.0.0", "127.0.0.1"), (True, "0.0.0.0", "0.0.0.0"), (False, "::1", "::1")],
)
def test_a_server_without_keys_listens_to_its_own_machine(
    run: Run, monkeypatch: pytest.MonkeyPatch, has_keys: bool, host: str, listens: str
) -> None:
    run("keys", "new")
    if not has_keys:
        monkeypatch.delenv("RISKENGINE_KEYS")
    asked: dict[str, object] = {}
    monkeypatch.setattr("riskengine.service.observed.log_json", lambda _: None)
    monkeypatch.setattr("uvicorn.run", lambda _, **options: asked.update(options))
    told = run("serve", "--host", host)
    assert asked["host"] == listens
    assert ("No keys are configured: listening on 127.0.0.1" in told) is (listens != host)


def test_clients_come_and_go_on_record(run: Run, tmp_path: Path) -> None:
    run("keys", "new")
    run("clients", "add", "li.wei", "--person", "--scope", "releases:promote")
    run("clients", "enrol", "li.wei")
    run("clients", "revoke", "li.wei")
    with sa.create_engine(f"sqlite:///{tmp_path}/store.db").connect() as rows:
        found = rows.execute(sa.text("SELECT action, subject FROM audit_log ORDER BY sequence"))
        told = [tuple(row) for row in found]
    assert told == [(f"client.{what}", "li.wei") for what in ("add", "enrol", "revoke")]


def test_promotions_are_a_persons_and_on_record(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("keys", "new")
    person = run("clients", "add", "li.wei", "--person", "--scope", "releases:promote").split()
    other = run("clients", "add", "care", "--person", "--scope", "profiles").split()
    otpauth = {"li.wei": person[-1], "care": other[-1]}
    clock = [datetime.now(UTC)]
    shown: list[str] = []

    def as_person(name: str, secret: str) -> None:
        """Type secret and a code, which is good once."""
        clock[0] += timedelta(seconds=30)
        (coded,) = parse_qs(urlparse(otpauth[name]).query)["secret"]
        shown[:] = [secret, code_at(base64.b32decode(coded), clock[0])]

    class Clock(datetime):
        @classmethod
        def now(cls, _: object = None) -> "Clock":  # type: ignore[override]
            return cls.fromtimestamp(clock[0].timestamp(), UTC)

    monkeypatch.setattr("riskengine.cli.security.datetime", Clock)
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: shown.pop(0))
    promote = ("release", "promote", "cn", "7", "--reason", "a trial")
    assert "a person promotes: give --client" in run(*promote)
    as_person("care", other[3])
    assert "has no scope releases:promote" in run(*promote, "--client", "care")
    as_person("li.wei", "wrong")
    assert "error: " in run(*promote, "--client", "li.wei")
    # There is no such release: what was asked for is on record all the same.
    for words in (
        (*promote, "--client", "li.wei"),
        ("release", "revoke", "cn@champion", "--reason", "wrong"),
        ("promote", "visits", "3", "--client", "li.wei"),
    ):
        as_person("li.wei", person[3])
        assert run(*words).startswith("error: ")
    rows = sa.create_engine(f"sqlite:///{tmp_path}/store.db").connect()
    found = rows.execute(sa.text("SELECT actor, action, subject FROM audit_log ORDER BY sequence"))
    told = [tuple(row) for row in found]
    assert [row[1:] for row in told[2:]] == [
        ("release.promote", "cn@champion"),
        ("release.revoke", "cn@champion"),
        ("model.promote", "visits/3"),
    ]
    assert [row[0].partition(":")[0] for row in told[2:]] == ["li.wei", "cli", "li.wei"]
    assert "is whole" in run("audit", "verify")
    rows.execute(sa.text("UPDATE audit_log SET subject = 'us_aca@champion' WHERE sequence = 1"))
    rows.commit()
    assert "the audit log has 1 faults" in run("audit", "verify")
