"""A risk model behind MLflow's model interface, written as the script that MLflow keeps."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as arrow
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from riskengine.risk.model import RiskModel


class RiskPyfunc(PythonModel):  # type: ignore[misc]
    """A data frame with the model's features in, its mean per unit of exposure out, row by row."""

    def load_context(self, context: PythonModelContext) -> None:
        self.model = RiskModel.load(Path(context.artifacts["risk_model"]))

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Column `prediction`; raises `TableError` and `InputError` as the model does."""
        table = arrow.Table.from_pandas(model_input, preserve_index=False)
        found = self.model.predict(table)
        names = list(self.model.classes) or ["prediction"]
        return pd.DataFrame(found.reshape(len(found), len(names)), model_input.index, names)


set_model(RiskPyfunc())
