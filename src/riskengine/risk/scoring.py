"""Raw scores of boosters, by the fast trees where they are proven equal and else by LightGBM.

The choice is one of speed alone: before fast trees serve, they must give LightGBM's own bits on
probes that lie on and beside every kind of threshold.
"""

import logging
from collections.abc import Sequence
from enum import StrEnum
from typing import TypeAlias

import lightgbm as lgb
import numpy as np

from riskengine.risk.fast_trees import FastTrees, UnsupportedTreesError, fast_trees
from riskengine.risk.trees import raw_score
from riskengine.vocabulary import FloatArray

_LOG = logging.getLogger(__name__)


class Scorer(StrEnum):
    """Who evaluates trees: `fast` leaves to LightGBM what it cannot do; both give the same bits."""

    FAST = "fast"
    REFERENCE = "reference"


_chosen = [Scorer.FAST]


def choose_scorer(scorer: Scorer) -> None:
    """Who evaluates the trees of models that are used for the first time from now on."""
    _chosen[0] = scorer


def chosen_scorer() -> Scorer:
    """The choice as it stands, for another process to make as well."""
    return _chosen[0]


class Reference:
    """LightGBM itself, booster by booster, on one thread."""

    def __init__(self, boosters: Sequence[lgb.Booster]) -> None:
        self._boosters = boosters

    def raw(self, matrix: FloatArray) -> FloatArray:
        """Raw scores of rows (n, features), (boosters, n, classes)."""
        return np.stack(
            [
                raw_score(one, matrix).reshape(len(matrix), one.num_model_per_iteration())
                for one in self._boosters
            ]
        )


TreeScorer: TypeAlias = FastTrees | Reference


def tree_scorer(texts: Sequence[str], boosters: Sequence[lgb.Booster]) -> TreeScorer:
    """What evaluates boosters that read one matrix; `texts` are the same as `boosters`."""
    reference = Reference(boosters)
    if _chosen[0] is Scorer.REFERENCE:
        return reference
    try:
        fast = fast_trees(texts)
    except UnsupportedTreesError as reason:
        _LOG.info("trees are evaluated by LightGBM: %s", reason)
        return reference
    probes = fast.probes()
    if np.array_equal(fast.raw(probes), reference.raw(probes)):
        return fast
    _LOG.warning("fast trees differ from LightGBM on probes: LightGBM evaluates them")
    return reference
