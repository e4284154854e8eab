"""The one way to MLflow: its store, made where needed, and what is registered under a name."""

import logging
from pathlib import Path

import mlflow
from mlflow.models.model import ModelInfo

from riskengine.settings import Settings


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


def script(name: str) -> str:
    """The file that MLflow keeps beside what it stores, and runs to load it."""
    return str(Path(__file__).parent.parent / "pyfunc" / f"{name}.py")


def register(
    client: mlflow.MlflowClient, name: str, digest: str, logged: tuple[ModelInfo, str]
) -> int:
    """Register what a run logged, once for each digest; its version."""
    version = version_of(client, name, digest)
    if version is not None:
        return version
    info, run_id = logged
    if not client.search_registered_models(f"name='{name}'"):
        client.create_registered_model(name)
    created = client.create_model_version(
        name, info.model_uri, run_id, tags={"digest": digest}, model_id=info.model_id
    )
    return int(created.version)


def version_of(client: mlflow.MlflowClient, name: str, digest: str) -> int | None:
    """The version under which something of this digest is registered already."""
    known = client.search_model_versions(f"name='{name}' and tags.digest='{digest}'")
    return int(known[0].version) if known else None
