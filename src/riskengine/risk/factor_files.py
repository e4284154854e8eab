"""Factor tables as CSV files for a rate book: one a feature, `base.csv` and `summary.csv`.

UTF-8 with numbers in full, so that what is read prices as what was written; equal tables give equal
bytes. Only files that the summary names are read.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from riskengine.errors import SpecError
from riskengine.risk.factor_tables import Factor, FactorTables, Fidelity, PairFactor
from riskengine.vocabulary import FloatArray

_BASE, _SUMMARY, _PAIR = "base.csv", "summary.csv", "pair.csv"
_BAND, _LEVEL = "band", "level"
_FACTOR_HEAD = ("feature", "kind", "label", "from", "below", "relativity", "exposure_share")
_SUMMARY_HEAD = ("feature", "file", "rows", "lowest_relativity", "highest_relativity")
_PAIR_HEAD = ("first", "second", "first_row", "second_row", "relativity")


def write_factor_tables(
    tables: FactorTables, folder: Path, fidelity: Fidelity | None = None
) -> None:
    """Write the tables to `folder`, made where it does not exist.

    `base.csv` has the base and, where given, the deviances of `fidelity`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts: list[Sequence[object]] = [
        ("model", tables.model),
        ("base", tables.base),
        ("agreement", tables.agreement),
    ]
    if fidelity is not None:
        facts += [
            ("deviance_of_mean", fidelity.mean),
            ("deviance_of_tables", fidelity.tables),
            ("deviance_of_model", fidelity.model),
            ("share_of_gain_kept", fidelity.kept),
            ("judged", fidelity.judging.value),
        ]
    write_rows(folder / _BASE, ("name", "value"), facts)
    summary = []
    for name, factor in zip(_files(tables), tables.factors, strict=True):
        write_rows(folder / name, _FACTOR_HEAD, _rows(factor))
        known = factor.relativities
        summary.append((factor.feature, name, len(known), float(known.min()), float(known.max())))
    if tables.pair is not None:
        pair, known = tables.pair, tables.pair.relativities
        write_rows(folder / _PAIR, _PAIR_HEAD, _pair_rows(tables, pair))
        name = f"{pair.first} x {pair.second}"
        summary.append((name, _PAIR, known.size, float(known.min()), float(known.max())))
    write_rows(folder / _SUMMARY, _SUMMARY_HEAD, summary)


def read_factor_tables(folder: Path) -> FactorTables:
    """The tables in `folder`; raises `SpecError` naming the file that is absent or broken."""
    facts = {row["name"]: row["value"] for row in _read(folder / _BASE)}
    factors: list[Factor] = []
    pair: PairFactor | None = None
    for line in _read(folder / _SUMMARY):
        path = folder / line.get("file", "")
        if path.name == _PAIR:
            pair = _pair(_read(path), factors, path)
        else:
            factors.append(_factor(_read(path), path))
    try:
        base, agreement = float(facts["base"]), float(facts["agreement"])
        return FactorTables(facts["model"], base, tuple(factors), agreement, pair)
    except (KeyError, ValueError) as error:
        raise _broken(folder / _BASE, error) from error


def _files(tables: FactorTables) -> list[str]:
    """A file name for each factor, distinct also where upper and lower case are not told apart."""
    taken = {_BASE, _SUMMARY, _PAIR}
    found = []
    for factor in tables.factors:
        stem = re.sub(r"[^\w\-]+", "_", factor.feature)
        name, number = f"{stem}.csv", 2
        while name.lower() in taken:
            name, number = f"{stem}_{number}.csv", number + 1
        taken.add(name.lower())
        found.append(name)
    return found


def _rows(factor: Factor) -> Iterable[Sequence[object]]:
    kinds = [_LEVEL if factor.edges is None else _BAND] * factor.plain + list(factor.extra)
    ends = [] if factor.edges is None else [str(edge) for edge in factor.edges.tolist()]
    starts = ["", *ends] + [""] * len(kinds)
    stops = [*ends, ""] + [""] * len(kinds)
    for place, label in enumerate(factor.labels):
        yield (
            factor.feature,
            kinds[place],
            label,
            starts[place] if factor.edges is not None else "",
            stops[place] if factor.edges is not None else "",
            float(factor.relativities[place]),
            float(factor.exposure[place]),
        )


def _pair_rows(tables: FactorTables, pair: PairFactor) -> Iterable[Sequence[object]]:
    labels = {factor.feature: factor.labels for factor in tables.factors}
    for first, of_first in zip(labels[pair.first], pair.relativities, strict=True):
        for second, relativity in zip(labels[pair.second], of_first, strict=True):
            yield pair.first, pair.second, first, second, float(relativity)


def _factor(lines: list[dict[str, str]], path: Path) -> Factor:
    try:
        plain = [line for line in lines if line["kind"] in {_BAND, _LEVEL}]
        extra = tuple(line["kind"] for line in lines[len(plain) :])
        banded = plain[0]["kind"] == _BAND
        edges = np.array([float(line["from"]) for line in plain[1:]]) if banded else None
        return Factor(
            lines[0]["feature"],
            edges,
            () if banded else tuple(line["label"] for line in plain),
            extra,
            _column(lines, "relativity"),
            _column(lines, "exposure_share"),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise _broken(path, error) from error


def _pair(lines: list[dict[str, str]], factors: list[Factor], path: Path) -> PairFactor:
    try:
        first, second = lines[0]["first"], lines[0]["second"]
        sizes = {factor.feature: len(factor.relativities) for factor in factors}
        values = _column(lines, "relativity").reshape(sizes[first], sizes[second])
    except (KeyError, ValueError, IndexError) as error:
        raise _broken(path, error) from error
    return PairFactor(first, second, values)


def _column(lines: list[dict[str, str]], name: str) -> FloatArray:
    return np.array([float(line[name]) for line in lines])


def write_rows(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file with a head; numbers in full, UTF-8, lines ended by LF on every machine."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    path.write_bytes(buffer.getvalue().encode("utf-8"))


def _read(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _broken(path, error) from error
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _broken(path: Path, error: Exception) -> SpecError:
    told = error.strerror if isinstance(error, OSError) else f"{type(error).__name__} {error}"
    return SpecError(f"{path} is no factor table: {told}; write the tables anew")
