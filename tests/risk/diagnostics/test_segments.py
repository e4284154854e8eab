from itertools import combinations

import numpy as np
import pytest

from riskengine.errors import InputError
from riskengine.risk.diagnostics import (
    MemberDraws,
    actual_expected_table,
    draw_members,
    worst_segment,
)

SIZE = 6000


def book(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    factors = {
        "age": rng.uniform(0, 90, SIZE),
        "region": rng.choice(["east", "west", "north"], SIZE),
        "sex": rng.choice(["female", "male"], SIZE),
    }
    expected = rng.gamma(4, 25, SIZE)
    return expected * rng.gamma(0.5, 2, SIZE), expected, np.ones(SIZE), factors


def draws_of() -> MemberDraws:
    return draw_members(np.arange(SIZE) // 2, np.random.default_rng(1))


def test_finds_a_level_that_is_under_priced() -> None:
    actual, expected, exposure, factors = book(1)
    actual = np.where(factors["region"] == "north", 1.4, 1.0) * actual
    found = worst_segment(actual, expected, exposure, {"region": factors["region"]}, draws_of())
    assert (found.factors, found.segment.levels) == (("region",), ("north",))
    assert found.searched == 3
    inside = factors["region"] == "north"
    ratio = actual[inside].sum() / expected[inside].sum()
    assert found.segment.ratio.mean == pytest.approx(ratio)
    assert 1 < found.segment.ratio.low < found.shrunk < ratio
    total = actual.sum() / expected.sum()
    credible = found.credibility * ratio + (1 - found.credibility) * total
    assert found.shrunk == pytest.approx(credible)


def test_finds_a_pair_of_levels_among_all() -> None:
    actual, expected, exposure, factors = book(2)
    inside = (factors["region"] == "west") & (factors["sex"] == "female")
    found = worst_segment(
        np.where(inside, 0.4, 1.0) * actual, expected, exposure, factors, draws_of()
    )
    assert found.factors == ("region", "sex")
    assert found.segment.levels == ("west", "female")
    assert found.shrunk < 0.6
    # 5 bands of age, 3 regions, 2 sexes, and their pairs
    assert found.searched == 5 + 3 + 2 + 15 + 10 + 6


def test_finds_the_old_by_their_band() -> None:
    actual, expected, exposure, factors = book(3)
    found = worst_segment(
        np.where(factors["age"] > 72, 1.5, 1.0) * actual, expected, exposure, factors, draws_of()
    )
    assert "age" in found.factors
    band = found.segment.levels[found.factors.index("age")]
    assert float(band.split(" to ")[0]) > 70


def test_chance_is_not_believed() -> None:
    """Nothing is wrong in ten books: the furthest A/E of each is off by 18 % on average, the
    furthest shrunk one by a third of that."""
    raw, shrunk = [], []
    draws = draw_members(np.arange(SIZE) // 2, np.random.default_rng(1), draws=2)
    for seed in range(10, 20):
        actual, expected, exposure, factors = book(seed)
        cuts = [[one] for one in factors.values()] + [
            list(c) for c in combinations(factors.values(), 2)
        ]
        raw.append(
            max(
                abs(np.log(row.ratio.mean))
                for cut in cuts
                for row in actual_expected_table(actual, expected, exposure, cut, draws, 5)
            )
        )
        found = worst_segment(actual, expected, exposure, factors, draws)
        shrunk.append(abs(np.log(found.shrunk)))
    assert np.mean(raw) == pytest.approx(0.18, abs=0.03)
    assert np.mean(shrunk) == pytest.approx(0.05, abs=0.02)
    assert max(shrunk) < 0.12


def test_credibility_by_hand() -> None:
    """Two levels with A/E 1 and 3 on volume 4 each, members at +-1 around them: s^2 = 8 / 6 and
    a = (8 - 8 / 6) / 4, so k = 0.8 and Z = 4 / 4.8."""
    actual = np.array([0.0, 2.0, 0.0, 2.0, 2.0, 4.0, 2.0, 4.0])
    level = np.repeat(np.array(["low", "high"]), 4)
    draws = draw_members(np.arange(8), np.random.default_rng(1))
    found = worst_segment(actual, np.ones(8), np.ones(8), {"level": level}, draws)
    assert found.credibility == pytest.approx(4 / 4.8)
    assert found.shrunk == pytest.approx(2 + 4 / 4.8)
    assert found.segment.levels == ("high",)


def test_few_members_without_claims_are_no_finding() -> None:
    actual, expected, exposure, factors = book(4)
    rare = np.where(np.arange(SIZE) < 12, "rare", factors["region"])
    actual = np.where(rare == "rare", 0.0, actual)
    actual = np.where(factors["sex"] == "male", 1.3, 1.0) * actual
    searched = {"region": rare, "sex": factors["sex"]}
    found = worst_segment(actual, expected, exposure, searched, draws_of(), least_share=0.0)
    assert "rare" not in found.segment.levels
    large = worst_segment(actual, expected, exposure, searched, draws_of(), least_share=0.05)
    assert large.segment.exposure >= 0.05 * SIZE
    assert large.searched < found.searched


def test_what_cannot_be_searched() -> None:
    actual, expected, exposure, factors = book(5)
    with pytest.raises(InputError, match="no factor given"):
        worst_segment(actual, expected, exposure, {}, draws_of())
    with pytest.raises(InputError, match=r"no segment has 90\.0%"):
        worst_segment(actual, expected, exposure, factors, draws_of(), least_share=0.9)
