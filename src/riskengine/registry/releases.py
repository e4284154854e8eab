"""Releases as registered models: a pyfunc whose artifact is the release folder.

`mlflow.pyfunc.load_model` can price a data frame with it, and we can read the files.
"""

import tempfile
from datetime import date
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sqlalchemy.exc import SQLAlchemyError

from riskengine import __version__
from riskengine.errors import ReleaseError
from riskengine.registry.connection import connect, register, script, version_of
from riskengine.release import Release, load_release, save_release
from riskengine.settings import Settings


def register_release(
    settings: Settings, release: Release, example: pd.DataFrame, as_of: date
) -> int:
    """Register a release and move the settings' alias to it; its version.

    `example` has rows of answers and `plan`; they sign the model. A release that is registered
    already, by its hash, is not registered twice.
    """
    client = connect(settings)
    name = settings.registered_name
    version = version_of(client, name, release.hash)
    if version is None:
        params = {"as_of": as_of.isoformat()}
        output = pd.DataFrame({"plan": example["plan"], "offered_premium": 0.0})
        with mlflow.start_run(run_name="release") as run, tempfile.TemporaryDirectory() as folder:
            save_release(release, Path(folder) / "release")
            info = mlflow.pyfunc.log_model(
                name="release",
                python_model=script("release_model"),
                artifacts={"release": str(Path(folder) / "release")},
                signature=infer_signature(example, output, params),
                input_example=(example, params),
                pip_requirements=[f"riskengine=={__version__}"],
            )
        version = register(client, name, release.hash, (info, run.info.run_id))
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
