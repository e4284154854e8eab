"""The rival's model for `benchmarks.service`: MLflow runs this file to score three risk models."""

from pathlib import Path

import mlflow
import pandas as pd

from riskengine.risk.model import RiskModel


class ThreeModels(mlflow.pyfunc.PythonModel):
    """Loads the models of three perils, and predicts the mean of each for every row."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        """Read the models."""
        folder = Path(context.artifacts["models"])
        self.models = {path.name: RiskModel.load(path) for path in sorted(folder.iterdir())}

    def predict(
        self, context: mlflow.pyfunc.PythonModelContext, model_input: pd.DataFrame
    ) -> pd.DataFrame:
        """The annual mean of each peril."""
        del context
        return pd.DataFrame({name: one.predict(model_input) for name, one in self.models.items()})


mlflow.models.set_model(ThreeModels())
