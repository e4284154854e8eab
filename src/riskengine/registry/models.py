"""Registered risk models: found by name and version, alias or URI, fetched, promoted."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import mlflow
import yaml
from sqlalchemy.exc import SQLAlchemyError

from riskengine.errors import ReleaseError, UnknownNameError
from riskengine.registry.connection import connect
from riskengine.registry.runs import FOLDER
from riskengine.settings import Settings

_DECISIONS = "promotion"
_FAILURES = (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError)


@dataclass(frozen=True)
class Registered:
    """One version of a registered model, and the run that made it."""

    name: str
    version: int
    run_id: str

    @property
    def uri(self) -> str:
        """How MLflow names it.

        >>> Registered("visits", 3, "").uri
        'models:/visits/3'
        """
        return f"models:/{self.name}/{self.version}"


def registered(settings: Settings, name: str, version: str) -> Registered:
    """A version of a model, by its number or, as `@champion`, by its alias.

    Raises `UnknownNameError` naming the versions there are.
    """
    client = connect(settings)
    if "'" in name:
        message = f"no model has a name such as {name!r}"
        raise UnknownNameError(message)
    try:
        if version.startswith("@"):
            found = client.get_model_version_by_alias(name, version[1:])
        else:
            found = client.get_model_version(name, version)
    except mlflow.exceptions.MlflowException as error:
        known = sorted(int(v.version) for v in client.search_model_versions(f"name='{name}'"))
        names = ", ".join(sorted(model.name for model in client.search_registered_models()))
        there = f"it has versions {', '.join(map(str, known))}" if known else f"there are {names}"
        message = f"no version {version} of {name} is registered; {there or 'there are no models'}"
        raise UnknownNameError(message) from error
    return Registered(name, int(found.version), found.run_id)


def under_alias(settings: Settings, name: str) -> Registered | None:
    """The version that the settings' alias points to; None where it points to none."""
    aliases = connect(settings).get_registered_model(name).aliases
    found = aliases.get(settings.alias)
    return None if found is None else registered(settings, name, str(found))


def parse_uri(uri: str) -> tuple[str, str]:
    """Name and version (or @alias) of a URI of a registered model.

    Raises `UnknownNameError` for another text.

    >>> parse_uri("models:/visits/3"), parse_uri("models:/visits@champion")
    (('visits', '3'), ('visits', '@champion'))
    """
    found = re.fullmatch(r"models:/([^/@]+)(?:/(\d+)|(@[^/@]+))", uri)
    if found is None:
        message = f"{uri!r} names no model: give models:/NAME/VERSION or models:/NAME@ALIAS"
        raise UnknownNameError(message)
    return found[1], found[2] or found[3]


def fetch_model(settings: Settings, uri: str) -> Path:
    """The folder of a risk model's files, by `models:/NAME/VERSION`, `models:/NAME@ALIAS` or
    `runs:/RUN_ID`.

    Raises `UnknownNameError` where there is none, `ReleaseError` where it is no risk model.
    """
    if uri.startswith("models:/"):
        found = registered(settings, *parse_uri(uri))
        source = connect(settings).get_model_version_download_uri(found.name, str(found.version))
    else:
        source = _of_run(settings, uri)
    try:
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=source))
        about = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
        inside = str(about["flavors"]["python_function"]["artifacts"][FOLDER]["path"])
    except (*_FAILURES, KeyError, TypeError) as error:
        message = f"{uri} is no risk model that can be read from {settings.tracking_uri}: {error}"
        raise ReleaseError(message) from error
    return folder / inside


def move_alias(settings: Settings, model: Registered, alias: str | None = None) -> None:
    """Point an alias, the settings' own where None, at a version: what asks by it changes now."""
    alias = alias or settings.alias
    connect(settings).set_registered_model_alias(model.name, alias, str(model.version))


def keep_decision(
    settings: Settings, model: Registered, decision: Mapping[str, object], tags: Mapping[str, str]
) -> None:
    """Keep a decision on a version: its tags, and a JSON file among its run's artifacts.

    `decision` has `at`, an ISO time, which names the file.
    """
    client = connect(settings)
    for name, value in tags.items():
        client.set_model_version_tag(model.name, str(model.version), name, value)
    text = json.dumps(decision, indent=1, ensure_ascii=False) + "\n"
    stamp = re.sub(r"\W", "", str(decision["at"]))
    client.log_text(model.run_id, text, f"{_DECISIONS}/version_{model.version}_{stamp}.json")


def decisions(settings: Settings, name: str) -> list[dict[str, object]]:
    """Every decision that was kept on any version of a model, the earliest first.

    Each is as it was given to `keep_decision`. Raises `UnknownNameError` for a name that is not
    registered, `ReleaseError` when a decision cannot be read.
    """
    client = connect(settings)
    runs = {version.run_id for version in client.search_model_versions(f"name='{name}'")}
    if not runs:
        names = ", ".join(sorted(model.name for model in client.search_registered_models()))
        message = f"no model {name} is registered; there {f'are {names}' if names else 'is none'}"
        raise UnknownNameError(message)
    found: list[dict[str, object]] = []
    try:
        for run in runs:
            for file in client.list_artifacts(run, _DECISIONS):
                uri = f"runs:/{run}/{file.path}"
                found.append(json.loads(mlflow.artifacts.load_text(uri)))
    except (*_FAILURES, json.JSONDecodeError) as error:
        message = f"decisions on {name} cannot be read from {settings.tracking_uri}: {error}"
        raise ReleaseError(message) from error
    return sorted(found, key=lambda one: datetime.fromisoformat(str(one["at"])))


def _of_run(settings: Settings, uri: str) -> str:
    found = re.match(r"runs:/([0-9a-f]+)", uri)
    if found is None:
        message = f"{uri!r} names no model: give a folder, models:/NAME@ALIAS or runs:/RUN_ID"
        raise UnknownNameError(message)
    client = connect(settings)
    try:
        run = client.get_run(found[1])
    except mlflow.exceptions.MlflowException as error:
        message = f"there is no run {found[1]} in {settings.tracking_uri}"
        raise UnknownNameError(message) from error
    made = run.outputs.model_outputs if run.outputs else []
    if not made:
        message = f"run {found[1]} made no model"
        raise UnknownNameError(message)
    return f"models:/{made[0].model_id}"
