"""Releases as registered models: a pyfunc whose artifact is the release folder.

`mlflow.pyfunc.load_model` can price a data frame with it, and we can read the files. Each market
has a registered name of its own, so each has its own champion.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from sqlalchemy.exc import SQLAlchemyError

from riskengine import __version__
from riskengine.any_release import AnyRelease, read_release, write_release
from riskengine.errors import InputError, ReleaseError
from riskengine.market_release import MarketRelease
from riskengine.registry.connection import connect, register, script, version_of
from riskengine.registry.models import keep_decision, move_alias, registered
from riskengine.release import Release
from riskengine.release_files import check_release_files
from riskengine.settings import Settings

STUDY_MARKET = "study"
REVOKED = "revoked"
"""The tag of a version that may price no more; its value is the reason."""
_SHORTEST_HASH = 8


def registered_name(settings: Settings, market: str) -> str:
    """The name under which the releases of a market are registered."""
    name = settings.registered_name
    return name if market == STUDY_MARKET else f"{name}-{market}"


def register_release(
    settings: Settings,
    release: AnyRelease,
    as_of: date,
    example: pd.DataFrame | None = None,
    *,
    replaces: bool = True,
) -> int:
    """Register a release and move the settings' alias to it; its version.

    Unless it `replaces` another one, the alias moves only where it points to none. Its questions
    and `plan` sign the model; `example` has rows of them, kept beside it. A release that is
    registered already, by its hash, is not registered twice.
    """
    client = connect(settings)
    name = registered_name(settings, release.catalogue.market)
    version = version_of(client, name, release.hash)
    if version is None:
        params = {"as_of": as_of.isoformat()}
        with mlflow.start_run(run_name="release") as run, tempfile.TemporaryDirectory() as folder:
            write_release(release, Path(folder) / "release")
            info = mlflow.pyfunc.log_model(
                name="release",
                python_model=script("release_model"),
                artifacts={"release": str(Path(folder) / "release")},
                signature=_signature(release, params),
                input_example=None if example is None else (example, params),
                pip_requirements=[f"riskengine=={__version__}"],
            )
            # One read from an older version's files is written anew, and has a hash of its own.
            digest, _ = check_release_files(Path(folder) / "release")
        version = register(client, name, digest, (info, run.info.run_id))
    if replaces or settings.alias not in client.get_registered_model(name).aliases:
        client.set_registered_model_alias(name, settings.alias, str(version))
    return version


def _signature(release: AnyRelease, params: dict[str, str]) -> ModelSignature:
    """One column a question, those that may stay open optional, and the plan."""
    columns = [
        ColSpec("double" if one.kind == "number" else "string", one.name, required=one.required)
        for one in release.questions
    ]
    return ModelSignature(
        inputs=Schema([*columns, ColSpec("string", "plan")]),
        outputs=Schema([ColSpec("string", "plan"), ColSpec("double", "offered_premium")]),
        params=ParamSchema([ParamSpec("as_of", "string", params["as_of"])]),
    )


def load_registered(settings: Settings, alias: str | None = None) -> Release:
    """The study's release under an alias (the settings' own where None is given).

    Raises `ReleaseError` saying what to run when there is none.
    """
    found = find_release(settings, alias or settings.alias)
    if isinstance(found, MarketRelease):
        message = f"{alias} is a release of market {found.catalogue.market}: name an alias"
        raise ReleaseError(message)
    return found


def find_release(settings: Settings, named: str, *, revoked: bool = False) -> AnyRelease:
    """The release that `named` means: a folder, an alias, `market@alias`, or the start of a hash.

    An alias without a market is the study's; a hash needs eight digits or more. Raises
    `ReleaseError` saying what to run when there is none, and for one that was revoked, unless it is
    wanted `revoked` or not: to look at what it priced, never to price.
    """
    return read_release(release_folder(settings, named, revoked=revoked))


def release_folder(settings: Settings, named: str, *, revoked: bool = False) -> Path:
    """The folder of the release that `named` means, as `find_release` finds it."""
    if Path(named).is_dir():
        return Path(named)
    market, _, alias = named.rpartition("@")
    name = registered_name(settings, market or STUDY_MARKET)

    def find(client: mlflow.MlflowClient) -> ModelVersion:
        if not market and _is_hash(named):
            version = _of_hash(client, settings, named)
        else:
            version = client.get_model_version_by_alias(name, alias)
        if not revoked:
            _refuse_revoked(version)
        return version

    return _download(settings, named, find)


def revoke_release(settings: Settings, named: str, reason: str) -> str:
    """Let a registered release price no more; its hash. Raises `ReleaseError` for a stranger."""
    digest, _ = check_release_files(release_folder(settings, named))
    client = connect(settings)
    versions = _versions_of(client, settings, digest)
    if not versions:
        message = f"release {digest[:12]} is not registered: only a registered one can be revoked"
        raise ReleaseError(message)
    for version in versions:
        client.set_model_version_tag(version.name, version.version, REVOKED, reason)
    return digest


def check_not_revoked(settings: Settings, digests: Sequence[str]) -> None:
    """Raise `ReleaseError` with the reason where one of the releases was revoked.

    A release that is not registered cannot be; nor is it known where the registry is away.
    """
    try:
        client = connect(settings)
        for digest in digests:
            for version in _versions_of(client, settings, digest):
                _refuse_revoked(version)
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError):
        return


def _versions_of(
    client: mlflow.MlflowClient, settings: Settings, digest: str
) -> list[ModelVersion]:
    stem = settings.registered_name
    found = client.search_model_versions(f"name LIKE '{stem}%' and tags.digest='{digest}'")
    return list(found)


def _refuse_revoked(version: ModelVersion) -> None:
    if REVOKED in version.tags:
        message = (
            f"release {version.tags['digest'][:12]} was revoked: {version.tags[REVOKED]}; price"
            " with another one"
        )
        raise ReleaseError(message)


def _is_hash(named: str) -> bool:
    return len(named) >= _SHORTEST_HASH and all(c in "0123456789abcdef" for c in named)


def _of_hash(client: mlflow.MlflowClient, settings: Settings, digest: str) -> ModelVersion:
    """The one version whose digest starts so; an unknown one is told as MLflow would."""
    stem = settings.registered_name
    found = [
        version
        for version in client.search_model_versions(f"name LIKE '{stem}%'")
        if version.tags.get("digest", "").startswith(digest)
    ]
    if len(found) != 1:
        message = f"{len(found)} registered releases have a hash that starts with {digest}"
        raise mlflow.exceptions.MlflowException(message)
    return found[0]


def _download(
    settings: Settings, named: str, find: Callable[[mlflow.MlflowClient], ModelVersion]
) -> Path:
    try:
        client = connect(settings)
        known = find(client)
        source = client.get_model_version_download_uri(known.name, known.version)
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=source))
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError) as error:
        message = (
            f"no release {named!r} of {settings.registered_name!r} can be read from"
            f" {settings.tracking_uri}: run `riskengine demo` for the study's, or `riskengine"
            " release build` for a market's, to build and register one"
        )
        raise ReleaseError(message) from error
    return folder / "artifacts" / "release"


@dataclass(frozen=True)
class Moved:
    """An alias that was moved to a version; `before` is the version it pointed to."""

    version: int
    hash: str
    before: int | None


def promote_release(settings: Settings, market: str, target: tuple[str, str], reason: str) -> Moved:
    """Point an alias at a release of a market: `target` is (version, alias). The reason is kept.

    Raises `InputError` without a reason, for an alias that no service follows, a revoked release,
    `UnknownNameError` naming the versions there are, `ReleaseError` when the registry is away.
    """
    version, alias = target
    followed = (settings.alias, settings.challenger_alias)
    if alias not in followed:
        message = f"no service follows alias {alias!r}: move {' or '.join(followed)}"
        raise InputError(message)
    if not reason.strip():
        message = "a promotion needs a reason, which is kept: --reason 'what makes it right'"
        raise InputError(message)
    with _readable(settings):
        name = registered_name(settings, market)
        found = registered(settings, name, version)
        client = connect(settings)
        tags = client.get_model_version(name, str(found.version)).tags
        if "digest" not in tags:
            message = f"version {found.version} of {name} is no release: nothing prices with it"
            raise InputError(message)
        if REVOKED in tags:
            message = f"version {found.version} of {market} was revoked: {tags[REVOKED]}"
            raise InputError(message)
        before = client.get_registered_model(name).aliases.get(alias)
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        moved = Moved(
            found.version,
            tags["digest"],
            None if before is None else int(before),
        )
        record = {"at": at, "market": market, "alias": alias, "reason": reason, **vars(moved)}
        marks = {"promotion": alias, "promotion.at": at, "promotion.reason": reason}
        keep_decision(settings, found, record, marks)
        move_alias(settings, found, alias)
        return moved


@contextmanager
def _readable(settings: Settings) -> Iterator[None]:
    """Make of a registry that is away a `ReleaseError` that says so."""
    try:
        yield
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError) as error:
        message = f"the registry {settings.tracking_uri} cannot be used: {error}"
        raise ReleaseError(message) from error


def named_releases(settings: Settings) -> dict[str, dict[str, str]]:
    """The hash of what each alias points to, by alias and market, the study's first.

    A release that was revoked is in force nowhere, so that it takes no other market with it.
    Raises `ReleaseError` when the registry cannot be read."""
    stem = settings.registered_name
    found: dict[str, dict[str, str]] = {}
    with _readable(settings):
        client = connect(settings)
        models = sorted(client.search_registered_models(f"name LIKE '{stem}%'"), key=_by_name)
        for model in models:
            market = STUDY_MARKET if model.name == stem else model.name.removeprefix(f"{stem}-")
            if registered_name(settings, market) != model.name:
                continue
            for alias, version in client.get_registered_model(model.name).aliases.items():
                tags = client.get_model_version(model.name, str(version)).tags
                if "digest" in tags and REVOKED not in tags and tags.get("kind") != "risk_model":
                    found.setdefault(alias, {})[market] = tags["digest"]
    return found


def _by_name(model: RegisteredModel) -> str:
    return str(model.name)


def release_rows(settings: Settings) -> list[dict[str, Any]]:
    """Every registered release, the newest first: name, version, aliases, hash, registered at."""
    client = connect(settings)
    rows = []
    for version in client.search_model_versions(f"name LIKE '{settings.registered_name}%'"):
        if "digest" not in version.tags or version.tags.get("kind") == "risk_model":
            continue
        aliases = client.get_registered_model(version.name).aliases
        rows.append(
            {
                "name": version.name,
                "version": int(version.version),
                "aliases": sorted(a for a, v in aliases.items() if v == version.version),
                "hash": version.tags["digest"],
                "registered_at": version.creation_timestamp,
            }
        )
    return sorted(rows, key=lambda row: -int(row["registered_at"]))
