"""What actuaries look at before they trust a model, as numbers; pictures are in `reporting`.

Everywhere `actual` and `expected` are per unit of exposure, (n,), and `exposure` (n,) weighs them;
`member` (n,) says whose rows are whose, and intervals (95 %) are by bootstrap over members. How far
a feature has moved between two books is `riskengine.profiles.drift`; how wide a member's year can
turn out is `riskengine.risk.conformal`.
"""

from riskengine.risk.diagnostics.bootstrap import (
    Interval,
    MemberDraws,
    bootstrap_mean,
    bootstrap_ratio,
    bootstrap_rows,
    draw_members,
)
from riskengine.risk.diagnostics.calibration import (
    Balance,
    Segment,
    actual_expected_table,
    actual_over_expected,
    actual_over_expected_by_period,
    balance,
    predictive_ratios_by_condition,
    predictive_ratios_by_decile,
)
from riskengine.risk.diagnostics.deviance import (
    Family,
    Loss,
    capped_r2,
    d2,
    mean_absolute_error,
    poisson_deviance,
    r2,
    tweedie_deviance,
    unit_gamma_deviance,
    unit_log_loss,
    unit_multinomial_log_loss,
    unit_poisson_deviance,
    unit_tweedie_deviance,
    weighted_quantile,
)
from riskengine.risk.diagnostics.fairness import (
    DecisionParity,
    MeanByGroup,
    ProxyStrength,
    calibration_by_group,
    decision_parity,
    mean_by_group,
    proxy_strength,
)
from riskengine.risk.diagnostics.levels import equal_exposure_bands
from riskengine.risk.diagnostics.lift import (
    DoubleLiftBand,
    auc,
    deviance_difference,
    double_lift,
    gini,
    gini_interval,
    lift_table,
    lorenz_curve,
    normalised_gini,
)
from riskengine.risk.diagnostics.reliability import (
    Murphy,
    ReliabilityBin,
    murphy_decomposition,
    reliability_bins,
)
from riskengine.risk.diagnostics.residuals import pearson_dispersion, quantile_residuals
from riskengine.risk.diagnostics.segments import WorstSegment, worst_segment

__all__ = [
    "Balance",
    "DecisionParity",
    "DoubleLiftBand",
    "Family",
    "Interval",
    "Loss",
    "MeanByGroup",
    "MemberDraws",
    "Murphy",
    "ProxyStrength",
    "ReliabilityBin",
    "Segment",
    "WorstSegment",
    "actual_expected_table",
    "actual_over_expected",
    "actual_over_expected_by_period",
    "auc",
    "balance",
    "bootstrap_mean",
    "bootstrap_ratio",
    "bootstrap_rows",
    "calibration_by_group",
    "capped_r2",
    "d2",
    "decision_parity",
    "deviance_difference",
    "double_lift",
    "draw_members",
    "equal_exposure_bands",
    "gini",
    "gini_interval",
    "lift_table",
    "lorenz_curve",
    "mean_absolute_error",
    "mean_by_group",
    "murphy_decomposition",
    "normalised_gini",
    "pearson_dispersion",
    "poisson_deviance",
    "predictive_ratios_by_condition",
    "predictive_ratios_by_decile",
    "proxy_strength",
    "quantile_residuals",
    "r2",
    "reliability_bins",
    "tweedie_deviance",
    "unit_gamma_deviance",
    "unit_log_loss",
    "unit_multinomial_log_loss",
    "unit_poisson_deviance",
    "unit_tweedie_deviance",
    "weighted_quantile",
    "worst_segment",
]
