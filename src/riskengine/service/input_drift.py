"""How far what is asked has moved from what the release was trained on, input by input.

Answers of quotes and prices are counted into the bins that the release holds; the population
stability index is worked out when it is asked for. Counts fade: when there are many they are
halved, so that the index tells of the last few thousand members and not of last year's.
"""

from collections.abc import Iterator, Sequence

from riskengine.service.quoting import AnyRelease, Known

_MANY = 10_000.0
LEAST = 100.0
"""Members below which chance alone would move the index."""


class InputDrift:
    """Counts by market, of the release that prices it now."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[AnyRelease, dict[str, list[float]]]] = {}
        self._members: dict[str, float] = {}

    def count(self, release: AnyRelease, members: Sequence[Known]) -> None:
        """Count the answers of some members; a release without bins is not counted."""
        if not release.inputs:
            return
        market = release.catalogue.market
        if market not in self._of or self._of[market][0] is not release:
            empty = {name: [0.0] * len(bins.rows) for name, bins in release.inputs.items()}
            self._of[market], self._members[market] = (release, empty), 0.0
        counts = self._of[market][1]
        for member in members:
            for name, bins in release.inputs.items():
                counts[name][bins.place(member.answers.get(name))] += 1
        self._members[market] += len(members)
        if self._members[market] > _MANY:
            self._members[market] /= 2
            for name, rows in counts.items():
                counts[name] = [row / 2 for row in rows]

    def told(self) -> Iterator[tuple[str, str, float]]:
        """Market, input and index, where enough members were seen."""
        for market, (release, counts) in self._of.items():
            if self._members[market] >= LEAST:
                for name, rows in counts.items():
                    yield market, name, release.inputs[name].drift(rows)
