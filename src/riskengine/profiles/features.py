"""All features of a customer profile, in their order; each family has a module of its own."""

from riskengine.errors import UnknownNameError
from riskengine.profiles.behaviour import BEHAVIOUR, OFFERS, intent_features, plan_of_intent
from riskengine.profiles.conditions import DIAGNOSED
from riskengine.profiles.cover import COVER
from riskengine.profiles.demography import DEMOGRAPHY
from riskengine.profiles.feature import Feature
from riskengine.profiles.measurements import HEALTH
from riskengine.profiles.utilisation import UTILISATION

FEATURES: tuple[Feature, ...] = (
    *DEMOGRAPHY,
    *HEALTH,
    *COVER,
    *DIAGNOSED,
    *UTILISATION,
    *BEHAVIOUR,
    *OFFERS,
)

__all__ = ["FEATURES", "feature_named", "intent_features"]


def feature_named(name: str) -> Feature:
    """The feature of that name, an intent for any plan among them.

    Raises `UnknownNameError` when there is none.
    """
    plan = plan_of_intent(name)
    for feature in (*FEATURES, *(intent_features([plan]) if plan else ())):
        if feature.name == name:
            return feature
    message = f"no feature {name!r}; there are {', '.join(feature.name for feature in FEATURES)}"
    raise UnknownNameError(message)
