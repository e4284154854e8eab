"""A whole synthetic insurer as Parquet files: every table of the contracts, and the truth apart.

Members are drawn in fixed blocks, each from its own stream of the seed: a member is the same
however many are asked for, and memory holds one block at a time.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc
import pyarrow.parquet as pq

from riskengine.errors import InputError
from riskengine.sources.parquet import LABEL
from riskengine.sources.synthetic.assumptions import BLOCK_MEMBERS, Setting
from riskengine.sources.synthetic.tables import draw_block
from riskengine.tables import Tables

_AMOUNTS = (
    ("members", "household_income"),
    ("policies", "out_of_pocket_maximum"),
    ("claims", "allowed_amount"),
    ("offers", "offered_premium"),
    ("truth", "truth_expected_annual_spend"),
)

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
    setting: Setting,
    progress: Callable[[int], None] = lambda _members: None,
) -> Simulated:
    """Write a synthetic insurer of `members` members to the folder `out`.

    Equal arguments give equal bytes. Raises `InputError` for fewer than one member, a negative
    seed or no plan.
    """
    plans, currency = setting.plans, setting.currency
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
            drawn = draw_block(seed, number, members, plans, currency)
            for name, table in _settled(drawn, setting).items():
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


def _settled(tables: Tables, setting: Setting) -> Tables:
    """The tables with amounts at the level of the setting and its areas by name."""
    members = tables["members"]
    place = members.column_names.index("rating_area")
    drawn = np.array(members["rating_area"].to_pylist(), dtype=np.int64)
    areas = np.array(setting.areas, dtype=object)[(drawn - 1) % len(setting.areas)]
    members = members.set_column(place, "rating_area", arrow.array(areas, arrow.string()))
    settled = tables | {"members": members}
    if setting.level == 1:
        return settled
    for name, column in _AMOUNTS:
        table = settled[name]
        amount = pc.round(pc.multiply(table[column], setting.level), 2)
        settled[name] = table.set_column(table.column_names.index(column), column, amount)
    return settled
