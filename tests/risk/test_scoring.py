"""Fast trees give LightGBM's own bits, whatever the trees, the values and the number of rows."""

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.risk import scoring
from riskengine.risk.fast_trees import FastTrees, UnsupportedTreesError, fast_trees
from riskengine.risk.scoring import Reference, Scorer, choose_scorer, tree_scorer

ROWS = 600


def booster(seed: int, **settings: object) -> lgb.Booster:
    """Trees on numbers, one with missing values, a category of few and one of many levels."""
    rng = np.random.default_rng(seed)
    matrix = np.column_stack(
        [
            rng.normal(size=(ROWS, 3)).round(1),
            rng.integers(0, 4, ROWS),
            rng.integers(0, 70, ROWS),
        ]
    )
    matrix[rng.random(ROWS) < 0.2, 1] = np.nan
    outcome = matrix[:, 0] + np.nan_to_num(matrix[:, 1]) ** 2 + matrix[:, 3] + matrix[:, 4] % 7
    classes = settings.get("num_class")
    if classes:
        outcome = outcome.astype(int) % 3
    told = {"num_leaves": 15, "min_data_in_leaf": 3, "verbosity": -1, "num_threads": 1, "seed": 1}
    levels = [] if settings.get("linear_tree") else [3, 4]
    data = lgb.Dataset(matrix, outcome, categorical_feature=levels)
    return lgb.train({**told, **settings}, data, 20)


def scored(boosters: list[lgb.Booster], matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    fast = fast_trees([one.model_to_string() for one in boosters])
    return fast.raw(matrix), Reference(boosters).raw(matrix)


FORMS = {
    "small": {},
    "wide": {"num_leaves": 60},
    "one split": {"num_leaves": 2},
    "no split": {"min_data_in_leaf": ROWS},
    "classes": {"objective": "multiclass", "num_class": 3},
    "no missing": {"use_missing": False},
}


@pytest.mark.parametrize("form", FORMS)
def test_scores_are_those_of_lightgbm_to_the_last_bit(form: str) -> None:
    boosters = [booster(seed, **FORMS[form]) for seed in range(2)]
    rng = np.random.default_rng(9)
    matrix = np.vstack(
        [
            rng.normal(0, 2, (300, 5)).round(1),
            rng.integers(-2, 90, (300, 5)),
            fast_trees([one.model_to_string() for one in boosters]).probes(),
        ]
    ).astype(float)
    matrix[rng.random(matrix.shape) < 0.05] = np.nan
    fast, reference = scored(boosters, matrix)
    np.testing.assert_array_equal(fast, reference)
    for size in (0, 1, 3, 5, 128, 129):
        np.testing.assert_array_equal(scored(boosters, matrix[:size])[0], reference[:, :size])


ODD = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 1e-36, -1e-36, -0.5, 69.5, 1e300]),
)
ONE = booster(3)
ONE_FAST = fast_trees([ONE.model_to_string()])


@given(
    st.lists(ODD, min_size=3, max_size=3), st.lists(st.integers(-3, 100), min_size=2, max_size=2)
)
def test_no_value_is_too_odd(numbers: list[float], codes: list[int]) -> None:
    row = np.array([[*numbers, *codes]], dtype=float)
    many = np.repeat(row, 9, axis=0)
    np.testing.assert_array_equal(ONE_FAST.raw(row), Reference([ONE]).raw(row))
    np.testing.assert_array_equal(ONE_FAST.raw(many)[:, :1], ONE_FAST.raw(row))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"num_leaves": 200, "min_data_in_leaf": 1}, "leaves"),
        ({"linear_tree": True}, "linear"),
        ({"zero_as_missing": True}, "zeros"),
        ({"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}, "average"),
    ],
)
def test_other_forms_are_left_to_lightgbm(settings: dict[str, object], told: str) -> None:
    one = booster(0, **settings)
    with pytest.raises(UnsupportedTreesError, match=told):
        fast_trees([one.model_to_string()])
    assert isinstance(tree_scorer([one.model_to_string()], [one]), Reference)


def test_trees_that_differ_on_probes_do_not_serve() -> None:
    one, other = booster(0), booster(1)
    assert isinstance(tree_scorer([one.model_to_string()], [one]), FastTrees)
    assert isinstance(tree_scorer([one.model_to_string()], [other]), Reference)


def test_the_reference_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_chosen", [Scorer.FAST])
    choose_scorer(Scorer.REFERENCE)
    assert isinstance(tree_scorer([ONE.model_to_string()], [ONE]), Reference)
