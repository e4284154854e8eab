"""Profiles for those who keep a Feast feature store: a repository over the file of profiles.

The repository reads profiles that are built here; Feast looks rows up and does not aggregate. It is
for Feast's DuckDB store; `feast apply` in the folder registers it. Feast itself is not needed to
write it.
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as arrow
import pyarrow.compute as pc
import pyarrow.parquet as pq

from riskengine.errors import TableError
from riskengine.profiles.feature import Feature
from riskengine.sources.parquet import parquet_batches, parquet_schema

_STORE = """project: riskengine
provider: local
registry: registry.db
offline_store:
  type: duckdb
entity_key_serialization_version: 3
"""
_HEAD = '''"""Profiles built by riskengine, as Feast objects; `feast apply` registers them."""

from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, String

member = Entity(name="member", join_keys=["member_id"], value_type=ValueType.STRING)
profiles = FileSource(
    name="profiles",
    path=str(Path(__file__).resolve().with_name("profiles.parquet")),
    timestamp_field="event_timestamp",
)
profile_view = FeatureView(
    name="profile",
    entities=[member],
    ttl=timedelta(days=0),
    source=profiles,
    schema=[
'''


def write_feast_repository(profiles: Path, folder: Path, features: Sequence[Feature]) -> None:
    """Write `feature_store.yaml`, `definitions.py` and `profiles.parquet` to `folder`.

    A profile may be looked up from its own date on: `event_timestamp` is its `as_of`, midnight
    UTC. Raises `TableError` for what holds no profiles of these features.
    """
    names = parquet_schema(profiles).names
    absent = [n for n in ("member_id", "as_of", *(f.name for f in features)) if n not in names]
    if absent:
        few = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
        message = f"{profiles} holds no profiles of these features; it lacks {few}"
        raise TableError(message)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "feature_store.yaml").write_text(_STORE, encoding="utf-8")
    fields = "".join(
        f'        Field(name="{f.name}", dtype={_kind(f)}, description={f.question.title.en!r}),\n'
        for f in features
    )
    (folder / "definitions.py").write_text(_HEAD + fields + "    ],\n)\n", encoding="utf-8")
    writer: pq.ParquetWriter | None = None
    for batch in parquet_batches(profiles, 250_000):
        table = arrow.Table.from_batches([batch])
        stamp = pc.cast(table["as_of"], arrow.timestamp("us")).cast(arrow.timestamp("us", tz="UTC"))
        dated = table.drop_columns(["as_of"]).append_column("event_timestamp", stamp)
        writer = writer or pq.ParquetWriter(folder / "profiles.parquet", dated.schema)
        writer.write_table(dated)
    if writer:
        writer.close()


def _kind(feature: Feature) -> str:
    return "String" if feature.question.kind == "level" else "Float64"
