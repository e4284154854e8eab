"""LightGBM's trees evaluated many rows at a time: the same bits, several times faster.

Every node is looked at instead of followed: a value becomes its rank among the thresholds of its
column, a node that sends a row to the right strikes the leaves on its left from the row's bitmask,
and the first leaf that is left is the row's. So the work of a block of rows is whole-vector
arithmetic without a jump. Comparisons are exact, and leaves add up in LightGBM's order. What it
cannot do as LightGBM does, it refuses with `UnsupportedTreesError`, and a forest is checked on
probes against LightGBM before it serves (`riskengine.risk.scoring`).
Reference: Lucchese et al. (2015), QuickScorer, and its vectorised form of 2016.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from riskengine.errors import RiskEngineError
from riskengine.vocabulary import AnyArray, FloatArray, IntArray

_FEW = 4
"""Rows up to which one after the other is faster than a block."""
_MOST_LEAVES = 64
_DE_BRUIJN = {32: 0x077CB531, 64: 0x03F79D71B4CB0A89}
_SHIFT = {32: 27, 64: 58}
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_NONE, _ZERO = 0, 1


class UnsupportedTreesError(RiskEngineError):
    """Trees of a form that only LightGBM itself evaluates."""


class _Forest(NamedTuple):
    """Trees in flat arrays.

    A column is a feature with the side its missing values go to: `feature` (columns,), `cuts` all
    thresholds, those of a column between its `first_cut` (columns + 1,), and `missing` (columns,)
    the rank of a missing value. A category has no cuts; its `missing` is the code that stands for
    all without a level. A node has its `column`, the last `rank` that goes left, and `mask`, the
    leaves that remain if a row goes right; a rank of -1 - i says row i of `levels`: whether a code
    goes left. Trees have nodes between `first_node` (trees + 1,), their place in the result
    (`slot`), and the leaves' values by the hash of their bit, (trees, bits).
    """

    feature: IntArray
    missing: IntArray
    cuts: FloatArray
    first_cut: IntArray
    column: IntArray
    rank: IntArray
    mask: AnyArray
    levels: AnyArray
    first_node: IntArray
    slot: IntArray
    values: FloatArray


@dataclass(frozen=True, eq=False)
class FastTrees:
    """Boosters of one width that read one matrix."""

    boosters: int
    classes: int
    forest: _Forest
    features: int

    def raw(self, matrix: FloatArray) -> FloatArray:
        """Raw scores of rows (n, features), as LightGBM's, (boosters, n, classes)."""
        found = np.zeros((self.boosters * self.classes, len(matrix)))
        rows = np.ascontiguousarray(matrix, dtype=np.float64)
        bits = self.forest.values.shape[1]
        width = self.forest.mask.dtype.type
        how = (width(_DE_BRUIJN[bits]), width(_SHIFT[bits]), width((1 << bits) - 1))
        # Imported when asked for: numba takes a while.
        from riskengine.risk.tree_kernels import block, few

        (few if len(rows) <= _FEW else block)(self.forest, rows, how, found)
        shaped = found.reshape(self.boosters, self.classes, len(matrix))
        return np.ascontiguousarray(np.moveaxis(shaped, 1, 2))

    def probes(self, rows: int = 64) -> FloatArray:
        """Rows on, next to and between the thresholds, and with what is missing or unknown."""
        rng = np.random.default_rng(0)
        found = rng.normal(0.0, 10.0, (rows, self.features))
        for column, feature in enumerate(self.forest.feature):
            first, end = self.forest.first_cut[column : column + 2]
            cuts = self.forest.cuts[first:end]
            if len(cuts):
                near = np.r_[cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf)]
                found[:, feature] = rng.choice(near, rows)
            else:
                found[:, feature] = rng.integers(-1, self.forest.levels.shape[1] + 2, rows)
        found[rng.random(found.shape) < 0.1] = np.nan
        return found


def fast_trees(texts: Sequence[str]) -> FastTrees:
    """The boosters of these model texts; raises `UnsupportedTreesError` for what it cannot."""
    heads, trees = zip(*(_parsed(text) for text in texts), strict=True)
    classes = {int(head["num_tree_per_iteration"]) for head in heads}
    if len(classes) != 1 or any("average_output" in head for head in heads):
        message = "boosters of several forms, or that average, are left to LightGBM"
        raise UnsupportedTreesError(message)
    (per_round,) = classes
    slots = [
        place * per_round + at % per_round
        for place, of_one in enumerate(trees)
        for at in range(len(of_one))
    ]
    every = [_Tree(fields) for of_one in trees for fields in of_one]
    leaves = max((len(tree.leaves) for tree in every), default=1)
    if leaves > _MOST_LEAVES:
        message = f"a tree of {leaves} leaves is left to LightGBM: at most {_MOST_LEAVES} fit"
        raise UnsupportedTreesError(message)
    features = max(int(head["max_feature_idx"]) for head in heads) + 1
    forest = _flat(every, slots, 32 if leaves <= 32 else 64)
    return FastTrees(len(texts), per_round, forest, features)


