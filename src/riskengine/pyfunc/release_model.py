"""A release behind MLflow's model interface, written as the script that MLflow keeps and runs."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as arrow
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from riskengine.any_release import read_release
from riskengine.engine import reprice, unpriceable
from riskengine.errors import AnswerError
from riskengine.market_engine import quote_book
from riskengine.market_release import MarketRelease
from riskengine.profiles.questions import Question, table_to_columns


class ReleaseModel(PythonModel):  # type: ignore[misc]
    """A data frame of answers and `plan` in, its premiums a year out, row by row."""

    def load_context(self, context: PythonModelContext) -> None:
        self.release = read_release(Path(context.artifacts["release"]))

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Premiums as of `params["as_of"]`, an ISO date; raises `AnswerError` for bad answers."""
        table = arrow.Table.from_pandas(model_input, preserve_index=False)
        plans = table["plan"].to_numpy().astype(object)
        as_of = date.fromisoformat((params or {})["as_of"])
        table = _complete(table, self.release.questions)
        columns = table_to_columns(self.release.questions, table)
        if isinstance(self.release, MarketRelease):
            cents = quote_book(self.release, columns, plans, as_of).offered_cents
        else:
            problems = unpriceable(self.release, columns, plans, as_of, renewal=False)
            if problems:
                raise AnswerError(problems)
            cents = reprice(self.release, columns, plans, as_of).offered_cents
        return pd.DataFrame(
            {"plan": plans, "offered_premium": cents / 100}, index=model_input.index
        )


def _complete(table: arrow.Table, questions: Sequence[Question]) -> arrow.Table:
    """The table with a column of nulls for each open question that a client left out."""
    for question in questions:
        if not question.required and question.name not in table.column_names:
            table = table.append_column(question.name, arrow.nulls(table.num_rows))
    return table


set_model(ReleaseModel())
