"""Run-out: how much of a month's claims is known after so many months, by the chain ladder.

Claims are known late, so the latest windows of a profile hold less than was spent. The factors say
how much less; profiles are not scaled by them, since a model learns on the same late view. What
policies cost in the end is: `share_known` says how much of it has been seen.
"""

import warnings
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as arrow

from riskengine.errors import TableError
from riskengine.vocabulary import FloatArray


def run_off(claims: Any, as_of: Any) -> Any:
    """Allowed amounts known by `as_of`, by month of service and month of report: an Ibis query.

    `claims` is the Ibis table of claims; reversals count in the month they were reported.
    """
    known = claims.filter(claims.service_date < as_of, claims.reported_on <= as_of)
    months = known.mutate(
        service_month=known.service_date.truncate("M"), report_month=known.reported_on.truncate("M")
    )
    return months.group_by("service_month", "report_month").aggregate(
        allowed_amount=months.allowed_amount.sum()
    )


def completion_factors(run_off: pd.DataFrame) -> arrow.Table:
    """Completion factors by development month, from the run-off of allowed amounts.

    `run_off` has `service_month`, `report_month` (dates, first of month) and `allowed_amount`
    (currency). Column `development_month` counts from 1, the month of service itself;
    `completion_factor` is the share of the ultimate amount known by its end: the reciprocal of the
    cumulative development factor, volume-weighted over all months (Mack 1993; `chainladder`).
    The last factor is 1: claims later than the oldest month has seen are not foreseen. Raises
    `TableError` for claims of fewer than two months.
    """
    months = run_off["service_month"].nunique()
    if months < 2:
        message = f"claims of {months} months show no run-off; give two or more"
        raise TableError(message)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of chainladder about pandas, not about the data
        factors = _cumulative_development(run_off)
    return arrow.table(
        {
            "development_month": np.arange(1, len(factors) + 1),
            "completion_factor": 1 / factors,
        }
    )


def reported_by_month(claims: arrow.Table) -> pd.DataFrame:
    """The run-off of all claims of a table, as `completion_factors` takes it."""
    lines = claims.select(["service_date", "reported_on", "allowed_amount"]).to_pandas()
    months = {
        name: pd.to_datetime(lines[of]).dt.to_period("M").dt.to_timestamp()
        for name, of in (("service_month", "service_date"), ("report_month", "reported_on"))
    }
    dated = pd.DataFrame({**months, "allowed_amount": lines["allowed_amount"]})
    return dated.groupby([*months])["allowed_amount"].sum().reset_index()


def share_known(
    start: FloatArray, end: FloatArray, factors: arrow.Table, known_until: date
) -> FloatArray:
    """The share that is known of what covers from `start` to `end` cost, (n,) days since 1970.

    Cost is taken to be even over the days of a cover. `factors` are those of `completion_factors`;
    months older than they reach are known in full, and so are those from which later reports take
    back more than they add. A month not ended by `known_until` counts as one that just has.
    """
    share = np.minimum(factors["completion_factor"].to_numpy(), 1.0)
    first, last = int(start.min()), int(end.max())
    days = np.arange(first, last + 1).astype("datetime64[D]").astype("datetime64[M]")
    told = np.datetime64(known_until, "D")
    ended = (told + 1).astype("datetime64[M]") > told.astype("datetime64[M]")
    age = (told.astype("datetime64[M]") - days).astype(np.int64) + int(ended)
    daily = np.where(age > len(share), 1.0, share[np.clip(age, 1, len(share)) - 1])
    total = np.append(0.0, np.cumsum(daily))
    low, high = start.astype(np.int64) - first, end.astype(np.int64) - first + 1
    found: FloatArray = np.minimum((total[high] - total[low]) / (high - low), 1.0)
    return found


def _cumulative_development(run_off: pd.DataFrame) -> np.ndarray:
    import chainladder

    dated = run_off.assign(
        service_month=pd.to_datetime(run_off["service_month"]),
        report_month=pd.to_datetime(run_off["report_month"]),
    )
    triangle = chainladder.Triangle(
        dated,
        origin="service_month",
        development="report_month",
        columns="allowed_amount",
        cumulative=False,
    )
    fitted = chainladder.Development(average="volume").fit(triangle.incr_to_cum())
    return np.append(fitted.cdf_.to_frame().to_numpy(dtype=np.float64).ravel(), 1.0)
