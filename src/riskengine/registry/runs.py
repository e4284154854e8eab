"""Runs of training: everything that made a model, and how good it is, beside the model itself."""

import hashlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sqlalchemy.exc import SQLAlchemyError

from riskengine import __version__
from riskengine.registry.connection import connect, register, script
from riskengine.risk.kept import TRAINED_FILE, model_files, write_files
from riskengine.risk.model import RiskModel
from riskengine.settings import Settings

FOLDER = "risk_model"
"""The folder of a model's files among the artifacts of a registered one."""


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """What one run of training is kept as.

    `example` has rows of features, which sign the model. `charts` are SVG texts by name, `texts`
    further files by name, such as `report.html`; those of `beside`, such as `spec.toml`, lie with
    the model's own files too. `data_digest` is that of the data file, where there is one.
    """

    model: RiskModel
    example: pd.DataFrame
    metrics: Mapping[str, float] = field(default_factory=dict)
    charts: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    data_digest: str = ""


def log_training(settings: Settings, run: TrainingRun) -> int:
    """Log one training run and register its model under the spec's name; the version.

    Equal files are not registered twice: the version they have is given.
    """
    client = connect(settings)
    name = run.model.spec.model.name
    files = model_files(run.model, run.beside)
    with mlflow.start_run(run_name=name) as begun, tempfile.TemporaryDirectory() as scratch:
        mlflow.log_params(_params(run))
        mlflow.log_metrics({key: v for key, v in run.metrics.items() if np.isfinite(v)})
        mlflow.log_text(run.model.spec.model_dump_json(indent=1), "spec.json")
        for key, svg in run.charts.items():
            mlflow.log_text(svg, f"charts/{key}.svg")
        for key, text in {**run.texts, **run.beside}.items():
            mlflow.log_text(text, key)
        folder = Path(scratch) / FOLDER
        write_files(files, folder)
        if TRAINED_FILE in files:
            mlflow.log_artifact(str(folder / TRAINED_FILE))
        answer = pd.DataFrame(0.0, index=[0], columns=list(run.model.classes) or ["prediction"])
        info = mlflow.pyfunc.log_model(
            name=name,
            python_model=script("risk_model"),
            artifacts={"risk_model": str(folder)},
            signature=infer_signature(run.example, answer),
            input_example=run.example if len(run.example) else None,
            pip_requirements=[f"riskengine=={__version__}"],
        )
    digest = hashlib.sha256(b"".join(files[key] for key in sorted(files))).hexdigest()
    return register(client, name, digest, (info, begun.info.run_id))


def log_job(
    settings: Settings, name: str, told: Mapping[str, object], files: Sequence[Path]
) -> str:
    """Log a batch job as a run: numbers of `told` as metrics, the rest as parameters, `files` kept.

    Nothing of a job hangs on it: where the store fails, what it said is given back, else "".
    """
    numbers = {key: float(v) for key, v in told.items() if isinstance(v, int | float)}
    try:
        connect(settings)
        with mlflow.start_run(run_name=name):
            mlflow.log_metrics(numbers)
            mlflow.log_params({key: v for key, v in told.items() if key not in numbers})
            for path in files:
                mlflow.log_artifact(str(path))
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError) as error:
        return str(error).splitlines()[0]
    return ""


def _params(run: TrainingRun) -> dict[str, object]:
    spec, trained = run.model.spec, run.model.trained
    found: dict[str, object] = {
        "model": spec.model.name,
        "kind": spec.model.kind.value,
        "purpose": spec.model.purpose.value,
        "version": __version__,
        "code": _commit() or "not under version control",
        "rows_digest": trained.digest if trained else None,
        "rounds": list(trained.rounds) if trained else None,
    }
    if run.data_digest:
        found["data_digest"] = run.data_digest
    trees = spec.lightgbm.model_dump(mode="json")
    return found | {f"lightgbm.{key}": value for key, value in trees.items()}


def _commit() -> str | None:
    """The commit of this code, with `+changed` where files differ from it; None where unknown."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=here,
                capture_output=True,
                text=True,
                timeout=10,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    # Installed code may lie inside a repository that is not its own.
    if git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    commit = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", str(here.parent))
    return f"{commit}+changed" if commit and changed else commit
