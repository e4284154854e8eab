"""Learning one linear predictor: trees of a few sizes, a GLM, and their shares, out-of-fold.

Every model of the ensemble learns from some folds and is held against another; only held-out rows
decide anything: when trees stop, how large they are, how much the GLM is held back, how the two
are blended.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from riskengine.risk.additive import Additive, fit_additive
from riskengine.risk.blend import Blend, fit_blend, null_intercept
from riskengine.risk.design import Design, fit_design
from riskengine.risk.predictor import Predictor, Share, average_tables
from riskengine.risk.spec import Direction
from riskengine.risk.task import Data, Task, experience_of, prepare
from riskengine.risk.trees import (
    Forest,
    Growth,
    grow,
    grow_once,
    raw_scores,
)
from riskengine.vocabulary import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Learnt:
    """A predictor, and the scores (n, classes) of rows that were held out; NaN where none was.

    `rounds` and `shares` say how many trees and how much of each learner serve.
    """

    predictor: Predictor
    out_of_fold: FloatArray
    rounds: int
    shares: dict[str, float]


def learn(task: Task, candidates: Sequence[dict[str, object]]) -> Learnt:
    """Learn a predictor; `candidates` are settings of LightGBM to choose from, or to blend."""
    data = prepare(task)
    parameters, forest = min(
        (_grown(data, candidate) for candidate in candidates), key=lambda pair: pair[1].loss
    )
    scores = [_held_out_scores(data, forest)]
    names = ["trees"]
    glm = None
    if task.spec.blend.glm:
        glm = fit_additive(data)
        scores.append(glm.scores)
        names.append("glm")
    rows = np.flatnonzero(~np.isnan(scores[0][:, 0]))
    held = np.stack(scores)[:, rows]
    counts = task.weight[rows] > 0
    judged = rows[counts]
    blend = fit_blend(task.objective, task.outcome[judged], task.weight[judged], held[:, counts])
    return Learnt(
        _serve(data, blend, (parameters, forest), glm),
        _placed(blend.score(held), rows, len(task.outcome)),
        forest.rounds,
        dict(zip(names, blend.shares.tolist(), strict=True)),
    )


def held_out_losses(task: Task) -> Callable[[dict[str, object]], float]:
    """A function from settings to the mean held-out loss of their trees at their best round."""
    data = prepare(task)
    return lambda candidate: _grown(data, candidate)[1].loss


def mean_alone(task: Task) -> Learnt:
    """The mean as a predictor: what is left where there is too little to learn from."""
    intercept = null_intercept(task.objective, task.outcome, task.weight)
    design, *_ = fit_design(task.spec, task.columns, experience_of(task))
    return Learnt(
        Predictor(design, len(task.folds.may_see), intercept),
        np.tile(intercept, (len(task.outcome), 1)),
        0,
        {"trees": 0.0, "glm": 0.0},
    )


def _grown(data: Data, candidate: dict[str, object]) -> tuple[dict[str, object], Forest]:
    """LightGBM's parameters of a candidate and what grew by them."""
    settings = data.task.spec.lightgbm
    parameters = _parameters(data, candidate)
    growth = Growth(settings.rounds, settings.early_stopping_rounds)
    return parameters, grow(parameters, data.pairs(), data.layout, growth)


def _parameters(data: Data, candidate: dict[str, object]) -> dict[str, object]:
    """LightGBM's parameters of a candidate, whose penalties count events."""
    spec = data.task.spec
    settings: dict[str, object] = {"bagging_freq": 1, "seed": spec.lightgbm.seed, **candidate}
    for name in ("lambda_l2", "min_sum_hessian_in_leaf"):
        if name in settings:
            settings[name] = float(str(settings[name])) * data.unit
    settings |= spec.lightgbm.given
    settings |= data.task.objective.parameters
    names = data.design.names
    signs = {Direction.INCREASING: 1, Direction.DECREASING: -1}
    monotone = [
        signs[spec.features.monotone[n]] if n in spec.features.monotone else 0 for n in names
    ]
    if any(monotone):
        settings["monotone_constraints"] = monotone
    if spec.features.interactions:
        settings["interaction_constraints"] = [
            [names.index(n) for n in group if n in names] for group in spec.features.interactions
        ]
    return settings


def _held_out_scores(data: Data, forest: Forest) -> FloatArray:
    """Raw scores (n, classes) of each row by the booster that did not see it."""
    rows = [data.predicted(model) for model in range(len(data.task.folds.held_out))]
    matrices = [data.matrix(model, r) for model, r in enumerate(rows)]
    classes = data.task.objective.classes
    found = np.full((len(data.task.outcome), classes), np.nan)
    for place, raw in zip(rows, raw_scores(forest.boosters, matrices), strict=True):
        found[place] = raw.reshape(len(place), classes)
    return found


def _placed(values: FloatArray, rows: IntArray, size: int) -> FloatArray:
    found = np.full((size, values.shape[1]), np.nan)
    found[rows] = values
    return found


def _serve(
    data: Data, blend: Blend, trees: tuple[dict[str, object], Forest], glm: Additive | None
) -> Predictor:
    """The predictor that serves: fold models averaged, or the one refitted on every row."""
    task, (parameters, forest) = data.task, trees
    design, models = data.design, len(task.folds.may_see)
    boosters = forest.boosters
    tables = glm.tables if glm is not None else []
    intercepts = glm.intercepts if glm is not None else []
    if task.folds.refit:
        sample = data.training(models - 1, data.seen(models - 1))
        boosters = (grow_once(parameters, sample, data.layout, forest.rounds),)
        design, tables, models = _only(design, models - 1), tables[-1:], 1
        intercepts = intercepts[-1:]
    share = blend.shares[0]
    forests = (Share(float(share), tuple(b.model_to_string() for b in boosters)),) if share else ()
    weight = float(blend.shares[1]) if glm is not None else 0.0
    return Predictor(
        design,
        models,
        blend.intercept + (weight * np.mean(intercepts, axis=0) if weight else 0.0),
        forests,
        weight,
        average_tables(design, tables) if weight else (),
    )


def _only(design: Design, model: int) -> Design:
    """The design with the encodings of one model."""
    return replace(
        design,
        encodings=tuple(replace(e, values=e.values[model : model + 1]) for e in design.encodings),
    )
