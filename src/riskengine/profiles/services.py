"""What every service cost in each policy year, and its stays: what perils of many terms learn from.

Reversals are counted with the line they take back. Left out: bringing months not yet fully known
to their ultimate (`riskengine.market_training`), and what a peril makes of it
(`riskengine.pricing.perils`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as arrow

from riskengine.errors import TableError
from riskengine.vocabulary import FloatArray, IntArray, Service


@dataclass(frozen=True, eq=False)
class ServiceYears:
    """n policies by service: `amounts` in currency and `visits`, (n,) each, a year of exposure.

    Services nobody used, or whose visits nobody counted, are left out. Each stay has its policy's
    place (`stay_row`) and its `stay_days`, (stays,), as they were, whatever the exposure.
    """

    amounts: dict[Service, FloatArray]
    visits: dict[Service, FloatArray]
    stay_row: IntArray
    stay_days: FloatArray


def years_by_service(
    claims: arrow.Table, policy_id: arrow.ChunkedArray, exposure: FloatArray
) -> ServiceYears:
    """The claims (a table of that contract) of the policies in `policy_id` (n,), by service.

    `exposure` (n,) in years, above 0. Claims of other policies are passed over, a policy without
    claims has amounts of 0. Raises `TableError` where a policy is there twice, has no exposure, or
    has more reversed of a service than it was charged for.
    """
    policies = pd.Index(policy_id.to_pandas())
    if not policies.is_unique or not (exposure > 0).all():
        message = "each policy needs one row and an exposure above 0: mend the policies"
        raise TableError(message)
    lines = claims.select(
        ["claim_id", "policy_id", "service", "allowed_amount", "visit_count", "hospital_days",
         "reversal_of"]
    ).to_pandas()  # fmt: skip
    place = policies.get_indexer(lines["policy_id"])
    lines = lines.assign(row=place)[place >= 0]
    amounts = _by_service(lines, "allowed_amount", policies, exposure)
    stay = lines["reversal_of"].fillna(lines["claim_id"])
    stays = lines.assign(stay=stay).dropna(subset="hospital_days")
    stays = stays.groupby(["row", "stay"], sort=True)["hospital_days"].sum()
    stays = stays[stays > 0]
    return ServiceYears(
        amounts,
        _by_service(lines, "visit_count", policies, exposure),
        stays.index.get_level_values("row").to_numpy(dtype=np.int64),
        stays.to_numpy(dtype=np.float64),
    )


def _by_service(
    lines: pd.DataFrame, column: str, policies: pd.Index, exposure: FloatArray
) -> dict[Service, FloatArray]:
    """A year's total of `column` by service, for those that have any."""
    found = {}
    for service in Service:
        of_service = lines[(lines["service"] == service.value) & lines[column].notna()]
        if of_service.empty:
            continue
        # Cents are added as whole numbers, so that a line and its reversal leave exactly nothing.
        parts = np.rint(of_service[column].to_numpy() * 1e6)
        total = np.bincount(of_service["row"], parts, len(policies)) / 1e6
        if (total < 0).any():
            row = int(np.argmin(total))
            message = (
                f"policy {policies[row]}: {column} of {service.value} adds up to {total[row]:g}:"
                " more was reversed than charged; add the lines that are missing"
            )
            raise TableError(message)
        found[service] = total / exposure
    return found
