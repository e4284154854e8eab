"""Look profiles up with Feast, as a process of its own under the Python that Feast is in.

FEAST_PYTHON benchmarks/profiles_feast.py REPOSITORY ENTITIES OUT: `get_historical_features` of
every feature in the applied repository for each entity row, as Parquet. Nothing is imported that
Feast does not need.
"""

import sys

import pandas as pd
from feast import FeatureStore


def main(repository: str, entities: str, out: str) -> None:
    store = FeatureStore(repo_path=repository)
    rows = pd.read_parquet(entities)
    rows["event_timestamp"] = pd.to_datetime(rows["as_of"], utc=True)
    view = store.get_feature_view("profile")
    found = store.get_historical_features(
        entity_df=rows[["member_id", "event_timestamp"]],
        features=[f"profile:{field.name}" for field in view.features],
    ).to_df()
    found["as_of"] = pd.to_datetime(found.pop("event_timestamp"), utc=True).dt.date
    found.to_parquet(out, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
