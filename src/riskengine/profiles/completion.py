"""Run-out: how much of a month's claims is known after so many months, by the chain ladder.

Claims are known late, so the latest windows of a profile hold less than was spent. The factors say
how much less; profiles are not scaled by them, since a model learns on the same late view.
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as arrow

from riskengine.errors import TableError


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
