"""Prices of the kept release, to the cent; rewritten only by `make golden`."""

import json

import pytest

from riskengine.release import Release
from tests.golden.markets import PREMIUMS, dislocation, golden_premiums
from tests.golden.rewrite import QUOTES, golden_quotes


def test_quotes_are_those_of_the_golden_file(release: Release) -> None:
    golden = json.loads(QUOTES.read_text(encoding="utf-8"))
    told = json.loads(json.dumps(golden_quotes(release)))
    for then, now in zip(golden, told, strict=True):
        assert [o["offered_premium"] for o in now["quote"]["offers"]] == [
            o["offered_premium"] for o in then["quote"]["offers"]
        ]
        for before, after in zip(then["quote"]["offers"], now["quote"]["offers"], strict=True):
            assert [s["name"] for s in after["steps"]] == [s["name"] for s in before["steps"]]
            assert [s["running"] for s in after["steps"]] == pytest.approx(
                [s["running"] for s in before["steps"]], rel=1e-9
            )
            assert {r["factor"]: r["relativity"] for r in after["relativities"]} == pytest.approx(
                {r["factor"]: r["relativity"] for r in before["relativities"]}, rel=1e-9
            )


@pytest.mark.parametrize("market", ["cn", "us_aca"])
def test_premiums_of_the_fixed_portfolio_are_those_of_the_golden_file(market: str) -> None:
    then = json.loads(PREMIUMS.read_text(encoding="utf-8"))[market]
    moved = dislocation(then, golden_premiums(market))
    told = "\n".join([f"premiums of {market} moved; if meant, run `make golden`:", *moved])
    assert not moved, told


def test_a_dislocation_is_told_by_plan() -> None:
    then = {"gold": [10000, 20000], "silver": [5000], "old": [1]}
    now = {"gold": [10000, 21000], "silver": [5000], "new": [1]}
    assert dislocation(then, now) == [
        "old: gone",
        "new: new",
        "gold: 1 of 2 moved, in total +3.33%, most +5.00% (member 1: 200.00 to 210.00)",
    ]
