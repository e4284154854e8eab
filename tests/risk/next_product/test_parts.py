"""The parts of a model of the next product, each against what is known by hand."""

import numpy as np
import pytest
from scipy import sparse

from riskengine.errors import SpecError
from riskengine.risk.diagnostics.bootstrap import draw_members
from riskengine.risk.next_product.design import fit_design
from riskengine.risk.next_product.logit import Choices, fit_logit, probabilities
from riskengine.risk.next_product.measures import Asked, figures_of
from riskengine.risk.next_product.shares import fit_pool, held_out_pool
from riskengine.risk.next_product.thin import fit_thin
from riskengine.risk.next_product.yardsticks import ease
from riskengine.risk.spec import FeatureSection, ModelSpec, parse_spec
from tests.risk.next_product.baskets import SPEC


def choices(rows: int, seed: int = 0, temperature: float = 1.0) -> tuple[np.ndarray, Choices]:
    """Scores of four products, one of them owned, and choices drawn from them."""
    rng = np.random.default_rng(seed)
    score = rng.normal(0, 1.5, (rows, 4))
    closed = np.arange(4) == rng.integers(0, 4, rows)[:, None]
    chances = probabilities(score / temperature, closed)
    place = (chances.cumsum(axis=1) < rng.random(rows)[:, None]).sum(axis=1)
    return score, Choices(~closed, place, np.ones(rows))


def test_the_slope_of_the_loss_is_its_slope() -> None:
    score, chosen = choices(5)
    slope = chosen.loss(score)[1]
    for row, product in ((0, 0), (2, 1), (4, 3)):
        step = np.zeros_like(score)
        step[row, product] = 1e-6
        rise = (chosen.loss(score + step)[0] - chosen.loss(score - step)[0]) / 2e-6
        assert slope[row, product] == pytest.approx(rise, abs=1e-6)
    assert (slope[~chosen.open] == 0).all()


def test_the_pool_finds_the_temperature_and_leaves_levels_out() -> None:
    score, chosen = choices(20_000, temperature=1.25)
    assert fit_pool([score], chosen).shares[0] == pytest.approx(0.8, abs=0.02)
    pool, pooled = held_out_pool([score], chosen, np.arange(20_000) % 4)
    assert not pool.levels.any()
    assert pooled.shape == (20_000, 4)


def test_the_pool_mends_levels_that_are_off() -> None:
    score, chosen = choices(20_000)
    pool, _ = held_out_pool([score + np.array([0.5, 0.0, 0.0, 0.0])], chosen, np.arange(20_000) % 4)
    assert pool.levels[0] - pool.levels[1:].mean() == pytest.approx(-0.5, abs=0.08)


def test_the_logistic_finds_what_made_the_choices() -> None:
    rng = np.random.default_rng(1)
    rows = 20_000
    ramp = rng.random((rows, 1))
    flags = np.zeros((rows, 3))
    chances = probabilities(np.hstack([np.zeros((rows, 2)), 2 * ramp]), flags == 1)
    place = (chances.cumsum(axis=1) < rng.random(rows)[:, None]).sum(axis=1)
    nothing = sparse.csr_matrix((rows, 0))
    chosen = Choices(flags != 1, place, np.ones(rows))
    logit = fit_logit(flags, ramp, nothing, np.zeros(0, np.int64), chosen)
    low, high = (
        probabilities(
            logit.score(flags[:1], np.array([[at]]), np.zeros((1, 0), np.int64)), flags[:1] == 1
        )[0, 2]
        for at in (0.0, 1.0)
    )
    assert low == pytest.approx(1 / 3, abs=0.02)
    assert high == pytest.approx(np.exp(2) / (2 + np.exp(2)), abs=0.02)


