"""The MLflow side: runs of training, and releases registered under an alias.

Nothing else imports mlflow. A release is registered as a pyfunc whose artifact is the release
folder, so that `mlflow.pyfunc.load_model` can price a data frame and we can read the files.
"""

import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as arrow

from riskengine import __version__
from riskengine.engine import reprice
from riskengine.errors import ReleaseError
from riskengine.profiles.questions import check_columns, table_to_columns
from riskengine.release import Release, load_release, save_release
from riskengine.risk.fit import Fit
from riskengine.settings import Settings

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow  # noqa: E402
from mlflow.models import infer_signature  # noqa: E402
from mlflow.pyfunc import PythonModel, PythonModelContext  # noqa: E402


class ReleaseModel(PythonModel):  # type: ignore[misc]
    """A release behind MLflow's interface: a row of answers and `plan` in, its premium out."""

    def load_context(self, context: PythonModelContext) -> None:
        self.release = load_release(Path(context.artifacts["release"]))

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: Any,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Premiums a year as of `params["as_of"]` (ISO date, required), rows as they came in."""
        table = arrow.Table.from_pandas(model_input, preserve_index=False)
        columns = table_to_columns(self.release.questions, table)
        problems = check_columns(self.release.questions, columns)
        if problems:
            message = f"{len(problems)} values cannot be priced, the first: {problems[0]}"
            raise ValueError(message)
        as_of = date.fromisoformat((params or {})["as_of"])
        plans = table["plan"].to_numpy(zero_copy_only=False).astype(object)
        priced = reprice(self.release, columns, plans, as_of)
        return pd.DataFrame(
            {"plan": plans, "offered_premium": priced.offered_cents / 100}, index=model_input.index
        )


def connect(settings: Settings) -> mlflow.MlflowClient:
    """Point MLflow at the tracking store, making its folder and the experiment where needed."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if settings.tracking_uri.startswith("sqlite:///"):
        Path(settings.tracking_uri.removeprefix("sqlite:///")).parent.mkdir(
            parents=True, exist_ok=True
        )
    mlflow.set_tracking_uri(settings.tracking_uri)
    client = mlflow.MlflowClient()
    if client.get_experiment_by_name(settings.experiment) is None:
        client.create_experiment(
            settings.experiment, artifact_location=Path(settings.artifacts).resolve().as_uri()
        )
    mlflow.set_experiment(settings.experiment)
    return client


def log_training(
    settings: Settings, fit: Fit, metrics: dict[str, float], charts: dict[str, str]
) -> str:
    """Log one training run: spec, metrics, charts (SVG by name) and model files; its run id."""
    connect(settings)
    spec = fit.model.spec
    with mlflow.start_run(run_name=spec.model.name) as run:
        mlflow.log_params(
            {f"lightgbm.{k}": v for k, v in spec.lightgbm.model_dump(mode="json").items()}
        )
        mlflow.log_params(
            {"model": spec.model.name, "kind": spec.model.kind.value, "version": __version__,
             "rounds": fit.rounds}
        )
        mlflow.log_metrics(metrics)
        mlflow.log_text(json.dumps(spec.model_dump(mode="json"), indent=1), "spec.json")
        for name, svg in charts.items():
            mlflow.log_text(svg, f"charts/{name}.svg")
        with tempfile.TemporaryDirectory() as folder:
            fit.model.save(Path(folder))
            mlflow.log_artifacts(folder, "risk_model")
        return str(run.info.run_id)


def register_release(
    settings: Settings, release: Release, example: pd.DataFrame, as_of: date
) -> int:
    """Register a release and move the settings' alias to it; its version.

    `example` has rows of answers and `plan`; they sign the model. A release that is registered
    already, by its hash, is not registered twice.
    """
    client = connect(settings)
    name, alias = settings.registered_name, settings.alias
    with _folder_of(release) as folder:
        for known in _versions(client, name):
            if known.tags.get("release") == release.hash:
                client.set_registered_model_alias(name, alias, known.version)
                return int(known.version)
        params = {"as_of": as_of.isoformat()}
        output = pd.DataFrame({"plan": example["plan"], "offered_premium": 0.0})
        with mlflow.start_run(run_name="release"):
            info = mlflow.pyfunc.log_model(
                name="release",
                python_model=ReleaseModel(),
                artifacts={"release": str(folder)},
                signature=infer_signature(example, output, params),
                pip_requirements=[f"riskengine=={__version__}"],
                registered_model_name=name,
            )
    version = int(info.registered_model_version)
    client.set_model_version_tag(name, str(version), "release", release.hash)
    client.set_registered_model_alias(name, alias, str(version))
    return version


def load_registered(settings: Settings, alias: str | None = None) -> Release:
    """The release under an alias (the settings' own where None is given).

    Raises `ReleaseError` saying what to run when there is none.
    """
    alias = alias or settings.alias
    client = connect(settings)
    try:
        known = client.get_model_version_by_alias(settings.registered_name, alias)
    except mlflow.exceptions.MlflowException as error:
        message = (
            f"no release {alias!r} of {settings.registered_name!r} in {settings.tracking_uri}:"
            " run `riskengine demo` to build and register one"
        )
        raise ReleaseError(message) from error
    source = client.get_model_version_download_uri(known.name, known.version)
    folder = mlflow.artifacts.download_artifacts(artifact_uri=source)
    return load_release(Path(folder) / "artifacts" / "release")


def _versions(client: mlflow.MlflowClient, name: str) -> list[Any]:
    return list(client.search_model_versions(f"name='{name}'"))


@contextmanager
def _folder_of(release: Release) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "release"
        path.mkdir()
        save_release(release, path)
        yield path
