"""Small books with known truth, and specs of every kind for them."""

import numpy as np
import pyarrow as arrow

from riskengine.risk.spec import Kind, ModelSpec, parse_spec

REGION = {"a": 0.0, "b": 0.6, "c": -0.1}
AGE_SLOPE = 0.02
_OUTCOME = {
    Kind.POISSON: 'target = "count"\nexposure = "exposure"',
    Kind.GAMMA: 'target = "cost"',
    Kind.TWEEDIE: 'target = "amount"\nexposure = "exposure"',
    Kind.BINARY: 'target = "admitted"',
    Kind.MULTICLASS: 'target = "plan"',
    Kind.TWO_PART: 'target = "amount"\nexposure = "exposure"',
    Kind.FREQUENCY_SEVERITY: 'count = "count"\namount = "amount"\nexposure = "exposure"',
}


def book(rows: int = 1500, seed: int = 0, towns: int = 40) -> arrow.Table:
    """Frequency exp(0.02 (age - 45)) by region; `noise` and `town` do nothing, `bmi` has holes."""
    rng = np.random.default_rng(seed)
    age, region = rng.uniform(20, 70, rows), rng.choice(list(REGION), rows)
    bmi = rng.normal(26, 4, rows)
    bmi[rng.random(rows) < 0.2] = np.nan
    exposure = rng.uniform(0.3, 1, rows)
    mean = np.exp(AGE_SLOPE * (age - 45) + np.array([REGION[r] for r in region]))
    count = rng.poisson(mean * exposure)
    chance = mean / (1 + mean)
    return arrow.table(
        {
            "age": age,
            "bmi": arrow.array(bmi, from_pandas=True),
            "noise": rng.normal(size=rows),
            "region": region,
            "town": [f"t{number:02d}" for number in rng.integers(0, towns, rows)],
            "exposure": exposure,
            "count": count,
            "amount": np.where(count > 0, count * rng.gamma(3, 300, rows), 0.0),
            "cost": mean * rng.gamma(3, 1 / 3, rows),
            "admitted": rng.random(rows) < chance,
            "plan": np.where(rng.random(rows) < chance, "rich", rng.choice(["lean", "mid"], rows)),
        }
    )


def spec(kind: Kind, seeds: int = 1, purpose: str = "analysis", promise: bool = True) -> ModelSpec:
    """A quick spec of a kind for `book`: age is promised to be increasing, but for classes."""
    promise = promise and kind is not Kind.MULTICLASS
    return parse_spec(
        f"""
        [model]
        name = "quick"
        kind = "{kind}"
        purpose = "{purpose}"
        {_OUTCOME[kind]}
        [features]
        numeric = ["age", "bmi", "noise"]
        categorical = ["region", "town"]
        optional = ["bmi"]
        monotone = {{ {'age = "increasing"' if promise else ""} }}
        families = {{ place = ["region", "town"] }}
        [folds]
        count = 3
        [lightgbm]
        rounds = 15
        learning_rate = 0.2
        num_leaves = 6
        [bagging]
        seeds = {seeds}
        """
    )
