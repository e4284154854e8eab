"""The MLflow side: runs of training, and releases registered under an alias.

Nothing else imports mlflow. A release is registered as a pyfunc whose artifact is the release
folder, so that `mlflow.pyfunc.load_model` can price a data frame and we can read the files.
"""

import hashlib
import json
import logging
import os
import tempfile
from datetime import date
from pathlib import Path

import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from riskengine import __version__
from riskengine.errors import ReleaseError
from riskengine.release import Release, load_release, save_release
from riskengine.risk.fit import Fit
from riskengine.settings import Settings

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
from mlflow.models import infer_signature
from mlflow.models.model import ModelInfo


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
    settings: Settings,
    fit: Fit,
    metrics: dict[str, float],
    charts: dict[str, str],
    example: pd.DataFrame,
) -> int:
    """Log one training run and register its model under the spec's name; the version.

    The run holds spec, metrics, charts (SVG by name) and model; `example` has rows of features.
    """
    client = connect(settings)
    spec = fit.model.spec
    with mlflow.start_run(run_name=spec.model.name) as run, tempfile.TemporaryDirectory() as folder:
        mlflow.log_params(
            {f"lightgbm.{k}": v for k, v in spec.lightgbm.model_dump(mode="json").items()}
        )
        mlflow.log_params(
            {
                "model": spec.model.name,
                "kind": spec.model.kind.value,
                "version": __version__,
                "rounds": fit.rounds,
            }
        )
        mlflow.log_metrics(metrics)
        mlflow.log_text(json.dumps(spec.model_dump(mode="json"), indent=1), "spec.json")
        for name, svg in charts.items():
            mlflow.log_text(svg, f"charts/{name}.svg")
        fit.model.save(Path(folder))
        info = mlflow.pyfunc.log_model(
            name=spec.model.name,
            python_model=_script("risk_model"),
            artifacts={"risk_model": folder},
            signature=infer_signature(example, pd.DataFrame({"prediction": [0.0]})),
            input_example=example,
            pip_requirements=[f"riskengine=={__version__}"],
        )
    digest = hashlib.sha256(b"".join(fit.model.to_files().values())).hexdigest()
    return _register(client, spec.model.name, digest, (info, run.info.run_id))


def register_release(
    settings: Settings, release: Release, example: pd.DataFrame, as_of: date
) -> int:
    """Register a release and move the settings' alias to it; its version.

    `example` has rows of answers and `plan`; they sign the model. A release that is registered
    already, by its hash, is not registered twice.
    """
    client = connect(settings)
    name = settings.registered_name
    version = _version_of(client, name, release.hash)
    if version is None:
        params = {"as_of": as_of.isoformat()}
        output = pd.DataFrame({"plan": example["plan"], "offered_premium": 0.0})
        with mlflow.start_run(run_name="release") as run, tempfile.TemporaryDirectory() as folder:
            save_release(release, Path(folder) / "release")
            info = mlflow.pyfunc.log_model(
                name="release",
                python_model=_script("release_model"),
                artifacts={"release": str(Path(folder) / "release")},
                signature=infer_signature(example, output, params),
                input_example=(example, params),
                pip_requirements=[f"riskengine=={__version__}"],
            )
        version = _register(client, name, release.hash, (info, run.info.run_id))
    client.set_registered_model_alias(name, settings.alias, str(version))
    return version


def load_registered(settings: Settings, alias: str | None = None) -> Release:
    """The release under an alias (the settings' own where None is given).

    Raises `ReleaseError` saying what to run when there is none.
    """
    alias = alias or settings.alias
    try:
        client = connect(settings)
        known = client.get_model_version_by_alias(settings.registered_name, alias)
        source = client.get_model_version_download_uri(known.name, known.version)
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=source))
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError) as error:
        message = (
            f"no release {alias!r} of {settings.registered_name!r} can be read from"
            f" {settings.tracking_uri}: run `riskengine demo` to build and register one"
        )
        raise ReleaseError(message) from error
    return load_release(folder / "artifacts" / "release")


def _script(name: str) -> str:
    """The file that MLflow keeps beside what it stores, and runs to load it."""
    return str(Path(__file__).parent / "pyfunc" / f"{name}.py")


def _register(
    client: mlflow.MlflowClient, name: str, digest: str, logged: tuple[ModelInfo, str]
) -> int:
    """Register what a run logged, once for each digest; its version."""
    version = _version_of(client, name, digest)
    if version is not None:
        return version
    info, run_id = logged
    if not client.search_registered_models(f"name='{name}'"):
        client.create_registered_model(name)
    created = client.create_model_version(
        name, info.model_uri, run_id, tags={"digest": digest}, model_id=info.model_id
    )
    return int(created.version)


def _version_of(client: mlflow.MlflowClient, name: str, digest: str) -> int | None:
    """The version under which something of this digest is registered already."""
    known = client.search_model_versions(f"name='{name}' and tags.digest='{digest}'")
    return int(known[0].version) if known else None