def test_thin_products_take_their_segments_share() -> None:
    flags = np.zeros((1000, 2))
    flags[:, 0] = 1
    flags[:9, 1] = 1  # all in segment 0
    codes = np.repeat([0, 1], 500)[:, None]
    thin = fit_thin(flags, codes, np.array([2]), full=36)
    assert thin.credibility.tolist() == [1.0, 0.5]
    assert thin.segment == 0
    assert thin.rates[0, 1] == pytest.approx((9 + 50 * 9.5 / 1001) / 550)
    assert thin.rates[1, 1] < thin.rates[0, 1]
    nothing = np.zeros((1, 2), dtype=bool)
    shrunk = thin.shrink(np.array([[0.5, 0.5]]), nothing, codes[:1])
    assert shrunk.sum() == pytest.approx(1.0)
    assert shrunk[0, 1] < 0.5


def test_a_level_of_few_customers_is_read_as_unknown() -> None:
    columns = {"age": np.arange(600.0), "job": np.array(["a"] * 595 + ["b"] * 5, dtype=object)}
    design = fit_design(FeatureSection(numeric=("age",), categorical=("job",)), columns)
    assert design.levels == {"job": ("a",)}
    assert design.codes(columns)[-6:, 0].tolist() == [0, 1, 1, 1, 1, 1]
    ramps = design.ramps(design.numbers(columns))
    assert ramps.min() == 0
    assert ramps.max() == 1
    assert (np.diff(ramps, axis=0) >= 0).all()


def test_figures_by_hand() -> None:
    chances = np.array([[0.5, 0.3, 0.15, 0.05], [0.5, 0.3, 0.15, 0.05]])
    draws = draw_members(np.arange(2), np.random.default_rng(1), 20)
    asked = Asked(np.array([0, 3]), np.array([3.0, 1.0]), 4, np.array([0.0, 0, 0, 1]), draws)
    found = {name: one.mean for name, one in figures_of(chances, asked).figures().items()}
    assert found["log_loss"] == pytest.approx(-(3 * np.log(0.5) + np.log(0.05)) / 4)
    assert found["hit_1"] == found["hit_3"] == 0.75
    assert found["mrr"] == pytest.approx((3 + 1 / 4) / 4)
    assert found["ndcg_5"] == pytest.approx((3 + 1 / np.log2(5)) / 4)
    assert found["macro_hit_3"] == 0.5
    assert found["niche_hit_3"] == 0.0
    assert found["calibration_error"] == pytest.approx(0.25)


def test_ease_gives_weight_to_what_goes_together() -> None:
    rng = np.random.default_rng(0)
    first = rng.random(5000) < 0.3
    owned = np.column_stack([first, first ^ (rng.random(5000) < 0.05), rng.random(5000) < 0.3])
    weights = ease(owned.astype(np.float64))
    assert weights[0, 1] > 0.8
    assert abs(weights[0, 2]) < 0.15
    assert np.diag(weights).tolist() == [0.0, 0.0, 0.0]


def of(**changes: str) -> ModelSpec:
    text = SPEC
    for old, new in changes.items():
        text = text.replace(old, new)
    return parse_spec(text)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('products = ["core", "young", "old", "extra", "rare"]', "", "needs products"),
        ('"young", "old", "extra", "rare"]', "]", "two columns or more"),
        ('"young", "old"', '"core", "old"', "each named once"),
        ('numeric = ["age"', 'numeric = ["core"', "core is outcome, exposure or group"),
        ('group = "ID"', 'time = "joined"', "held out by customer"),
        ('kind = "next_product"', 'kind = "next_product"\ntarget = "core"', "no target"),
        ('kind = "next_product"', 'kind = "next_product"\nexposure = "age"', "has no exposure"),
        ("[folds]", "[search]\n[folds]", "has no search"),
        ("[folds]", '[features.monotone]\nage = "increasing"\n[folds]', "no monotone promises"),
        ('kind = "next_product"', 'kind = "binary"\ntarget = "core"', "products are of next_pro"),
    ],
)
def test_specs_say_what_does_not_fit(old: str, new: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        of(**{old: new})
