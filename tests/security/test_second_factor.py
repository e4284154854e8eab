"""One-time codes against RFC 6238, and which moments they are good for."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlparse

import pytest

from riskengine.security.second_factor import code_at, matching_step, provisioning_uri

SECRET = b"12345678901234567890"


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"),
        (2000000000, "279037"), (20000000000, "353130"),
    ],
)  # fmt: skip
def test_the_codes_of_the_standard(seconds: int, code: str) -> None:
    assert code_at(SECRET, at(seconds)) == code
    assert matching_step(SECRET, code, at(seconds)) == seconds // 30


def test_a_code_is_good_for_its_step_and_the_ones_beside_it() -> None:
    code = code_at(SECRET, at(600))
    found = [matching_step(SECRET, code, at(600 + shift)) for shift in (-31, -30, 0, 29, 59, 60)]
    assert found == [None, 20, 20, 20, 20, None]
    for wrong in ("", "0", "12345", code + "0", " " + code[1:], "一二三四五六", "\ud800"):
        assert matching_step(SECRET, wrong, at(600)) is None


def test_the_address_for_an_app() -> None:
    told = urlparse(provisioning_uri(SECRET, "li.wei", "riskengine"))
    assert (told.scheme, told.netloc, told.path) == ("otpauth", "totp", "/riskengine:li.wei")
    assert parse_qs(told.query)["secret"] == ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"]
