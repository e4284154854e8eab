"""Order: by net worth to the member, then premium, then name, so that ties never flip."""

from riskengine.recommendation.value import Worth


def rank(items: list[Worth]) -> list[Worth]:
    """The items, best first; what the insurer earns is not among their fields."""
    return sorted(items, key=lambda item: (-item.net, item.premium, item.priced.plan.plan))
