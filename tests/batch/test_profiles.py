"""Profiles of a folder of tables: on both engines, in ranges of members, and what is refused."""

import os
import re
import shutil
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from riskengine.batch import profiles as batch
from riskengine.batch.feast import write_feast_repository
from riskengine.batch.profile_report import write_profile_report
from riskengine.batch.profiles import ProfileJob, write_profiles
from riskengine.batch.repriced import kernel_of, pricing_of
from riskengine.errors import InputError, TableError, UnknownNameError
from riskengine.profiles.features import FEATURES, intent_features
from riskengine.sources.query import Engine, spark_session
from tests.batch.test_reprice_spark import QUICK_START
from tests.conftest import PLANS
from tests.golden.market_releases import kept_release, market_release

DATES = (date(2024, 7, 1), date(2026, 1, 1))
needs_java = pytest.mark.skipif(
    shutil.which("java") is None and "JAVA_HOME" not in os.environ,
    reason="Spark needs Java 17: apt-get install openjdk-17-jre-headless",
)


@pytest.fixture(scope="module")
def built(insurer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "profiles.parquet"
    assert write_profiles(ProfileJob(insurer, out, DATES)) > 700
    return out


@needs_java
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_spark_builds_the_same_profiles(
    insurer: Path, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", QUICK_START)
    from pyspark.sql import SparkSession

    (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.ui.enabled", "false")
        # Java compiled for each of the hundred columns costs more than it saves on a small book.
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
        .getOrCreate()
    )
    rows = write_profiles(ProfileJob(insurer, tmp_path / "spark", DATES), Engine.SPARK)
    order = [("member_id", "ascending"), ("as_of", "ascending")]
    there = pq.read_table(tmp_path / "spark").sort_by(order)
    here = pq.read_table(built)
    assert rows == here.num_rows
    assert there.column_names == here.column_names
    for name in here.column_names:
        left, right = here[name].combine_chunks(), there[name].combine_chunks()
        assert left.null_count == right.null_count, name
        if arrow.types.is_floating(left.type):
            np.testing.assert_allclose(
                left.to_numpy(False), right.to_numpy(False), rtol=1e-9, atol=1e-9, err_msg=name
            )
        else:
            assert left.to_pylist() == right.to_pylist()
    premiums_follow_from_profiles(insurer, here)
    SparkSession.getActiveSession().stop()  # type: ignore[union-attr]


def premiums_follow_from_profiles(insurer: Path, profiles: arrow.Table) -> None:
    """Members, profiles and premiums as one job, against the profiles built here."""
    from riskengine.batch.spark import profiled_portfolio, repriced_frame

    pricing = pricing_of((kept_release("us_aca"),), DATES[1])
    known = profiles.filter(pc.equal(profiles["as_of"], arrow.scalar(DATES[1]))).slice(0, 40)
    policies = arrow.table(
        {
            "policy_id": known["member_id"],
            "member_id": known["member_id"],
            "plan": arrow.array(["silver"] * 40),
            "tobacco": arrow.array(["no"] * 40),
            "rating_area": arrow.array(["area_1"] * 40),
        }
    )
    asked = [question.name for question in market_release("us_aca").questions]
    of_profile = ("age", "sex", "medical_spend_365d")
    for name in [n for n in asked if n not in {*policies.schema.names, *of_profile}]:
        policies = policies.append_column(name, known[name])
    frame = spark_session().createDataFrame(policies)
    joined = profiled_portfolio(frame, pricing, insurer, DATES[1])
    premiums = repriced_frame(joined, pricing).toArrow().sort_by("policy_id")
    for name in of_profile:
        policies = policies.append_column(name, known[name])
    found = kernel_of(pricing).price(policies)
    assert premiums["quarantine_reason"].null_count == found.table.num_rows > 30
    good = premiums.filter(premiums["quarantine_reason"].is_null())
    wanted = found.table.sort_by("policy_id")
    assert good["offered_premium"].to_pylist() == wanted["offered_premium"].to_pylist()


def test_ranges_of_members_and_a_memory_limit_change_nothing(
    insurer: Path, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "JOINED_ROWS", 250)
    write_profiles(ProfileJob(insurer, tmp_path / "p.parquet", DATES), memory_limit="300MB")
    assert pq.read_table(tmp_path / "p.parquet").equals(pq.read_table(built))


def test_rows_are_the_members_known_by_each_date(insurer: Path, built: Path) -> None:
    members = pq.read_table(insurer / "members.parquet")
    found = pq.read_table(built, columns=["member_id", "as_of"])
    for day in DATES:
        known = members.filter(pc.less_equal(members["known_on"], arrow.scalar(day)))
        there = found.filter(pc.equal(found["as_of"], arrow.scalar(day)))
        assert there["member_id"].to_pylist() == sorted(known["member_id"].to_pylist())


def test_jobs_that_cannot_be_done_are_refused(insurer: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.parquet"

    def spine(members: list[str]) -> Path:
        days = arrow.array([DATES[0]] * len(members), arrow.date32())
        pq.write_table(arrow.table({"member_id": members, "as_of": days}), tmp_path / "s.parquet")
        return tmp_path / "s.parquet"

    with pytest.raises(InputError, match="either dates"):
        write_profiles(ProfileJob(insurer, out))
    with pytest.raises(InputError, match="named twice: 2024-07-01"):
        write_profiles(ProfileJob(insurer, out, (DATES[0], DATES[0])))
    with pytest.raises(TableError, match="m1 as of 2024-07-01 twice"):
        write_profiles(ProfileJob(insurer, out, spine=spine(["m1", "m1"])))
    with pytest.raises(UnknownNameError, match=r"1 members .* nobody"):
        write_profiles(ProfileJob(insurer, out, spine=spine(["m1", "nobody"])))
    with pytest.raises(InputError, match=r"no member of .* is known by 1990-01-01"):
        write_profiles(ProfileJob(insurer, out, (date(1990, 1, 1),)))
    assert not out.exists()
    (tmp_path / "no.txt").write_text("no Parquet")
    with pytest.raises(TableError, match=r"no\.txt as Parquet: Parquet magic bytes not found"):
        write_profiles(ProfileJob(insurer, out, spine=tmp_path / "no.txt"))
    with pytest.raises(TableError, match=r"s\.p is not there: give a Parquet file"):
        write_profiles(ProfileJob(insurer, out, spine=tmp_path / "s.p"))
    with pytest.raises(TableError, match=r"members\.parquet lacks the columns as_of"):
        write_profiles(ProfileJob(insurer, out, spine=insurer / "members.parquet"))
    with pytest.raises(TableError, match=r"no members.parquet, policies.parquet, claims.parquet"):
        write_profiles(ProfileJob(tmp_path, out, DATES))
    with pytest.raises(TableError, match=r"nowhere is not a folder: give one of NAME\.parquet"):
        write_profiles(ProfileJob(tmp_path / "nowhere", out, DATES))
    misspelt = broken(
        insurer, tmp_path / "misspelt", "members", pq.read_table(insurer / "members.parquet")
    )
    (misspelt / "diagnoses.parquet").rename(misspelt / "diagnosis.parquet")
    with pytest.raises(TableError, match=r"has no diagnoses, but diagnosis\.parquet: rename it"):
        write_profiles(ProfileJob(misspelt, out, DATES))


def test_profiles_replace_nothing_but_profiles(insurer: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder; give a file, such as .*profiles\.parquet"):
        write_profiles(ProfileJob(insurer, tmp_path, DATES))
    with pytest.raises(InputError, match=r"claims\.parquet is a table of .* itself"):
        write_profiles(ProfileJob(insurer, insurer / "claims.parquet", DATES))
    for place in (insurer, insurer / "README.txt"):
        with pytest.raises(InputError, match=r"Spark would replace .* is not Spark's"):
            write_profiles(ProfileJob(insurer, place, DATES), Engine.SPARK)


@pytest.mark.parametrize(
    ("limit", "said"), [("lots", "is 'lots': give a size such as 700MB"), ("2MB", "more memory")]
)
def test_a_memory_limit_that_cannot_be_kept_is_told(
    insurer: Path, tmp_path: Path, limit: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        write_profiles(ProfileJob(insurer, tmp_path / "p.parquet", DATES), memory_limit=limit)
    assert not (tmp_path / "p.parquet").exists()


def broken(insurer: Path, to: Path, name: str, table: arrow.Table) -> Path:
    shutil.copytree(insurer, to)
    pq.write_table(table, to / f"{name}.parquet")
    return to


def test_tables_of_other_types_or_currencies_are_refused(insurer: Path, tmp_path: Path) -> None:
    members = pq.read_table(insurer / "members.parquet")
    late = members.drop_columns(["sex"]).set_column(
        1, "birth_date", members["birth_date"].cast(arrow.timestamp("us"))
    )
    with pytest.raises(TableError, match=r"birth_date is timestamp.*, not date; members.sex"):
        write_profiles(
            ProfileJob(broken(insurer, tmp_path / "a", "members", late), tmp_path / "p", DATES)
        )
    claims = pq.read_table(insurer / "claims.parquet")
    mixed = arrow.array(["USD", "CNY"] + ["USD"] * (claims.num_rows - 2))
    place = claims.column_names.index("currency")
    claims = claims.set_column(place, "currency", mixed)
    with pytest.raises(TableError, match="claims are in CNY, USD"):
        write_profiles(
            ProfileJob(broken(insurer, tmp_path / "b", "claims", claims), tmp_path / "p", DATES)
        )


def test_a_feast_repository_holds_every_profile(built: Path, tmp_path: Path) -> None:
    write_feast_repository(built, tmp_path, FEATURES)
    stored = pq.read_table(tmp_path / "profiles.parquet")
    here = pq.read_table(built)
    assert stored.num_rows == here.num_rows
    assert stored["event_timestamp"].cast(arrow.date32()).to_pylist() == here["as_of"].to_pylist()
    text = (tmp_path / "definitions.py").read_text(encoding="utf-8")
    compile(text, "definitions.py", "exec")
    assert text.count("Field(name=") == len(FEATURES)
    assert 'Field(name="sex", dtype=String' in text
    assert 'path=str(Path(__file__).resolve().with_name("profiles.parquet")),' in text
    assert "type: duckdb" in (tmp_path / "feature_store.yaml").read_text(encoding="utf-8")
    with pytest.raises(TableError, match=r"it lacks page_views_gold_90d"):
        write_feast_repository(built, tmp_path / "other", intent_features(["gold"]))
    assert not (tmp_path / "other").exists()


def test_the_report_tells_drift_and_run_out(insurer: Path, tmp_path: Path) -> None:
    features = (*FEATURES, *intent_features([plan.plan for plan in PLANS]))
    write_profile_report(ProfileJob(insurer, tmp_path / "r.html", DATES, features=features))
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "104 features. Never known: Chronic disease index, Physical limitation." in page
    assert "从2024-07-01到2026-01-01的群体稳定性指数" in page
    assert "Run-out of claims" in page
    assert "Synthetic data: no member is a person. " in page
    assert "合成数据：没有一位成员是真实的人。" in page
    assert "Known least: Chronic disease index (0%); Physical limitation (0%); " in page
    assert re.search(r">Diabetes<.*?>0 no, 1 yes<.*?<td>[0-9.]+%</td><td></td>", page)
    assert page.count("<figure") == 2 * 9  # two languages: drift, run-out, seven families
    for english in re.findall(r'lang="zh-CN">([a-z ,0-9]*[a-z][a-z ,0-9]*)<', page):
        assert english in {"kg/m2", "mmHg"}, english
    few = ProfileJob(insurer, tmp_path / "one.html", DATES[1:], features=FEATURES[:8])
    write_profile_report(few)
    assert "PSI" not in (tmp_path / "one.html").read_text(encoding="utf-8")
