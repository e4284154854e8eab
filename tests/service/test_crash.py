"""The service is killed under load: whatever got a 2xx is in the store afterwards."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx2 as httpx
import pytest
import sqlalchemy as sa

from riskengine.security.key_ring import new_ring, write_key_ring
from riskengine.security.scopes import Caller, Scope
from riskengine.security.tables import AUDIT
from riskengine.security.tokens import issue_token
from riskengine.service.requests import EXAMPLE_ANSWERS
from riskengine.service.security import security_of
from riskengine.settings import Settings
from riskengine.store import Database, Plain, read_acceptance, read_quote
from riskengine.store.schema import FEEDBACK
from tests.conftest import ROOT

THREADS, ENOUGH = 4, 150


class Told:
    """What the clients were told was kept."""

    def __init__(self) -> None:
        self.quotes: list[tuple[str, bytes]] = []
        self.accepted: list[str] = []
        self.feedback: list[str] = []

    @property
    def count(self) -> int:
        return len(self.quotes) + len(self.accepted) + len(self.feedback)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with served(tmp_path) as there:
        yield there


@contextmanager
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A service on the store in a folder, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.service.running", str(folder), str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                httpx.get(f"{url}/readyz").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield process, url
    finally:
        process.kill()
        process.wait()


def ask(url: str, told: Told) -> None:
    """Quotes, acceptances and feedback one after the other, until nobody answers."""
    body = {"answers": EXAMPLE_ANSWERS, "as_of": "2026-01-01", "plans": ["free_care"]}
    try:
        with httpx.Client(base_url=url) as client:
            while True:
                answer = client.post("/v1/quotes", json=body)
                if answer.is_success:
                    quote_id = answer.json()["quote_id"]
                    told.quotes.append((quote_id, answer.content))
                    path = f"/v1/quotes/{quote_id}/accept"
                    if client.post(path, json={"plan": "free_care"}).is_success:
                        told.accepted.append(quote_id)
                    said = {"kind": "bind", "plan": "free_care", "quote_id": quote_id}
                    at = {"occurred_at": "2026-03-01T00:00:00Z"}
                    kept = client.post("/v1/feedback", json={**said, **at})
                    if kept.is_success:
                        told.feedback.append(kept.json()["feedback_id"])
    except httpx.HTTPError:
        return


def test_what_was_told_as_kept_survives_a_kill(
    server: tuple[subprocess.Popen[bytes], str], tmp_path: Path
) -> None:
    process, url = server
    told = Told()
    threads = [threading.Thread(target=ask, args=(url, told)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 20
    while told.count < ENOUGH and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert told.count >= ENOUGH
    database = Database(f"sqlite:///{tmp_path}/store.db")
    with database.reading() as connection:
        for quote_id, body in told.quotes:
            stored = read_quote(connection, quote_id, Plain())
            assert stored is not None
            assert stored.body == body
        for quote_id in told.accepted:
            assert read_acceptance(connection, quote_id) is not None
        kept = set(connection.scalars(sa.select(FEEDBACK.c.feedback_id)))
    assert set(told.feedback) <= kept
    database.close()


def test_the_audit_log_is_whole_and_has_all_that_was_told_after_a_kill(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    write_key_ring(tmp_path / "keys.json", new_ring(now))
    database = Database(f"sqlite:///{tmp_path}/store.db")
    anchors = tmp_path / "anchors.txt"
    protected = security_of(
        Settings(keys=tmp_path / "keys.json", audit_anchors=anchors), database
    ).protected
    assert protected is not None
    scopes = frozenset({Scope.CONSENTS})
    token = issue_token(protected.keys(), Caller("desk", scopes), now, protected.terms)
    told: list[str] = []

    def consent(url: str, thread: int) -> None:
        body = {"purpose": "pricing", "given": True, "wording": "2026-01"}
        with (
            suppress(httpx.HTTPError),
            httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as client,
        ):
            for number in range(10_000):
                member = f"m{thread}-{number}"
                if client.post(f"/v1/members/{member}/consents", json=body).status_code == 201:
                    told.append(member)

    with served(tmp_path) as (process, url):
        threads = [threading.Thread(target=consent, args=(url, n)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 20
        while len(told) < ENOUGH // 3 and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
    assert len(told) >= ENOUGH // 3
    assert protected.audit.verify() == ()
    assert all(protected.consents.history(member) for member in told)
    with database.reading() as connection:
        kept = connection.scalar(
            sa.select(sa.func.count()).where(AUDIT.c.action == "consent.given.pricing")
        )
    assert len(told) <= kept <= len(told) + THREADS
    database.close()


def test_a_service_that_is_asked_to_end_ends_well(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "RISKENGINE_STORE": f"sqlite:///{tmp_path}/store.db",
        "RISKENGINE_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "RISKENGINE_ARTIFACTS": str(tmp_path / "artifacts"),
    }
    command = "from riskengine.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", command, "serve", "--port", "0"],
        cwd=tmp_path, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if "Uvicorn running on" in line:
                process.terminate()
        assert process.wait(30) == 0
