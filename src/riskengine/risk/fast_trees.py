"""LightGBM's trees without following a branch: the same bits, many times faster.

A node that sends a row to the right strikes the leaves on its left, and the first leaf that no node
strikes is the row's. Which nodes do so hangs on the rank of a value among the thresholds of its
column alone, so with the nodes of a column in order of their thresholds they are the first few. At
every so many of them what they leave of all trees is kept: a row takes the last such state of each
column, and strikes for the rest of its nodes. Comparisons are exact, and leaves add up in
LightGBM's order. What it cannot do as LightGBM does, it refuses with `UnsupportedTreesError`, and a
forest is checked on probes against LightGBM before it serves (`riskengine.risk.scoring`).
Reference: Lucchese et al. (2015), QuickScorer; the kept states are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from riskengine.errors import RiskEngineError
from riskengine.vocabulary import AnyArray, FloatArray, IntArray

_MOST_LEAVES = 64
_DE_BRUIJN = {32: 0x077CB531, 64: 0x03F79D71B4CB0A89}
_SHIFT = {32: 27, 64: 58}
_STRIDE = 32
"""Nodes from one kept state of a column to the next, at least."""
_MOST_BYTES = 1 << 23
"""What the kept states of a forest may take; then they lie further apart."""
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_NONE, _ZERO = 0, 1


class UnsupportedTreesError(RiskEngineError):
    """Trees of a form that only LightGBM itself evaluates."""


class _Forest(NamedTuple):
    """Trees in flat arrays.

    A column is a feature with the side its missing values go to: `feature` (columns,), `cuts` all
    thresholds, those of a column between its `first_cut` (columns + 1,), and `missing` (columns,)
    the rank of a missing value. `struck` says how many nodes of the column send a value of each
    rank to the right, from its place `first_struck` (columns,) on. A category has no cuts: its rank
    is the code, `missing` stands for all without a level, and each code has a state of its own.

    Nodes lie by column, from `first_node` (columns,) on: their `tree`, and in `mask` the leaves
    that remain of it. `states` (states, trees) are the leaves that remain after every `stride`
    nodes of a column, from `first_state` (columns,) on. Trees lie by their place in the result,
    from `first_tree` (slots + 1,) on, with the leaves' values by the hash of their bit,
    (trees, bits).
    """

    feature: IntArray
    missing: IntArray
    cuts: FloatArray
    first_cut: IntArray
    struck: IntArray
    first_struck: IntArray
    tree: AnyArray
    mask: AnyArray
    first_node: IntArray
    states: AnyArray
    first_state: IntArray
    first_tree: IntArray
    values: FloatArray


@dataclass(frozen=True, eq=False)
class FastTrees:
    """Boosters of one width that read one matrix."""

    boosters: int
    classes: int
    forest: _Forest
    stride: int
    features: int

    def raw(self, matrix: FloatArray) -> FloatArray:
        """Raw scores of rows (n, features), as LightGBM's, (boosters, n, classes)."""
        found = self.by_slot(np.ascontiguousarray(matrix, dtype=np.float64))
        shaped = found.reshape(len(matrix), self.boosters, self.classes)
        return np.ascontiguousarray(np.moveaxis(shaped, 1, 0))

    def by_slot(self, rows: FloatArray) -> FloatArray:
        """Raw scores of rows (n, features), contiguous, as (n, boosters * classes)."""
        found = np.empty((len(rows), self.boosters * self.classes))
        self._kernel(*self.forest, *self._how, rows, found)
        return found

    @cached_property
    def _kernel(self) -> Any:
        # Imported when asked for: numba takes a while.
        from riskengine.risk.tree_kernels import score

        return score

    @cached_property
    def _how(self) -> tuple[int, AnyArray, AnyArray]:
        bits, width = self.forest.values.shape[1], self.forest.mask.dtype.type
        return self.stride, width(_DE_BRUIJN[bits]), width(_SHIFT[bits])

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
                found[:, feature] = rng.integers(-1, self.forest.missing[column] + 3, rows)
        found[rng.random(found.shape) < 0.1] = np.nan
        return found


def fast_trees(texts: Sequence[str], places: Sequence[Sequence[int]] | None = None) -> FastTrees:
    """The boosters of these model texts; raises `UnsupportedTreesError` for what it cannot.

    `places` has, for each booster, where in a row each of its features stands; as numbered if None.
    """
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
    every = [
        _Tree(fields, None if places is None else places[of])
        for of, of_one in enumerate(trees)
        for fields in of_one
    ]
    leaves = max((len(tree.leaves) for tree in every), default=1)
    if leaves > _MOST_LEAVES:
        message = f"a tree of {leaves} leaves is left to LightGBM: at most {_MOST_LEAVES} fit"
        raise UnsupportedTreesError(message)
    features = 1 + max(
        max(places[at]) if places else int(head["max_feature_idx"]) for at, head in enumerate(heads)
    )
    # Trees of one place in the result lie together, in LightGBM's order.
    order = sorted(range(len(every)), key=slots.__getitem__)
    first_tree = np.searchsorted(sorted(slots), np.arange(len(texts) * per_round + 1))
    forest, stride = _flat([every[at] for at in order], first_tree, 32 if leaves <= 32 else 64)
    return FastTrees(len(texts), per_round, forest, stride, features)


