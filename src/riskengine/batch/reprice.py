"""Repricing a book: Parquet in, Parquet out, chunk by chunk, to the cent the live price.

Bad rows go to a quarantine file with the reason; rows in = rows out + rows quarantined, or the job
fails. Outputs appear under their final names only when complete.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc
import pyarrow.parquet as pq

from riskengine.engine import reprice, unpriceable
from riskengine.errors import RiskEngineError, TableError
from riskengine.pricing.premium import CENT
from riskengine.profiles.questions import table_to_columns
from riskengine.release import Release
from riskengine.tables import is_number, is_text
from riskengine.vocabulary import Columns

CHUNK_ROWS = 50_000
_IDENTITY = {"policy_id": arrow.string(), "member_id": arrow.string(), "plan": arrow.string()}
_EDGES = np.array([-0.5, -0.25, -0.1, -0.05, 0.0, 0.05, 0.1, 0.25, 0.5, 1.0])
_LABELS = (
    "fall of more than 50 %", "fall of 25 to 50 %", "fall of 10 to 25 %", "fall of 5 to 10 %",
    "fall of 0 to 5 %", "rise of 0 to 5 %", "rise of 5 to 10 %", "rise of 10 to 25 %",
    "rise of 25 to 50 %", "rise of 50 to 100 %", "rise of more than 100 %",
)  # fmt: skip
REPRICED = arrow.schema(
    [
        ("policy_id", arrow.string()),
        ("member_id", arrow.string()),
        ("plan", arrow.string()),
        ("expiring_premium", arrow.float64()),
        ("pure_premium", arrow.float64()),
        ("actuarial_value", arrow.float64()),
        ("technical_premium", arrow.float64()),
        ("offered_premium", arrow.decimal128(14, 2)),
        ("change", arrow.float64()),
        ("release", arrow.string()),
    ]
)


@dataclass
class Dislocation:
    """What repricing did to the book; premiums are totals in currency a year.

    `compared_policies` are those with an expiring premium above 0, to which `expiring_premium`,
    `compared_offered_premium` and `policies_by_change` refer.
    """

    release: str
    as_of: str
    policies_in: int = 0
    policies_out: int = 0
    quarantined: int = 0
    offered_premium: float = 0.0
    compared_policies: int = 0
    expiring_premium: float = 0.0
    compared_offered_premium: float = 0.0
    policies_by_change: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_LABELS, 0))

    def add(self, chunk: arrow.Table, quarantined: int) -> None:
        """Count one chunk."""
        self.policies_in += chunk.num_rows + quarantined
        self.policies_out += chunk.num_rows
        self.quarantined += quarantined
        offered = np.asarray(chunk["offered_premium"].cast(arrow.float64()))
        change = chunk["change"].to_numpy()
        compared = ~np.isnan(change)
        self.offered_premium = round(self.offered_premium + float(offered.sum()), 2)
        self.compared_policies += int(compared.sum())
        expiring = float(chunk["expiring_premium"].to_numpy()[compared].sum())
        self.expiring_premium = round(self.expiring_premium + expiring, 2)
        self.compared_offered_premium = round(
            self.compared_offered_premium + float(offered[compared].sum()), 2
        )
        for place in np.searchsorted(_EDGES, change[compared], side="right"):
            self.policies_by_change[_LABELS[place]] += 1


def reprice_file(
    release: Release,
    portfolio: Path,
    out: Path,
    as_of: date,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Dislocation:
    """Reprice every policy of a Parquet file and write the results to the folder `out`.

    `portfolio` has `policy_id`, `member_id`, `plan`, the columns of the release's questions, and
    optionally `expiring_premium`. Writes `repriced.parquet`, `quarantine.parquet` (only when rows
    are bad) and `dislocation.json`. `progress` is told rows done and rows in all. Raises
    `TableError`, before the first row is priced, when the file or a column does not fit.
    """
    source = _open(portfolio)
    _check_schema(release, source.schema_arrow, portfolio)
    out.mkdir(parents=True, exist_ok=True)
    summary = Dislocation(release.hash, as_of.isoformat())
    partial, bad_partial = out / "repriced.parquet.partial", out / "quarantine.parquet.partial"
    total = source.metadata.num_rows
    wanted = [name for name in _columns(release) if name in source.schema_arrow.names]
    bad_writer: pq.ParquetWriter | None = None
    with pq.ParquetWriter(partial, REPRICED) as writer:
        for chunk in _chunks(source, portfolio, wanted):
            priced, bad = _reprice_chunk(release, chunk, as_of)
            writer.write_table(priced)
            if bad.num_rows:
                bad_writer = bad_writer or pq.ParquetWriter(bad_partial, bad.schema)
                bad_writer.write_table(bad)
            summary.add(priced, bad.num_rows)
            progress(summary.policies_in, total)
    if summary.policies_in != total or summary.policies_out + summary.quarantined != total:
        message = f"rows do not reconcile: {total} in the file, {asdict(summary)}"
        raise RiskEngineError(message)
    (out / "quarantine.parquet").unlink(missing_ok=True)
    if bad_writer:
        bad_writer.close()
        bad_partial.replace(out / "quarantine.parquet")
    partial.replace(out / "repriced.parquet")
    text = json.dumps(asdict(summary), indent=1) + "\n"
    (out / "dislocation.json").write_text(text, encoding="utf-8")
    return summary


def _open(portfolio: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(portfolio)
    except (OSError, arrow.ArrowInvalid) as error:
        message = f"cannot read the portfolio {portfolio} as Parquet: {error}"
        raise TableError(message) from error


def _columns(release: Release) -> list[str]:
    return [*_IDENTITY, "expiring_premium", *(q.name for q in release.questions)]


def _chunks(source: pq.ParquetFile, portfolio: Path, columns: list[str]) -> Iterator[arrow.Table]:
    try:
        for batch in source.iter_batches(CHUNK_ROWS, columns=columns):
            chunk = arrow.Table.from_batches([batch])
            # Text is read as plain text: views have no kernel to filter them.
            fields = [
                arrow.field(f.name, arrow.string())
                if is_text(f.type) and not arrow.types.is_null(f.type)
                else f
                for f in chunk.schema
            ]
            yield chunk.cast(arrow.schema(fields))
    except (OSError, arrow.ArrowInvalid) as error:
        message = f"{portfolio} is damaged: {error}"
        raise TableError(message) from error


def _check_schema(release: Release, schema: arrow.Schema, portfolio: Path) -> None:
    """Raise `TableError` naming every column that is missing, doubled or of the wrong type."""
    names = schema.names
    wrong = [f"{name} is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if not wrong:
        for name in _IDENTITY:
            if name not in names:
                wrong.append(f"{name} is missing")
            elif not is_text(schema.field(name).type):
                wrong.append(f"{name} is {schema.field(name).type}, not text")
        if "expiring_premium" in names and not is_number(schema.field("expiring_premium").type):
            wrong.append(f"expiring_premium is {schema.field('expiring_premium').type}, no amount")
        try:
            table_to_columns(release.questions, schema.empty_table())
        except TableError as error:
            wrong.append(str(error))
    if wrong:
        message = f"{portfolio} cannot be repriced: {'; '.join(wrong)}"
        raise TableError(message)


def _reprice_chunk(
    release: Release, chunk: arrow.Table, as_of: date
) -> tuple[arrow.Table, arrow.Table]:
    """The chunk's good rows priced, and its bad rows as text with a column `reason`."""
    columns = table_to_columns(release.questions, chunk)
    reasons = _reasons(release, chunk, columns, as_of)
    good = np.ones(chunk.num_rows, dtype=bool)
    good[list(reasons)] = False
    bad = chunk.filter(arrow.array(~good))
    bad = bad.cast(arrow.schema([(name, arrow.string()) for name in bad.schema.names]))
    bad = bad.append_column("reason", arrow.array(reasons.values(), arrow.string()))
    kept = chunk.filter(arrow.array(good))
    columns = {name: values[good] for name, values in columns.items()}
    return _priced_table(release, kept, columns, as_of), bad


