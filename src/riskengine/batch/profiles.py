"""Profiles of a book, from a folder of tables to a Parquet file, on one machine or a cluster.

On DuckDB each kind of fact is aggregated into a table of its own first and the tables are joined
range by range of members, so that memory stays within its limit and the rows come out in key
order. Spark plans for itself and writes a folder of Parquet parts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ibis
import pyarrow as arrow
import pyarrow.parquet as pq

from riskengine.errors import InputError, TableError, UnknownNameError
from riskengine.profiles.build import join_parts, profile_expression, profile_parts
from riskengine.profiles.completion import completion_factors, run_off
from riskengine.profiles.facts import KEYS
from riskengine.profiles.feature import Facts, Feature
from riskengine.profiles.features import FEATURES
from riskengine.reporting.profiles import profile_sections, summarise
from riskengine.reporting.report import render_report
from riskengine.sources.query import Engine, connect, open_folder
from riskengine.vocabulary import Text

JOINED_ROWS = 250_000
Progress = Callable[[str], None]


@dataclass(frozen=True)
class ProfileJob:
    """What to build: for whom and when, of which tables, where to.

    `spine` is a Parquet file with `member_id` and `as_of`; without one, every member known by
    each date of `as_of` has a row for it.
    """

    data: Path
    out: Path
    as_of: tuple[date, ...] = ()
    spine: Path | None = None
    features: tuple[Feature, ...] = FEATURES


def write_profiles(
    job: ProfileJob,
    engine: Engine = Engine.DUCKDB,
    memory_limit: str = "",
    progress: Progress = lambda _line: None,
) -> int:
    """Build the profiles of a job and write them; returns the number of rows.

    The file is complete or not there: it is written beside its place and moved at the end. Raises
    `InputError` when there are neither or both of dates and a spine, `TableError` for tables that
    break their contracts or a spine with a row twice, and `UnknownNameError` for a member of the
    spine that is not in `members`.
    """
    if bool(job.as_of) == bool(job.spine):
        message = "give either dates (--as-of) or a file of members and dates (--spine)"
        raise InputError(message)
    if len(set(job.as_of)) != len(job.as_of):
        message = f"a date is named twice: {', '.join(map(str, job.as_of))}"
        raise InputError(message)
    job.out.parent.mkdir(parents=True, exist_ok=True)
    with connect(engine, memory_limit) as connection:
        tables = open_folder(connection, job.data)
        spine = _spine(connection, job, tables)
        if engine is Engine.DUCKDB:
            spine = connection.create_table("spine", spine, temp=True)
        _check_spine(connection, spine, tables)
        _check_currency(connection, tables)
        if engine is Engine.SPARK:
            progress("building profiles on Spark")
            return _on_spark(connection, profile_expression(tables, spine, job.features), job.out)
        return _on_duckdb(connection, profile_parts(tables, spine, job.features), job, progress)


def _spine(connection: Any, job: ProfileJob, tables: dict[str, Any]) -> Any:
    members = tables["members"]
    if job.spine:
        spine = connection.read_parquet(str(job.spine.resolve()))
        absent = [key for key in KEYS if key not in spine.columns]
        if absent:
            message = f"{job.spine} lacks the columns {', '.join(absent)}"
            raise TableError(message)
        return spine.select("member_id", as_of=spine.as_of.cast("date"))
    per_date = [
        members.filter(members.known_on <= ibis.literal(day)).select(
            "member_id", as_of=ibis.literal(day)
        )
        for day in job.as_of
    ]
    return ibis.union(*per_date) if len(per_date) > 1 else per_date[0]


def _check_spine(connection: Any, spine: Any, tables: dict[str, Any]) -> None:
    twice = spine.group_by(KEYS).aggregate(rows=spine.count())
    doubled = connection.to_pyarrow(twice.filter(twice.rows > 1).limit(1)).to_pylist()
    if doubled:
        first = doubled[0]
        message = f"the spine names {first['member_id']} as of {first['as_of']} twice; once will do"
        raise TableError(message)
    strangers = spine.anti_join(tables["members"], "member_id").select("member_id").distinct()
    count = int(connection.to_pyarrow(strangers.count()).as_py())
    if count:
        first = connection.to_pyarrow(strangers.order_by("member_id").limit(1)).to_pylist()[0]
        message = f"{count} members of the spine are not in members: {first['member_id']}, ..."
        raise UnknownNameError(message)


def _check_currency(connection: Any, tables: dict[str, Any]) -> None:
    """Amounts are summed as they are: they must be of one currency."""
    named = connection.to_pyarrow(tables["claims"].select("currency").distinct())["currency"]
    if len(named) > 1:
        message = (
            f"claims are in {', '.join(sorted(named.to_pylist()))}: bring them to one currency"
        )
        raise TableError(message)


def _on_duckdb(
    connection: Any, parts: dict[Facts, Any], job: ProfileJob, progress: Progress
) -> int:
    stored = {}
    for kind, part in parts.items():
        progress(f"aggregating {kind.value}")
        stored[kind] = connection.create_table(f"part_{kind.value}", part, temp=True)
    progress("joining profiles")
    beside = job.out.with_name(job.out.name + ".part")
    rows = 0
    writer: pq.ParquetWriter | None = None
    for first, end in _ranges(connection, stored[Facts.MEMBER]):
        inside = {kind: _between(part, first, end) for kind, part in stored.items()}
        profiles = connection.to_pyarrow(join_parts(inside, job.features).order_by(KEYS))
        writer = writer or pq.ParquetWriter(beside, profiles.schema, compression="zstd")
        writer.write_table(profiles)
        rows += profiles.num_rows
    if writer is None:
        message = f"no member of {job.data} is known by {', '.join(map(str, job.as_of))}"
        raise InputError(message)
    writer.close()
    beside.replace(job.out)
    return rows


def _ranges(connection: Any, members: Any) -> Sequence[tuple[str, str | None]]:
    """Ranges of member ids, from the first to below the next, of about `JOINED_ROWS` rows."""
    ids = connection.to_pyarrow(members.select("member_id"))["member_id"].combine_chunks()
    ordered = ids.cast(arrow.string()).sort()
    starts = sorted({ordered[row].as_py() for row in range(0, len(ordered), JOINED_ROWS)})
    return list(zip(starts, [*starts[1:], None], strict=False))


def _between(part: Any, first: str, end: str | None) -> Any:
    inside = part.filter(part.member_id >= first)
    return inside if end is None else inside.filter(inside.member_id < end)


def _on_spark(connection: Any, profiles: Any, out: Path) -> int:
    connection.to_parquet(profiles, str(out.resolve()), mode="overwrite")
    return int(connection.to_pyarrow(connection.read_parquet(str(out.resolve())).count()).as_py())


def write_profile_report(
    job: ProfileJob, memory_limit: str = "", progress: Progress = lambda _line: None
) -> None:
    """Build the profiles of a job beside its place and write the report on them to `job.out`.

    Raises what `write_profiles` raises.
    """
    with TemporaryDirectory(prefix="riskengine-") as folder:
        file = Path(folder) / "profiles.parquet"
        rows = write_profiles(replace(job, out=file), Engine.DUCKDB, memory_limit, progress)
        progress("summarising")
        dates, summaries = summarise(file, job.features)
    completion = _completion(job.data, dates[-1])
    title = Text(zh="成员特征档案报告", en="Member profiles")
    lead = Text(
        zh=f"{rows:,}行档案，日期：{'、'.join(map(str, dates))}。分布与覆盖为最后一个日期。",
        en=f"{rows:,} profiles as of {', '.join(map(str, dates))}. Coverage and distributions are"
        " those of the last date.",
    )
    page = render_report(title, lead, profile_sections(dates, summaries, completion))
    job.out.parent.mkdir(parents=True, exist_ok=True)
    job.out.write_text(page, encoding="utf-8")


def _completion(data: Path, as_of: date) -> arrow.Table | None:
    """Completion factors as of a date, or None while the claims are of a single month."""
    with connect(Engine.DUCKDB) as connection:
        claims = open_folder(connection, data)["claims"]
        frame = connection.to_pyarrow(run_off(claims, ibis.literal(as_of))).to_pandas()
    return completion_factors(frame) if frame["service_month"].nunique() > 1 else None
