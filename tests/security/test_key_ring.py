"""Rings of keys: rotation, files, and that nothing tells a secret."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from riskengine.errors import InputError, ProtectionError
from riskengine.security.key_ring import (
    KeyFile,
    KeyRing,
    KeyUse,
    new_ring,
    parse_key_ring,
    read_key_ring,
    write_key_ring,
)
from tests.security.conftest import NOW

HOUR = timedelta(hours=1)


def test_a_ring_has_a_key_for_each_use_and_no_two_alike(ring: KeyRing) -> None:
    assert {key.use for key in ring.keys} == set(KeyUse)
    assert len({key.secret for key in ring.keys}) == len(KeyUse) == 5
    assert all(len(key.secret) == 32 for key in ring.keys)
    assert all(key.secret.hex() not in repr(ring) for key in ring.keys)
    assert repr(ring.keys[0].secret) not in repr(ring)


def test_the_new_key_is_used_and_the_old_ends_after_the_overlap(ring: KeyRing) -> None:
    old = ring.current(KeyUse.SIGNING)
    rotated = ring.rotated(KeyUse.SIGNING, NOW, HOUR)
    new, kept = rotated.of(KeyUse.SIGNING)
    assert (new.until, kept.kid, kept.until) == (None, old.kid, NOW + HOUR)
    assert rotated.of(KeyUse.AUDIT) == ring.of(KeyUse.AUDIT)
    later = rotated.rotated(KeyUse.SIGNING, NOW + HOUR, HOUR)
    assert [key.kid for key in later.of(KeyUse.SIGNING)][1:] == [new.kid]
    # A second rotation does not lengthen the life of a key that ends already.
    soon = rotated.rotated(KeyUse.SIGNING, NOW + HOUR / 2, HOUR)
    assert [key.until for key in soon.of(KeyUse.SIGNING)] == [
        None, NOW + HOUR * 1.5, NOW + HOUR,
    ]  # fmt: skip


def test_keys_of_data_stay_until_they_are_taken_out(ring: KeyRing) -> None:
    old = ring.current(KeyUse.ENCRYPTION)
    rotated = ring.rotated(KeyUse.ENCRYPTION, NOW)
    assert rotated.named(KeyUse.ENCRYPTION, old.kid) == old
    assert len(rotated.without(KeyUse.ENCRYPTION, old.kid).of(KeyUse.ENCRYPTION)) == 1
    with pytest.raises(InputError, match="is in use: rotate first"):
        ring.without(KeyUse.ENCRYPTION, old.kid)
    with pytest.raises(ProtectionError, match="is not in the ring"):
        ring.named(KeyUse.AUDIT, old.kid)
    with pytest.raises(ProtectionError, match="no key for signing: make one"):
        KeyRing(()).current(KeyUse.SIGNING)


def test_a_file_is_read_as_it_was_written_by_its_owner_alone(ring: KeyRing, tmp_path: Path) -> None:
    path, rotated = tmp_path / "deep" / "keys.json", ring.rotated(KeyUse.SIGNING, NOW, HOUR)
    write_key_ring(path, rotated)
    assert read_key_ring(path) == rotated
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_changes_is_read_again(ring: KeyRing, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    write_key_ring(path, ring)
    keys = KeyFile(path)
    assert keys() == ring
    assert keys() is keys()
    rotated = ring.rotated(KeyUse.AUDIT, NOW)
    write_key_ring(path, rotated)
    assert keys() == rotated
    path.unlink()
    assert keys() == rotated
    with pytest.raises(ProtectionError, match="cannot read the keys in"):
        KeyFile(path)()


@pytest.mark.parametrize(
    "change",
    [
        {"secret": "c2hvcnQ="}, {"secret": "!"}, {"use": "all"}, {"created_at": "2026-01-01"},
        {"until": 5.5, "more": 1}, {"kid": "twice"},
    ],
)  # fmt: skip
def test_a_bad_ring_is_refused_without_telling_its_secrets(
    ring: KeyRing, tmp_path: Path, change: dict[str, object]
) -> None:
    write_key_ring(tmp_path / "k", ring)
    content = json.loads((tmp_path / "k").read_text())
    for key in content["keys"][:2]:
        key.update(change)
    with pytest.raises(ProtectionError, match="the ring is no key ring") as told:
        parse_key_ring(json.dumps(content), "the ring")
    secrets = [key["secret"] for key in content["keys"]]
    assert not any(len(secret) > 1 and secret in str(told.value) for secret in secrets)
    assert told.value.__cause__ is None


def test_new_rings_differ() -> None:
    assert new_ring(NOW).keys[0].secret != new_ring(NOW).keys[0].secret
