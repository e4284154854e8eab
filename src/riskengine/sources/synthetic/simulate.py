"""A whole synthetic insurer as Parquet files: every table of the contracts, and the truth apart.

Members are drawn in fixed blocks, each from its own stream of the seed: a member is the same
however many are asked for, and memory holds one block at a time.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from riskengine.errors import InputError
from riskengine.sources.parquet import LABEL
from riskengine.sources.synthetic.assumptions import BLOCK_MEMBERS, PlanDesign
from riskengine.sources.synthetic.tables import draw_block
from riskengine.vocabulary import Currency

_README = """SYNTHETIC DATA / 合成数据

These tables describe an insurer that does not exist. A program (riskengine simulate) drew them
from seed {seed}; none of the {members:,} members is a real person. truth.parquet holds what the
tables only show through: columns truth_*.

这些表描述的保险公司并不存在。数据由程序（riskengine simulate）以种子{seed}生成，
{members:,}名成员都不是真实的人。truth.parquet 存放各表背后的真值：truth_* 各列。
"""


@dataclass(frozen=True)
class Simulated:
    """Rows written, by table."""

    rows: dict[str, int]


def simulate(
    members: int,
    seed: int,
    out: Path,
    market: tuple[Sequence[PlanDesign], Currency],
    progress: Callable[[int], None] = lambda _members: None,
) -> Simulated:
    """Write a synthetic insurer of `members` members to the folder `out`.

    `market` is its plans and the currency of its claims. Equal arguments give equal bytes. Raises
    `InputError` for fewer than one member, a negative seed or no plan.
    """
    plans, currency = tuple(market[0]), market[1]
    if members < 1 or seed < 0 or not plans:
        message = (
            f"members={members}, seed={seed}, {len(plans)} plans: give at least one member, a seed"
            " of 0 or more and at least one plan"
        )
        raise InputError(message)
    out.mkdir(parents=True, exist_ok=True)
    rows: dict[str, int] = {}
    with ExitStack() as open_files:
        writers: dict[str, pq.ParquetWriter] = {}
        for number in range(-(-members // BLOCK_MEMBERS)):
            for name, table in draw_block(seed, number, members, plans, currency).items():
                if name not in writers:
                    schema = table.schema.with_metadata({LABEL: f"synthetic, seed {seed}"})
                    path = out / f"{name}.parquet"
                    writers[name] = open_files.enter_context(
                        pq.ParquetWriter(path, schema, compression="zstd")
                    )
                writers[name].write_table(table)
                rows[name] = rows.get(name, 0) + table.num_rows
            progress(min((number + 1) * BLOCK_MEMBERS, members))
    text = _README.format(seed=seed, members=members)
    (out / "README.txt").write_text(text, encoding="utf-8")
    return Simulated(rows)