def _parsed(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    head, *trees = text.split("\nTree=")
    return _fields(head), [_fields(tree.split("\n\n", 1)[0]) for tree in trees]


def _fields(block: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in block.split("\n"))}


class _Tree:
    """One tree of a model text: leaves from left to right, and what each node strikes."""

    def __init__(self, fields: dict[str, str]) -> None:
        if fields.get("is_linear", "0") != "0":
            message = "linear trees are left to LightGBM"
            raise UnsupportedTreesError(message)

        def numbers(name: str, kind: type) -> list[Any]:
            return [kind(word) for word in fields.get(name, "").split()]

        self.feature: list[int] = numbers("split_feature", int)
        self.threshold: list[float] = numbers("threshold", float)
        self.decision: list[int] = numbers("decision_type", int)
        self.bounds: list[int] = numbers("cat_boundaries", int)
        self.words: list[int] = numbers("cat_threshold", int)
        self.children = [numbers("left_child", int), numbers("right_child", int)]
        values: list[float] = numbers("leaf_value", float)
        if any(kind >> 2 == _ZERO for kind in self.decision):
            message = "zeros that count as missing are left to LightGBM"
            raise UnsupportedTreesError(message)
        order: list[int] = []
        self.struck = [0] * len(self.feature)
        self._visit(order)
        self.leaves = [values[leaf] for leaf in order]

    def _visit(self, order: list[int]) -> None:
        # Depth first without recursion: a tree of n leaves may be n deep.
        todo = [(0 if self.feature else -1, False)]
        begun: dict[int, int] = {}
        while todo:
            at, left_done = todo.pop()
            if at < 0:
                order.append(~at)
            elif left_done:
                first = begun[at]
                self.struck[at] = ((1 << (len(order) - first)) - 1) << first
            else:
                begun[at] = len(order)
                todo += [(self.children[1][at], False), (at, True), (self.children[0][at], False)]

    def categorical(self, at: int) -> bool:
        return bool(self.decision[at] & _CATEGORICAL)

    def column(self, at: int) -> tuple[int, bool | None]:
        """The feature of a node, and whether its missing numbers go left; None for a category."""
        return self.feature[at], None if self.categorical(at) else self.missing_left(at)

    def missing_left(self, at: int) -> bool:
        """Whether a missing number goes left; where none was ever missing, it counts as 0."""
        if self.decision[at] >> 2 == _NONE:
            return self.threshold[at] >= 0.0
        return bool(self.decision[at] & _DEFAULT_LEFT)

    def codes(self, at: int) -> tuple[int, ...]:
        """The codes of a category that go left."""
        place = int(self.threshold[at])
        words = self.words[self.bounds[place] : self.bounds[place + 1]]
        return tuple(
            32 * n + bit for n, word in enumerate(words) for bit in range(32) if word >> bit & 1
        )


def _flat(trees: Sequence[_Tree], slots: Sequence[int], bits: int) -> _Forest:
    cuts: dict[tuple[int, bool | None], set[float]] = {}
    sets: dict[tuple[int, ...], int] = {}
    for tree in trees:
        for at in range(len(tree.feature)):
            of_column = cuts.setdefault(tree.column(at), set())
            if tree.categorical(at):
                sets.setdefault(tree.codes(at), len(sets))
            else:
                of_column.add(tree.threshold[at])
    rising = [sorted(values) for values in cuts.values()]
    ranks = [{value: rank for rank, value in enumerate(values)} for values in rising]
    places = {key: place for place, key in enumerate(cuts)}
    known = 1 + max((code for codes in sets for code in codes), default=-1)
    levels = np.zeros((len(sets), known + 1), dtype=np.bool_)
    for codes, place in sets.items():
        levels[place, list(codes)] = True
    nodes = [(tree, at) for tree in trees for at in range(len(tree.feature))]
    column = [places[tree.column(at)] for tree, at in nodes]
    rank = [
        -1 - sets[tree.codes(at)] if tree.categorical(at) else ranks[place][tree.threshold[at]]
        for place, (tree, at) in zip(column, nodes, strict=True)
    ]
    full, shift = (1 << bits) - 1, _SHIFT[bits]
    values = np.zeros((len(trees), bits))
    for place, tree in enumerate(trees):
        for leaf, value in enumerate(tree.leaves):
            values[place, ((1 << leaf) * _DE_BRUIJN[bits] & full) >> shift] = value
    missing = [known if left is None else 0 if left else len(cuts[f, left]) for f, left in cuts]
    mask = [full & ~tree.struck[at] for tree, at in nodes]
    return _Forest(
        feature=np.array([feature for feature, _ in cuts], dtype=np.int64),
        missing=np.array(missing, dtype=np.int32),
        cuts=np.array([cut for one in rising for cut in one], dtype=np.float64),
        first_cut=np.cumsum([0, *map(len, rising)], dtype=np.int64),
        column=np.array(column, dtype=np.int64),
        rank=np.array(rank, dtype=np.int32),
        mask=np.array(mask, dtype=np.uint32 if bits == 32 else np.uint64),
        levels=levels,
        first_node=np.cumsum([0, *(len(tree.feature) for tree in trees)], dtype=np.int64),
        slot=np.array(slots, dtype=np.int64),
        values=values,
    )
