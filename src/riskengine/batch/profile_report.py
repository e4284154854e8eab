"""The report on profiles of a book, from a folder of tables to one HTML page."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import ibis
import pyarrow as arrow

from riskengine.batch.profiles import ProfileJob, Progress, write_profiles
from riskengine.profiles.completion import completion_factors, run_off
from riskengine.reporting.profiles import profile_sections, summarise
from riskengine.reporting.report import render_report
from riskengine.sources.parquet import label_of
from riskengine.sources.query import Engine, connect, open_folder
from riskengine.vocabulary import Text


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
    title = Text(zh="客户画像报告", en="Member profiles")
    lead = Text(
        zh=f"{rows:,}行画像，日期：{'、'.join(map(str, dates))}。覆盖与分布为最后一个日期的。",
        en=f"{rows:,} profiles as of {', '.join(map(str, dates))}. Coverage and distributions are"
        " those of the last date.",
    )
    if label_of(job.data / "members.parquet").startswith(b"synthetic"):
        lead = Text(
            zh=f"合成数据：没有一位成员是真实的人。{lead.zh}",
            en=f"Synthetic data: no member is a person. {lead.en}",
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
