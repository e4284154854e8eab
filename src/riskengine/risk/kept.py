"""A model's folder: its own files, and `trained.parquet`, what is kept of its training rows.

Columns: `row` from 0, `actual` per unit of exposure, `weight`, `member`, `fold`, and `expected`,
the held-out prediction, or for classes one `expected_CLASS` each. Two models of the same rows are
compared by it, without the data they were trained on.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as pq

from riskengine.errors import ReleaseError
from riskengine.risk.model import RiskModel, Trained

TRAINED_FILE = "trained.parquet"
_PREFIX = "expected_"


def model_files(model: RiskModel, beside: Mapping[str, str]) -> dict[str, bytes]:
    """The files of a model's folder by name: its own, its training rows, and texts beside them."""
    files = model.to_files()
    trained = trained_bytes(model)
    if trained is not None:
        files[TRAINED_FILE] = trained
    return files | {name: text.encode("utf-8") for name, text in beside.items()}


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files by name to `folder`, made where it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def trained_bytes(model: RiskModel) -> bytes | None:
    """The content of `trained.parquet`; None for a model whose training rows are not known."""
    trained = model.trained
    if trained is None:
        return None
    classes = trained.expected.reshape(len(trained.actual), -1).T
    names = [f"{_PREFIX}{name}" for name in model.classes] or ["expected"]
    columns = {
        "row": np.arange(len(trained.actual)),
        "actual": trained.actual,
        "weight": trained.weight,
        "member": trained.member,
        "fold": trained.fold,
        **dict(zip(names, classes, strict=True)),
    }
    about = {"digest": trained.digest, "classes": json.dumps(model.classes)}
    table = arrow.table(columns).replace_schema_metadata(about)
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def load_kept(folder: Path) -> RiskModel:
    """The model in `folder` with what is kept of its training rows, where that is there.

    Raises `ReleaseError` when a file is broken.
    """
    model = RiskModel.load(folder)
    if not (folder / TRAINED_FILE).is_file():
        return model
    return replace(model, trained=read_trained(folder))


def read_trained(folder: Path) -> Trained:
    """What `trained_bytes` wrote to `trained.parquet` in `folder`; raises `ReleaseError`."""
    path = folder / TRAINED_FILE
    if not path.is_file():
        message = (
            f"{folder} has no {TRAINED_FILE}, so nothing is known of its training rows: train the"
            " model again with `riskengine train`, or give --data"
        )
        raise ReleaseError(message)
    try:
        table = pq.read_table(path)
        about = table.schema.metadata
        classes = json.loads(about[b"classes"])
        names = [f"{_PREFIX}{name}" for name in classes] or ["expected"]
        expected = np.column_stack([table[name].to_numpy() for name in names])
        return Trained(
            actual=table["actual"].to_numpy(),
            weight=table["weight"].to_numpy(),
            expected=expected if classes else expected[:, 0],
            member=table["member"].to_numpy(),
            fold=table["fold"].to_numpy(),
            digest=about[b"digest"].decode(),
        )
    except (OSError, arrow.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        message = f"{path} cannot be read: {error}; train the model again"
        raise ReleaseError(message) from error
