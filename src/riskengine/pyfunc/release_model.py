"""A release behind MLflow's model interface, written as the script that MLflow keeps and runs."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as arrow
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from riskengine.engine import reprice, unpriceable
from riskengine.errors import AnswerError
from riskengine.profiles.questions import table_to_columns
from riskengine.release import load_release


class ReleaseModel(PythonModel):  # type: ignore[misc]
    """A data frame of answers and `plan` in, its premiums a year out, row by row."""

    def load_context(self, context: PythonModelContext) -> None:
        self.release = load_release(Path(context.artifacts["release"]))

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Premiums as of `params["as_of"]`, an ISO date; raises `AnswerError` for bad answers."""
        table = arrow.Table.from_pandas(model_input, preserve_index=False)
        columns = table_to_columns(self.release.questions, table)
        plans = table["plan"].to_numpy().astype(object)
        as_of = date.fromisoformat((params or {})["as_of"])
        problems = unpriceable(self.release, columns, plans, as_of, renewal=False)
        if problems:
            raise AnswerError(problems)
        priced = reprice(self.release, columns, plans, as_of)
        return pd.DataFrame(
            {"plan": plans, "offered_premium": priced.offered_cents / 100}, index=model_input.index
        )


set_model(ReleaseModel())
