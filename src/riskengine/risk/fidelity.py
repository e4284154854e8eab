"""What factor tables keep of a model, on outcomes: as served, held out, or held out and refitted.

Tables smooth a model and so lose some of its deviance. On rows that the model has learnt, trees
remember single rows and tables cannot: the loss looks larger than it is. On held-out rows it looks
smaller where a fold's own model is judged, as tables smooth away what the average of the folds
averages away. Refitted without the held-out members it is what it is, at the price of those fits.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as arrow

from riskengine.errors import InputError
from riskengine.risk.columns import as_table, training_columns
from riskengine.risk.diagnostics.deviance import Family, Loss
from riskengine.risk.distil import Distilled, TableSettings, distil, places_of, with_totals
from riskengine.risk.factor_tables import FactorTables, Fidelity, Judging
from riskengine.risk.fit import HeldOut
from riskengine.risk.model import RiskModel
from riskengine.risk.outcome import outcome_of
from riskengine.risk.spec import Kind, ModelSpec
from riskengine.vocabulary import FloatArray


def fidelity(model: RiskModel, tables: FactorTables, frame: arrow.Table | pd.DataFrame) -> Fidelity:
    """What the tables keep of the model on any table with outcomes, both as they are served.

    Raises as `riskengine.risk.columns.training_columns` and `FactorTables.mean`.
    """
    columns = training_columns(model.spec, as_table(frame))
    outcome = outcome_of(model.spec, columns)
    means = tables.mean(columns), model.predict(columns)
    return _judged(model.spec, (outcome.actual, outcome.weight), means, Judging.SERVED)


def fold_fidelity(model: RiskModel, distilled: Distilled) -> Fidelity:
    """What tables keep of each fold's own model on the rows of training that it never saw.

    `distilled` was made of the training table. In each fold tables with the same rows are made of
    the predictions that were held out there, so no outcome they are judged on is in them; only the
    bands, and the model's balance and shares, were chosen on all folds. Nothing is fitted anew.
    Raises `InputError` when nothing is kept of the training.
    """
    trained = model.trained
    if trained is None:
        message = f"model {model.spec.model.name} keeps no held-out predictions: train it again"
        raise InputError(message)
    places, tables = distilled.rows.places, distilled.tables
    actual, weight = trained.actual[places], trained.weight[places]
    expected, fold = trained.expected[places], trained.fold[places]
    pair = None
    if tables.pair is not None:
        pair = places_of(tables.factors, (tables.pair.first, tables.pair.second))
    told = np.full(len(expected), np.nan)
    for one in np.unique(fold[~np.isnan(expected)]):
        rows = np.flatnonzero(fold == one)
        codes = [code[rows] for code in distilled.codes]
        means = expected[rows], weight[rows]
        told[rows] = with_totals(model.spec, tables.factors, pair, codes, means).mean
    there = ~np.isnan(told)
    means = told[there], expected[there]
    return _judged(model.spec, (actual[there], weight[there]), means, Judging.FOLDS)


def refitted_fidelity(
    held_out: Sequence[HeldOut],
    frame: arrow.Table | pd.DataFrame,
    settings: TableSettings,
) -> Fidelity:
    """What tables keep of a model, each fold judged by tables and a model that never saw it.

    `held_out` is what `cross_fit` made of `frame`. Raises as `distil`.
    """
    table = as_table(frame)
    spec = held_out[0].model.spec
    outcome = outcome_of(spec, training_columns(spec, table))
    told, expected = np.full((2, table.num_rows), np.nan)
    for part in held_out:
        tables = distil(part.model, table.take(part.split.train), settings).tables
        test = table.take(part.split.test)
        told[part.split.test] = tables.mean(test)
        expected[part.split.test] = part.model.predict(test)
    rows = np.flatnonzero(~np.isnan(expected))
    given = outcome.actual[rows], outcome.weight[rows]
    return _judged(spec, given, (told[rows], expected[rows]), Judging.REFITTED)


def _judged(
    spec: ModelSpec,
    outcome: tuple[FloatArray, FloatArray],
    means: tuple[FloatArray, FloatArray],
    judging: Judging,
) -> Fidelity:
    """`outcome` is actual and weight, `means` those of the tables and of the model."""
    actual, weight = outcome
    if spec.model.kind in {Kind.TWEEDIE, Kind.FREQUENCY_SEVERITY}:
        loss = Loss(Family.TWEEDIE, spec.model.power)
    else:
        loss = Loss(Family(spec.model.kind.value))
    flat = loss.reference(actual, weight)
    of_flat, of_tables, of_model = (loss.mean(actual, m, weight) for m in (flat, *means))
    return Fidelity(of_flat, of_tables, of_model, judging)
