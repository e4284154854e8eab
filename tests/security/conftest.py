"""A ring of keys, a moment, and a database of its own for each test."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from riskengine.security.field_encryption import FieldCipher
from riskengine.security.key_ring import KeyRing, new_ring
from riskengine.store import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def ring() -> KeyRing:
    return new_ring(NOW)


@pytest.fixture
def cipher(ring: KeyRing) -> FieldCipher:
    return FieldCipher(lambda: ring)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/deep/security.db")
    yield opened
    opened.close()
