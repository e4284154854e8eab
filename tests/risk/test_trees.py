import numpy as np
import pytest

from riskengine.risk.trees import (
    Forest,
    Growth,
    Layout,
    Objective,
    Sample,
    grow,
    grow_once,
    raw_score,
    raw_scores,
)

LAYOUT = Layout(("x", "noise", "level"), [2])
SETTINGS: dict[str, object] = {
    **Objective("poisson").parameters,
    "learning_rate": 0.3,
    "num_leaves": 8,
    "min_data_in_leaf": 5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "seed": 3,
}


def sample(seed: int, rows: int = 300) -> Sample:
    rng = np.random.default_rng(seed)
    matrix = np.column_stack(
        [rng.normal(size=rows), rng.normal(size=rows), rng.integers(0, 3, rows)]
    )
    matrix[rng.random(rows) < 0.1, 0] = np.nan
    mean = np.exp(0.8 * np.nan_to_num(matrix[:, 0]))
    return Sample(matrix, rng.poisson(mean).astype(float), rng.uniform(0.5, 1, rows))


def pairs() -> list[tuple[Sample, Sample]]:
    return [(sample(seed), sample(seed + 10)) for seed in range(3)]


LONG = Growth(80, 10)


def grown(growth: Growth = LONG, settings: dict[str, object] = SETTINGS) -> Forest:
    return grow(settings, pairs(), LAYOUT, growth)


def held_out_losses(forest: Forest, rounds: int) -> float:
    """The mean over boosters of the Poisson loss of their held-out rows after some rounds."""
    losses = []
    for booster, (_, held) in zip(forest.boosters, pairs(), strict=True):
        raw = booster.predict(held.matrix, raw_score=True, num_iteration=rounds, num_threads=1)
        losses.append(np.average(np.exp(raw) - held.outcome * raw, weights=held.weight))
    return float(np.mean(losses))


def test_boosters_stop_together_where_their_mean_loss_is_least() -> None:
    forest = grown()
    assert {booster.num_trees() for booster in forest.boosters} == {forest.rounds}
    assert 1 < forest.rounds < 80
    longer = grow({**SETTINGS}, pairs(), LAYOUT, Growth(80, 1000))
    assert longer.rounds == forest.rounds, "patience only saves time here"
    losses = [held_out_losses(forest, rounds) for rounds in range(1, forest.rounds + 1)]
    assert int(np.argmin(losses)) == forest.rounds - 1
    assert forest.loss == pytest.approx(losses[-1], rel=1e-6)


def test_none_stops_by_its_own_luck() -> None:
    alone = [grow(SETTINGS, [pair], LAYOUT, Growth(80, 1000)).rounds for pair in pairs()]
    assert len(set(alone)) > 1, "alone they would have stopped at different rounds"
    assert min(alone) <= grown().rounds <= max(alone)


def test_equal_input_gives_equal_trees() -> None:
    first, second = (
        [b.model_to_string() for b in grown(Growth(20, 20)).boosters] for _ in range(2)
    )
    assert first == second
    other = grown(Growth(20, 20), {**SETTINGS, "seed": 4})
    assert other.boosters[0].model_to_string() != first[0]


def test_rounds_are_bounded() -> None:
    assert grown(Growth(7, 50)).rounds <= 7
    assert grown(Growth(1, 50)).boosters[0].num_trees() == 1


def test_one_booster_grows_as_long_as_it_is_told() -> None:
    booster = grow_once(SETTINGS, sample(0), LAYOUT, 12)
    assert booster.num_trees() == 12
    together = grow(SETTINGS, pairs()[:1], LAYOUT, Growth(12, 50))
    rounds = together.rounds
    matrix = sample(5).matrix
    np.testing.assert_array_equal(
        booster.predict(matrix, raw_score=True, num_iteration=rounds, num_threads=1),
        raw_score(together.boosters[0], matrix),
    )


def test_scores_of_rows_alone_are_those_of_the_batch() -> None:
    forest = grown(Growth(10, 10))
    matrix = sample(6, 40).matrix
    batch = raw_scores(forest.boosters, [matrix] * 3)
    for booster, scores in zip(forest.boosters, batch, strict=True):
        alone = [raw_score(booster, matrix[row : row + 1])[0] for row in range(len(matrix))]
        assert scores.tolist() == alone


def test_promises_are_kept_and_classes_have_scores_each() -> None:
    promised = {**SETTINGS, "monotone_constraints": [-1, 0, 0]}
    forest = grow(promised, pairs(), LAYOUT, Growth(20, 50))
    steps = np.column_stack([np.linspace(-3, 3, 30), np.zeros(30), np.ones(30)])
    for booster in forest.boosters:
        assert np.diff(raw_score(booster, steps)).max() <= 0.0
    classes = Objective("multiclass", classes=3)
    told = [
        (Sample(a.matrix, np.minimum(a.outcome, 2), a.weight),) * 2 for a in map(sample, range(2))
    ]
    settings = {**SETTINGS, **classes.parameters}
    boosters = grow(settings, told, LAYOUT, Growth(3, 5)).boosters
    assert raw_score(boosters[0], steps).shape == (30, 3)


@pytest.mark.parametrize(
    ("objective", "metric"),
    [
        (Objective("poisson"), "poisson"),
        (Objective("tweedie", 1.3), "tweedie"),
        (Objective("binary"), "binary_logloss"),
        (Objective("multiclass", classes=4), "multi_logloss"),
    ],
)
def test_parameters_of_an_objective(objective: Objective, metric: str) -> None:
    found = objective.parameters
    assert found["objective"] == objective.name
    assert found["metric"] == metric
    assert found.get("tweedie_variance_power", 0.0) == objective.power
    assert found.get("num_class", 1) == objective.classes
