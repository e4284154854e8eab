"""A synthetic insurer with 21 products whose true probabilities of the next product are known.

Baskets B of a customer x are drawn, by Gibbs sampling, in proportion to exp(E(B, x)): products that
go together or exclude each other, alone or in threes, some of it by occupation, age and branch; one
product that most own; a couple of hundred occupations. When one of a basket's products is hidden,
each product j outside the rest R is the hidden one in proportion to exp(E(R with j, x)), exactly.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskengine.vocabulary import FloatArray, IntArray

PRODUCTS = tuple(f"P{number:02d}" for number in range(21))
NUMERIC = ("birth_year", "join_date")
CATEGORICAL = (
    "sex", "marital_status", "branch_code", "occupation_code", "occupation_category_code",
)  # fmt: skip
SPEC = """
[model]
name = "next_product"
kind = "next_product"
products = [{products}]
[features]
numeric = [{numeric}]
categorical = [{categorical}]
[folds]
group = "ID"
"""
_SWEEPS = 40
_OCCUPATIONS = 230
_LEVELS = {
    "branch_code": [f"B{number}" for number in range(15)],
    "occupation_code": [f"O{number:03d}" for number in range(_OCCUPATIONS)],
    "occupation_category_code": [f"K{number}" for number in range(6)],
    "marital_status": list("MSUWDRPF"),
    "sex": ["F", "M"],
}


def spec_text() -> str:
    """The spec of a model of this insurer."""
    parts = {"products": PRODUCTS, "numeric": NUMERIC, "categorical": CATEGORICAL}
    quoted = {key: ", ".join(f'"{name}"' for name in names) for key, names in parts.items()}
    return SPEC.format(**quoted)


@dataclass(frozen=True, eq=False)
class Truth:
    """Energies: `alone` (customers, products), `pairs` (types, products, products) and `triples`.

    `type` (customers,) says which `pairs` a customer has.
    """

    alone: FloatArray
    pairs: FloatArray
    type: IntArray
    triples: tuple[tuple[int, int, int, float], ...]

    def add(self, owned: FloatArray, who: IntArray) -> FloatArray:
        """What owning j too adds to E, for rows of customers with `owned` (n, products)."""
        kinds = self.type[who]
        found = self.alone[who].copy()
        for kind in range(len(self.pairs)):
            rows = kinds == kind
            found[rows] += owned[rows] @ self.pairs[kind]
        for a, b, c, energy in self.triples:
            for one, two, three in ((a, b, c), (b, c, a), (c, a, b)):
                found[:, one] += energy * owned[:, two] * owned[:, three]
        return found

    def add_one(self, owned: FloatArray, product: int) -> FloatArray:
        """`add` of one product for all customers, (customers,)."""
        by_type = owned @ self.pairs[:, :, product].T
        found = self.alone[:, product] + by_type[np.arange(len(owned)), self.type]
        for a, b, c, energy in self.triples:
            if product in (a, b, c):
                one, two = (other for other in (a, b, c) if other != product)
                found += energy * owned[:, one] * owned[:, two]
        return found

    def chances(self, rest: FloatArray, who: IntArray) -> FloatArray:
        """The true probability that each product is the hidden one, (n, products)."""
        score = np.where(rest == 1, -np.inf, self.add(rest, who))
        odds = np.exp(score - score.max(axis=1, keepdims=True))
        found: FloatArray = odds / odds.sum(axis=1, keepdims=True)
        return found


def draw(customers: int, seed: int = 0) -> tuple[pd.DataFrame, Truth]:
    """Customers with their baskets, one row each, and the truth behind them."""
    rng = np.random.default_rng(seed)
    frame = _people(customers, rng)
    truth = _truth(frame, np.random.default_rng(7))
    owned = (rng.random(truth.alone.shape) < 0.1).astype(np.float64)
    for _ in range(_SWEEPS):
        for product in rng.permutation(len(PRODUCTS)):
            energy = truth.add_one(owned, int(product))
            owned[:, product] = rng.random(customers) < 1 / (1 + np.exp(-energy))
    for place, name in enumerate(PRODUCTS):
        frame[name] = owned[:, place].astype(np.int64)
    return frame, truth


def _people(customers: int, rng: np.random.Generator) -> pd.DataFrame:
    crowd = np.random.default_rng(3).dirichlet(np.full(_OCCUPATIONS, 0.25))
    branches = np.random.default_rng(4).dirichlet(np.ones(15))
    occupation = rng.choice(_OCCUPATIONS, customers, p=crowd)
    days = rng.integers(0, 3650, customers).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "ID": [f"C{number:06d}" for number in range(customers)],
            "join_date": np.datetime64("2010-01-01") + days,
            "sex": rng.choice(["F", "M"], customers, p=[0.3, 0.7]),
            "marital_status": rng.choice(list("MSUWDRPF"), customers,
                                         p=[0.7, 0.12, 0.1, 0.03, 0.02, 0.01, 0.01, 0.01]),
            "birth_year": np.clip(rng.normal(1975, 11, customers), 1930, 2005).astype(np.int64),
            "branch_code": [f"B{b}" for b in rng.choice(15, customers, p=branches)],
            "occupation_code": [f"O{o:03d}" for o in occupation],
            "occupation_category_code": [f"K{o % 6}" for o in occupation],
        }
    )  # fmt: skip


def _truth(frame: pd.DataFrame, rng: np.random.Generator) -> Truth:
    size, products = len(frame), len(PRODUCTS)
    age = (2020 - frame["birth_year"].to_numpy() - 45) / 12.0
    years = (2020 - pd.DatetimeIndex(frame["join_date"]).year.to_numpy() - 5) / 3.0
    alone = np.tile(np.linspace(-2.9, -6.0, products), (size, 1))
    alone[:, 0] = 3.8
    alone += age[:, None] * rng.normal(0, 0.45, products)
    alone += np.where(age > 0.8, 1.0, 0.0)[:, None] * rng.normal(0, 0.8, products)
    alone += years[:, None] * rng.normal(0, 0.35, products)
    for name, spread in (("branch_code", 0.9), ("occupation_code", 0.9),
                         ("occupation_category_code", 0.6), ("marital_status", 0.4),
                         ("sex", 0.3)):  # fmt: skip
        effects = rng.normal(0, spread, (len(_LEVELS[name]), products))
        alone += effects[pd.Index(_LEVELS[name]).get_indexer(pd.Index(frame[name]))]
    kind = np.array([int(code[1:]) % 3 for code in frame["occupation_category_code"]])
    shape = (3, products, products)
    by_type = rng.normal(0, 1.0, shape) * (rng.random(shape) < 0.3)
    pairs = _pairs(rng, products) + np.array([_symmetric(one) for one in by_type])
    triples = tuple(
        (*(int(p) for p in rng.choice(products, 3, replace=False)), float(rng.normal(0, 2.5)))
        for _ in range(25)
    )
    return Truth(alone, pairs, kind, triples)  # type: ignore[arg-type]


def _pairs(rng: np.random.Generator, products: int) -> FloatArray:
    """Packages of products that go together, and pairs that exclude each other."""
    package = rng.permutation(products) % 6
    together = np.where(package[:, None] == package[None, :], 2.4, -2.2)
    together[0, :] = together[:, 0] = 0.0
    return _symmetric(together + rng.normal(0, 0.6, (products, products)))


def _symmetric(values: FloatArray) -> FloatArray:
    found = np.triu(values, 1)
    return found + found.T
