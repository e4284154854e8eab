"""Labelled tables to train from: needs that arose within 12 months, and offers that were taken.

Both join to profiles by `member_id` and `as_of`, whose features they then hold; offers without
profiles are a spine for them (`riskengine profiles --spine`).
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as pq

from riskengine.batch.evaluate import read_log
from riskengine.errors import InputError, TableError
from riskengine.products.load import read_catalogue, shipped
from riskengine.recommendation.followed import DAYS, follow
from riskengine.recommendation.next_need import NeedEvent, label_needs
from riskengine.recommendation.take_up import OfferRows, offers_of_log, offers_of_table
from riskengine.sources.parquet import parquet_schema

_KEYS = ["member_id", "as_of"]


@dataclass(frozen=True)
class OfferJob:
    """Offers of one product of a market, from the `offers` table in `data` or from a `log`."""

    market: str
    product: str
    data: Path | None = None
    log: Path | None = None
    profiles: Path | None = None
    days: int = DAYS


def need_table(data: Path, profiles: Path, event: NeedEvent, observed_until: date) -> arrow.Table:
    """The rows of `profiles` that can be labelled, with `happened`; raises as `label_needs`.

    `data` is a folder with claims, diagnoses and policies.
    """
    tables = {name: _read(data / f"{name}.parquet") for name in ("claims", "diagnoses", "policies")}
    features = _read(profiles)
    _require_keys(features, profiles)
    return _with_features(label_needs(tables, features, event, observed_until), features, profiles)


def offer_table(job: OfferJob) -> tuple[arrow.Table, OfferRows]:
    """The offers of a product, with features where there are profiles, and all that were read.

    Raises `InputError` for neither or both of data and log, and `TableError` for a product that was
    never offered.
    """
    if (job.data is None) == (job.log is None):
        message = "give --data, a folder with offers.parquet, or --log, records as JSON lines"
        raise InputError(message)
    catalogue = read_catalogue(shipped(job.market))
    if job.log is not None:
        records = read_log(job.log)
        if not records:
            message = f"{job.log} holds no record"
            raise InputError(message)
        until = max(one.recorded_at.date() for one in records)
        found = offers_of_log(follow(records, until, days=job.days), catalogue)
    else:
        found = offers_of_table(_read(Path(job.data or "") / "offers.parquet"), catalogue)
    rows = found.of_product(job.product)
    if job.profiles is None:
        return rows, found
    features = _read(job.profiles)
    _require_keys(features, job.profiles)
    return _with_features(rows, features, job.profiles), found


def _with_features(rows: arrow.Table, features: arrow.Table, path: Path) -> arrow.Table:
    """Labelled rows in their order with the columns of their profiles."""
    extra = [n for n in features.schema.names if n in _KEYS or n not in rows.schema.names]
    numbered = rows.append_column("__row", arrow.array(range(rows.num_rows), arrow.int64()))
    joined = numbered.join(_keyed(features.select(extra)), keys=_KEYS, join_type="inner")
    if joined.num_rows != rows.num_rows:
        message = (
            f"{rows.num_rows - joined.num_rows:,} of {rows.num_rows:,} labelled rows have no"
            f" profile in {path}: build them with `riskengine profiles --spine`"
        )
        raise TableError(message)
    return joined.sort_by("__row").drop_columns("__row")


def _keyed(features: arrow.Table) -> arrow.Table:
    """The features with keys of the types that labels have."""
    for name, kind in zip(_KEYS, (arrow.string(), arrow.date32()), strict=True):
        place = features.schema.names.index(name)
        features = features.set_column(place, name, features[name].cast(kind))
    return features


def _require_keys(table: arrow.Table, path: Path) -> None:
    absent = [name for name in _KEYS if name not in table.schema.names]
    if absent:
        message = f"{path} lacks {', '.join(absent)}: give what `riskengine profiles` wrote"
        raise TableError(message)


def _read(path: Path) -> arrow.Table:
    parquet_schema(path)
    return pq.read_table(path)