def _parsed(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    head, *trees = text.split("\nTree=")
    return _fields(head), [_fields(tree.split("\n\n", 1)[0]) for tree in trees]


def _fields(block: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in block.split("\n"))}


class _Tree:
    """One tree of a model text: leaves from left to right, and what each node strikes."""

    def __init__(self, fields: dict[str, str], places: Sequence[int] | None) -> None:
        if fields.get("is_linear", "0") != "0":
            message = "linear trees are left to LightGBM"
            raise UnsupportedTreesError(message)

        def numbers(name: str, kind: type) -> list[Any]:
            return [kind(word) for word in fields.get(name, "").split()]

        split: list[int] = numbers("split_feature", int)
        self.feature = split if places is None else [places[one] for one in split]
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


class _Column(NamedTuple):
    """What the nodes of one column come to; see `_Forest`."""

    cuts: Sequence[float]
    missing: int
    struck: Sequence[int]
    tree: Sequence[int]
    mask: Sequence[int]
    states: Sequence[AnyArray]


def _flat(trees: Sequence[_Tree], first_tree: IntArray, bits: int) -> tuple[_Forest, int]:
    """The trees in arrays, and the stride of their states."""
    nodes: dict[tuple[int, bool | None], list[tuple[int, int]]] = {}
    for place, tree in enumerate(trees):
        for at in range(len(tree.feature)):
            nodes.setdefault(tree.column(at), []).append((place, at))
    full, kind = (1 << bits) - 1, np.uint32 if bits == 32 else np.uint64
    needed = sum(map(len, nodes.values())) * len(trees) * bits // 8
    stride = max(_STRIDE, -(-needed // _MOST_BYTES))
    every = np.full(len(trees), full, dtype=kind)
    columns = [
        _category(trees, of_column, every, stride)
        if left is None
        else _numbers(trees, of_column, every, (stride, left))
        for (_, left), of_column in nodes.items()
    ]
    values = np.zeros((len(trees), bits))
    for place, tree in enumerate(trees):
        for leaf, value in enumerate(tree.leaves):
            values[place, ((1 << leaf) * _DE_BRUIJN[bits] & full) >> _SHIFT[bits]] = value
    states = [state for column in columns for state in column.states]
    forest = _Forest(
        feature=np.array([feature for feature, _ in nodes], dtype=np.int64),
        missing=np.array([column.missing for column in columns], dtype=np.int64),
        cuts=np.array([cut for column in columns for cut in column.cuts], dtype=np.float64),
        first_cut=_starts([len(column.cuts) for column in columns]),
        struck=np.array([n for column in columns for n in column.struck], dtype=np.int64),
        first_struck=_starts([len(column.struck) for column in columns]),
        tree=np.array([tree for column in columns for tree in column.tree], dtype=np.uint32),
        mask=np.array([mask for column in columns for mask in column.mask], dtype=kind),
        first_node=_starts([len(column.tree) for column in columns]),
        states=np.array(states, dtype=kind).reshape(len(states), len(trees)),
        first_state=_starts([len(column.states) for column in columns]),
        first_tree=first_tree.astype(np.int64),
        values=values,
    )
    return forest, stride


def _starts(sizes: Sequence[int]) -> IntArray:
    return np.cumsum([0, *sizes], dtype=np.int64)


def _numbers(
    trees: Sequence[_Tree],
    nodes: Sequence[tuple[int, int]],
    every: AnyArray,
    how: tuple[int, bool],
) -> _Column:
    """A column of numbers, whose missing ones go left or right (`how`, after the stride)."""
    stride, missing_left = how
    rising = sorted(nodes, key=lambda node: trees[node[0]].threshold[node[1]])
    thresholds = [trees[tree].threshold[at] for tree, at in rising]
    cuts = sorted({*thresholds})
    # Of rank r are values above r cuts: nodes of a cut below them send them to the right.
    struck = [0, *np.searchsorted(thresholds, cuts, side="right").tolist()]
    alive, states, masks = every.copy(), [every.copy()], []
    for done, (tree, at) in enumerate(rising, start=1):
        masks.append(int(every[0]) & ~trees[tree].struck[at])
        alive[tree] &= masks[-1]
        if done % stride == 0:
            states.append(alive.copy())
    missing = 0 if missing_left else len(cuts)
    return _Column(cuts, missing, struck, [tree for tree, _ in rising], masks, states)


def _category(
    trees: Sequence[_Tree], nodes: Sequence[tuple[int, int]], every: AnyArray, stride: int
) -> _Column:
    """A column of codes: a state for each, and a last one for all without a level."""
    goes_left = [(tree, at, frozenset(trees[tree].codes(at))) for tree, at in nodes]
    known = 1 + max((code for *_, codes in goes_left for code in codes), default=-1)
    states = []
    for code in range(known + 1):
        alive = every.copy()
        for tree, at, codes in goes_left:
            if code not in codes:
                alive[tree] &= int(every[0]) & ~trees[tree].struck[at]
        states.append(alive)
    # As if every code were as many nodes as lie between two states.
    return _Column([], known, [code * stride for code in range(known + 1)], [], [], states)