def _priced_table(
    release: Release, chunk: arrow.Table, columns: Columns, as_of: date
) -> arrow.Table:
    priced = reprice(release, columns, _texts(chunk, "plan"), as_of)
    expiring = _amounts(chunk, "expiring_premium")
    offered = priced.offered_cents / 100
    change = np.full(len(offered), np.nan)
    np.divide(offered, expiring, out=change, where=expiring > 0)
    cents = arrow.array(priced.offered_cents, arrow.int64()).cast(arrow.decimal128(19, 0))
    money = pc.multiply(cents, arrow.scalar(CENT, arrow.decimal128(3, 2)))
    values = [
        *(chunk[name].cast(arrow.string()) for name in _IDENTITY),
        arrow.array(expiring, from_pandas=True),
        arrow.array(priced.pure_premium),
        arrow.array(priced.actuarial_value),
        arrow.array(priced.technical_premium),
        money.cast(arrow.decimal128(14, 2)),
        arrow.array(change - 1, from_pandas=True),
        arrow.array(np.full(len(offered), release.hash, dtype=object), arrow.string()),
    ]
    return arrow.Table.from_arrays(values, schema=REPRICED)


def _reasons(release: Release, chunk: arrow.Table, columns: Columns, as_of: date) -> dict[int, str]:
    """Why rows cannot be priced, by position in rising order; the others can."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    plans = _texts(chunk, "plan")
    for problem in unpriceable(release, columns, plans, as_of, renewal=True):
        found[problem.row].append(f"{problem.field}={problem.value}: {problem.message}")
    for name in ("policy_id", "member_id"):
        for row in np.flatnonzero(np.asarray(pc.is_null(chunk[name]))).tolist():
            found[row].append(f"{name} is missing")
    expiring = _amounts(chunk, "expiring_premium")
    for row in np.flatnonzero(np.isinf(expiring) | (expiring < 0)).tolist():
        found[row].append(f"expiring_premium={expiring[row]}: give 0 or more, or leave it empty")
    return {row: "; ".join(found[row]) for row in sorted(found)}


def _texts(chunk: arrow.Table, name: str) -> np.ndarray:
    values: np.ndarray = chunk[name].cast(arrow.string()).to_numpy().astype(object)
    return values


def _amounts(chunk: arrow.Table, name: str) -> np.ndarray:
    if name not in chunk.schema.names:
        return np.full(chunk.num_rows, np.nan)
    values: np.ndarray = chunk[name].cast(arrow.float64()).to_numpy().astype(np.float64)
    return values
