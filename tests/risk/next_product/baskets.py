"""A small insurer of which it is known what is bought next."""

import numpy as np
import pandas as pd

PRODUCTS = ("core", "young", "old", "extra", "rare")
SPEC = """
[model]
name = "next_small"
kind = "next_product"
products = ["core", "young", "old", "extra", "rare"]
[features]
numeric = ["age", "joined"]
categorical = ["job", "region"]
[folds]
group = "ID"
count = 3
[lightgbm]
rounds = 30
"""


def customers(size: int = 600, seed: int = 1) -> pd.DataFrame:
    """Most own `core`; `young` or `old` goes by age, `extra` with `old`; `rare` with nobody's.

    Some age and joined are missing; `job` has many levels, `region` three, by which core differs.
    """
    rng = np.random.default_rng(seed)
    age = rng.uniform(20, 70, size)
    region = rng.choice(["north", "south", "west"], size)
    old = (rng.random(size) < np.where(age > 45, 0.8, 0.05)).astype(np.int64)
    joined = pd.Series(np.datetime64("2015-01-01") + rng.integers(0, 3000, size).astype("m8[D]"))
    return pd.DataFrame(
        {
            "ID": [f"c{number:05d}" for number in range(size)],
            "age": np.where(rng.random(size) < 0.05, np.nan, age),
            "joined": joined.where(pd.Series(rng.random(size) > 0.02)),
            "job": [f"j{number:03d}" for number in rng.integers(0, 150, size)],
            "region": region,
            "core": (rng.random(size) < np.where(region == "west", 0.6, 0.9)).astype(np.int64),
            "young": ((old == 0) & (rng.random(size) < 0.7)).astype(np.int64),
            "old": old,
            "extra": (rng.random(size) < np.where(old == 1, 0.5, 0.02)).astype(np.int64),
            "rare": (rng.random(size) < 0.01).astype(np.int64),
        }
    )
