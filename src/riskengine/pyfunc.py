"""A release behind MLflow's model interface, written as the script that MLflow keeps and runs."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as arrow
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from riskengine.engine import reprice
from riskengine.errors import AnswerError
from riskengine.profiles.questions import check_columns, table_to_columns
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
        problems = check_columns(self.release.questions, columns)
        if problems:
            raise AnswerError(problems)
        plans = table["plan"].to_numpy().astype(object)
        priced = reprice(self.release, columns, plans, date.fromisoformat((params or {})["as_of"]))
        return pd.DataFrame(
            {"plan": plans, "offered_premium": priced.offered_cents / 100}, index=model_input.index
        )


set_model(ReleaseModel())
