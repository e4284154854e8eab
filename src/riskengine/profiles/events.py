"""Events in each policy period, from the diagnoses on its claim lines.

Left out: which codes are an event (`riskengine.products.event_codes`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as arrow

from riskengine.tables import Tables
from riskengine.vocabulary import IntArray, Service


def count_events(
    tables: Tables,
    policy_id: arrow.ChunkedArray,
    stages: Mapping[str, Sequence[str]],
    services: Sequence[Service],
    *,
    first_only: bool,
) -> dict[str, IntArray]:
    """Events by stage in each policy of `policy_id` (n,), (n,) each.

    `stages` names the prefixes of ICD-10 codes, without the dot, the mildest stage first; a code
    belongs to the hardest stage that lists it. One claim line is one event at most, of its hardest
    code, and lines taken back by as much as they were for are none. With `first_only` only a
    member's first event of each stage counts, on its day. Without a table of diagnoses nothing is
    known, and nothing counted: raises `KeyError`.
    """
    lines = tables["claims"].select(
        ["claim_id", "member_id", "policy_id", "service", "service_date", "allowed_amount",
         "reversal_of"]
    ).to_pandas()  # fmt: skip
    line = lines["reversal_of"].fillna(lines["claim_id"])
    cents = np.rint(lines["allowed_amount"] * 100).groupby(line).sum()
    standing = lines[lines["reversal_of"].isna() & (lines["claim_id"].map(cents) > 0)]
    standing = standing[standing["service"].isin([service.value for service in services])]
    found = tables["diagnoses"].select(["claim_id", "icd10"]).to_pandas()
    found["stage"] = _stage(found["icd10"].str.replace(".", "", regex=False), stages)
    hardest = found[found["stage"] >= 0].groupby("claim_id")["stage"].max()
    events = standing.assign(stage=standing["claim_id"].map(hardest)).dropna(subset="stage")
    if first_only:
        events = events.sort_values(["service_date", "claim_id"], kind="stable")
        events = events.drop_duplicates(["member_id", "stage"])
    place = pd.Index(policy_id.to_pandas()).get_indexer(events["policy_id"])
    stage = events["stage"].to_numpy(dtype=np.int64)
    return {
        name: np.bincount(place[(stage == at) & (place >= 0)], minlength=len(policy_id))
        for at, name in enumerate(stages)
    }


def _stage(codes: pd.Series, stages: Mapping[str, Sequence[str]]) -> pd.Series:
    """The place of the hardest stage that a code belongs to; -1 for none."""
    by_code = {
        code: max(
            (at for at, prefixes in enumerate(stages.values()) if code.startswith(tuple(prefixes))),
            default=-1,
        )
        for code in codes.unique()
    }
    return codes.map(by_code)
