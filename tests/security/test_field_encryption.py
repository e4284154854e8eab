"""Sealed values open with their key, unchanged and in their place, and never else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.errors import ProtectionError
from riskengine.security.field_encryption import FieldCipher, blind_indexes, kid_of
from riskengine.security.key_ring import KeyRing, KeyUse, new_ring
from tests.security.conftest import NOW

RING = new_ring(NOW)
CIPHER = FieldCipher(lambda: RING)
texts = st.text(max_size=40)


@given(st.binary(max_size=300), texts)
def test_what_is_sealed_opens_in_its_place(content: bytes, about: str) -> None:
    sealed = CIPHER.seal(content, about)
    assert CIPHER.unseal(sealed, about) == content
    assert sealed.isascii()
    assert kid_of(sealed) == RING.current(KeyUse.ENCRYPTION).kid
    assert len(content) < 4 or content not in sealed


@given(st.binary(max_size=50), texts, texts)
def test_it_does_not_open_in_another_place(content: bytes, about: str, other: str) -> None:
    sealed = CIPHER.seal(content, about)
    if about != other:
        with pytest.raises(ProtectionError, match="was changed or moved"):
            CIPHER.unseal(sealed, other)


@given(st.data())
def test_no_byte_of_it_can_be_changed(data: st.DataObject) -> None:
    sealed = bytearray(CIPHER.seal(b"diagnosis E11", "profiles/m1"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProtectionError):
        CIPHER.unseal(bytes(sealed), "profiles/m1")


@pytest.mark.parametrize("size", range(13, 16))
def test_nor_can_a_bit_that_stands_for_nothing(size: int) -> None:
    sealed = CIPHER.seal(b"x" * size, "profiles/m1")
    for at in range(len(sealed) - 4, len(sealed)):
        for other in set(range(256)) - {sealed[at]}:
            changed = sealed[:at] + bytes([other]) + sealed[at + 1 :]
            with pytest.raises(ProtectionError):
                CIPHER.unseal(changed, "profiles/m1")


@given(st.integers(0, 40))
def test_nor_can_it_be_cut(kept: int) -> None:
    sealed = CIPHER.seal(b"", "a")
    body = len(b":".join(sealed.split(b":")[:2])) + 1
    with pytest.raises(ProtectionError):
        CIPHER.unseal(sealed[: body + kept], "a") if body + kept < len(sealed) else CIPHER.unseal(
            sealed + b"A", "a"
        )


def test_the_same_value_is_sealed_differently_each_time() -> None:
    assert len({CIPHER.seal(b"43", "a") for _ in range(50)}) == 50


def test_rotation_opens_the_old_and_seals_with_the_new(ring: KeyRing) -> None:
    before = FieldCipher(lambda: ring).seal(b"43", "a")
    rotated = ring.rotated(KeyUse.ENCRYPTION, NOW)
    after = FieldCipher(lambda: rotated)
    assert after.unseal(before, "a") == b"43"
    assert not after.is_current(before)
    assert after.is_current(after.seal(b"43", "a"))
    gone = rotated.without(KeyUse.ENCRYPTION, str(kid_of(before)))
    with pytest.raises(ProtectionError, match="is not in the ring: put it back"):
        FieldCipher(lambda: gone).unseal(before, "a")


def test_a_key_cannot_be_named_in_the_place_of_another(ring: KeyRing) -> None:
    rotated = ring.rotated(KeyUse.ENCRYPTION, NOW)
    old, new = (
        key.kid.encode() for key in ring.of(KeyUse.ENCRYPTION) + rotated.of(KeyUse.ENCRYPTION)[:1]
    )
    sealed = FieldCipher(lambda: rotated).seal(b"43", "a")
    with pytest.raises(ProtectionError):
        FieldCipher(lambda: rotated).unseal(sealed.replace(new, old), "a")


def test_what_is_not_sealed_is_refused() -> None:
    for plain in (b"", b'{"age": 43}', b"sealed1", b"sealed2:k:AAAA"):
        assert kid_of(plain) is None
        with pytest.raises(ProtectionError, match="holds a value that is not sealed"):
            CIPHER.unseal(plain, "profiles/m1")


def test_a_blind_index_is_stable_and_tells_nothing_without_the_key(ring: KeyRing) -> None:
    index = FieldCipher(lambda: ring).pseudonym("m1")
    assert index == FieldCipher(lambda: ring).pseudonym("m1")
    assert index != FieldCipher(lambda: ring).pseudonym("m2")
    assert index != FieldCipher(lambda: new_ring(NOW)).pseudonym("m1")
    assert len(index) == 64
    rotated = ring.rotated(KeyUse.INDEX, NOW)
    newest, oldest = blind_indexes(rotated, "m1")
    assert oldest == index != newest
    assert FieldCipher(lambda: rotated).pseudonyms("m1") == (newest, oldest)
