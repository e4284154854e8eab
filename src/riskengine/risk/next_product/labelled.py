"""Customers that no model was trained on, each owned product hidden in turn: how two compare."""

from collections.abc import Mapping

from riskengine.errors import InputError
from riskengine.risk.columns import as_table, feature_columns, training_columns
from riskengine.risk.diagnostics.deviance import Family, Loss
from riskengine.risk.diagnostics.judged import Judged
from riskengine.risk.fit import digest_of
from riskengine.risk.folds import members
from riskengine.risk.model import Frame, RiskModel
from riskengine.risk.next_product.baskets import flags_of, hide_each
from riskengine.vocabulary import Columns, FloatArray, IntArray


def labelled_baskets(models: dict[str, RiskModel], frame: Frame) -> Judged:
    """Hidden products of a table's customers, predicted by each model as it serves.

    Raises `TableError` as training does, and `InputError` for a table that a model was trained on.
    """
    if isinstance(frame, Mapping):
        message = "columns that were read already have no customers: give a table"
        raise InputError(message)
    table = as_table(frame)
    spec = next(iter(models.values())).spec
    columns = training_columns(spec, table)
    for name, model in models.items():
        own = training_columns(model.spec, table)
        if model.trained is not None and digest_of(model.spec, own) == model.trained.digest:
            message = (
                f"the {name} model was trained on this table: give one that neither was trained"
                " on, or none to compare held-out rows"
            )
            raise InputError(message)
    hidden = hide_each(flags_of(spec.model.products, columns))
    return Judged(
        actual=hidden.place.astype("float64"),
        weight=hidden.weight,
        member=members(spec, columns)[hidden.customer],
        fold=None,
        predictions={
            name: model.predict(
                left_of(model, feature_columns(model.spec, table), hidden.flags, hidden.customer)
            )
            for name, model in models.items()
        },
        loss=Loss(Family.MULTICLASS),
    )


def left_of(model: RiskModel, columns: Columns, flags: FloatArray, customer: IntArray) -> Columns:
    """The customers' columns with what is left of their products."""
    found = {name: values[customer] for name, values in columns.items()}
    return found | dict(zip(model.classes, flags.T, strict=True))
