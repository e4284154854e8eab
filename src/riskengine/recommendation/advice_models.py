"""Models of a release that rank rather than price: take-up by product, and needs that are likely.

They read features of the profile, asked of who wants advice and of nobody who wants a price. What
is not known is missing to them, so each must have learnt from rows that lack it. What tells of
health reaches them with consent alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as arrow

from riskengine.errors import SpecError, UnknownNameError
from riskengine.products.product import Catalogue
from riskengine.products.suitability import Need
from riskengine.profiles.feature import Feature, Purpose
from riskengine.profiles.features import FEATURES
from riskengine.recommendation.next_need import need_probabilities
from riskengine.recommendation.take_up import OFFER_FEATURES, check_take_up, take_up
from riskengine.risk.model import RiskModel
from riskengine.vocabulary import Columns

_TAKE_UP, _NEEDS = "take_up", "needs"
_BY_NAME = {feature.name: feature for feature in FEATURES}


@dataclass(frozen=True, eq=False)
class AdviceModels:
    """Models of take-up by product, and of needs within 12 months by need; none: not learnt."""

    take_up: Mapping[str, RiskModel] = field(default_factory=dict)
    needs: Mapping[Need, RiskModel] = field(default_factory=dict)

    @property
    def features(self) -> tuple[Feature, ...]:
        """What the models read of a profile, in its order."""
        read = {name for model in self._all() for name in model.spec.features.names}
        return tuple(feature for feature in FEATURES if feature.name in read)

    def _all(self) -> Iterable[RiskModel]:
        return (*self.take_up.values(), *self.needs.values())

    def check(self, catalogue: Catalogue) -> None:
        """Raise `SpecError` for a model that cannot advise, and for an unknown product."""
        products = {plan.product for plan in catalogue.plans}
        unknown = sorted(self.take_up.keys() - products)
        if unknown:
            message = f"take-up of {', '.join(unknown)}: products are {', '.join(sorted(products))}"
            raise UnknownNameError(message)
        for product, model in self.take_up.items():
            check_take_up(product, model)
        for model in self._all():
            _check_features(model)

    def take_up_of(
        self, columns: Columns, premiums: Mapping[str, float], *, health: bool
    ) -> dict[str, float]:
        """Take-up of each product with a premium, by the first row of `columns` (m,).

        `health` says whether what tells of health may be read.
        """
        models = {name: model for name, model in self.take_up.items() if name in premiums}
        read = [one for one in self.features if health or not one.question.sensitive]
        first = {one.name: columns[one.name][:1] for one in read if one.name in columns}
        return take_up(models, self._table(first, 1), premiums) if models else {}

    def likely_needs(self, columns: Columns) -> dict[Need, float]:
        """The probability that each need arises for one at least of those in `columns` (m,).

        Members of a household are taken to be independent.
        """
        if not self.needs:
            return {}
        size = len(next(iter(columns.values())))
        found = need_probabilities(self.needs, self._table(columns, size))
        return {need: float(1 - np.prod(1 - chance)) for need, chance in found.items()}

    def _table(self, columns: Columns, size: int) -> arrow.Table:
        """The features of so many members; what is not among `columns` is missing."""
        kinds = {"number": arrow.float64(), "level": arrow.string()}
        nobody = np.full(size, None, dtype=object)
        return arrow.table(
            {
                one.name: arrow.array(
                    columns.get(one.name, nobody), kinds[one.question.kind], from_pandas=True
                )
                for one in self.features
            }
        )

    def to_files(self) -> dict[str, bytes]:
        """The models as files by relative path."""
        parts = {
            **{f"{_TAKE_UP}/{product}": model for product, model in self.take_up.items()},
            **{f"{_NEEDS}/{need}": model for need, model in self.needs.items()},
        }
        return {
            f"{place}/{name}": content
            for place, model in parts.items()
            for name, content in model.to_files().items()
        }


def read_advice_models(folder: Path) -> AdviceModels:
    """The models in `take_up/PRODUCT` and `needs/NEED` of a folder, as `riskengine train` writes.

    None where there is no such folder. Raises `UnknownNameError` for a need that is none.
    """
    products, needs = (_folders(folder / part) for part in (_TAKE_UP, _NEEDS))
    unknown = sorted(needs.keys() - {*Need})
    if unknown:
        message = f"needs {', '.join(unknown)} in {folder}: there are {', '.join(Need)}"
        raise UnknownNameError(message)
    return AdviceModels(
        {name: RiskModel.load(path) for name, path in products.items()},
        {Need(name): RiskModel.load(path) for name, path in needs.items()},
    )


def _folders(folder: Path) -> dict[str, Path]:
    return {one.name: one for one in sorted(folder.glob("*")) if one.is_dir()}


def _check_features(model: RiskModel) -> None:
    features, name = model.spec.features, model.spec.model.name
    for read in {*features.names} - {*OFFER_FEATURES}:
        feature = _BY_NAME.get(read)
        if feature is None or not feature.purpose.allows(Purpose.RECOMMENDATION):
            message = f"model {name} reads {read}, which is no feature that may serve advice"
            raise SpecError(message)
        if not feature.question.required and read not in model.learnt_missing:
            message = (
                f"model {name} reads {read}, which may be unknown, and never saw it missing: list"
                " it as optional in the model spec"
            )
            raise SpecError(message)
