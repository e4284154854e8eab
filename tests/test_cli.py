"""The command line as a user meets it, on a real run of the demo."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from riskengine import cli
from riskengine.batch.job_folder import only_writer
from riskengine.cli.app import console
from riskengine.errors import ReleaseError
from riskengine.market_release import with_inputs
from riskengine.profiles.drift import bins_of
from riskengine.registry import (
    decisions,
    load_registered,
    register_release,
    release_folder,
    releases,
)
from riskengine.risk.fit import fit
from riskengine.risk.spec import read_spec
from riskengine.service.app import Outside, create_app
from riskengine.service.holding import Named
from riskengine.service.source import RegisteredReleases
from riskengine.settings import Settings
from riskengine.store import Database
from riskengine.tables import Tables
from tests.batch.books import book_of
from tests.conftest import ROOT
from tests.golden.market_releases import market_release
from tests.golden.rewrite import KEPT_RELEASE


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process; console lines are wide enough not to wrap."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["riskengine", *arguments])
        monkeypatch.setattr(console, "width", 200)
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped specs; that of the demo gives what its search would find."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "models", folder / "models")
    with (folder / "models" / "medical_spend.toml").open("a", encoding="utf-8") as spec:
        spec.write(f"\n[lightgbm]\nnum_leaves = 12\nfeature_fraction = {8 / 14}\n")
    return folder


@pytest.fixture(autouse=True)
def settings(place: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RISKENGINE_TRACKING_URI", f"sqlite:///{place}/mlruns/mlflow.db")
    monkeypatch.setenv("RISKENGINE_ARTIFACTS", str(place / "mlruns" / "artifacts"))
    monkeypatch.setenv("RISKENGINE_MODELS", str(place / "models"))
    return Settings()


@pytest.fixture
def demo(run: Run, place: Path) -> str:
    """What the demo prints; it runs once for the module."""
    told = place / "told.txt"
    if not told.exists():
        done = run("demo", "--out", str(place / "out"))
        assert (done.code, done.err) == (0, "")
        told.write_text(done.out)
    return told.read_text()


def test_before_any_release_the_error_says_what_to_run(run: Run, place: Path) -> None:
    if (place / "told.txt").exists():
        pytest.skip("a release is registered by now")
    done = run("quote", "--answers", '{"age": 43, "sex": "female"}')
    assert done.code == 2
    assert "run `riskengine demo` for the study's" in done.err
    assert done.err.count("\n") == 1


def test_demo_ends_with_results_and_the_next_command(demo: str, place: Path) -> None:
    assert demo.rstrip().endswith("Look at the report, then type: riskengine serve")
    assert "1,712 policies repriced, 0 quarantined" in demo
    for name in re.findall(r"out/([a-z./]+)", demo):
        assert (place / "out" / name).stat().st_size > 0
    assert len(re.findall(r"out/([a-z./]+)", demo)) == 9


@pytest.mark.usefixtures("demo")
def test_the_shipped_spec_finds_the_model_of_the_demo(place: Path, settings: Settings) -> None:
    experience = pq.read_table(place / "out" / "experience.parquet")
    searched = fit(read_spec(ROOT / "models" / "medical_spend.toml"), experience)
    given, head = load_registered(settings).medical_spend, experience.slice(0, 500)
    assert searched.predict(head).tolist() == given.predict(head).tolist()


@pytest.mark.usefixtures("demo")
def test_the_report_is_self_contained_and_has_its_charts(place: Path) -> None:
    report = (place / "out" / "report.html").read_text(encoding="utf-8")
    assert report.count("<svg") == 2 * 6, "six charts in two languages"
    for outside in ("<script", 'src="', 'href="http', "@import"):
        assert outside not in report

    assert report.count("<h2>") == 8


@pytest.mark.usefixtures("demo")
def test_quote_prints_what_the_readme_shows(run: Run) -> None:
    for name in ("README.md", "README.zh-CN.md"):
        readme = (ROOT / name).read_text(encoding="utf-8")
        (command,) = re.findall(r"^\.venv/bin/riskengine quote (--answers .*?)\n", readme, re.M)
        answers = re.findall(r"--answers '(.*?)'", command)[0]
        options = command.split("' ")[1].split()
        done = run("quote", "--answers", answers, *options)
        (offer,) = json.loads(done.out)["offers"]
        shown = float(re.findall(r'"offered_premium": "([\d.]+)"', readme)[0])
        assert float(offer["offered_premium"]) == pytest.approx(shown, rel=0.005)
        steps = re.findall(r'"name": "(\w+)", "operation"', readme)
        assert steps == [step["name"] for step in offer["steps"]]


@pytest.mark.usefixtures("demo")
def test_quote_batch_and_service_agree(run: Run, place: Path, settings: Settings) -> None:
    book = place / "out" / "portfolio.parquet"
    done = run(
        "reprice", "--portfolio", str(book), "--out", str(place / "book"), "--as-of", "2026-01-01"
    )
    assert done.code == 0
    assert "1,712 policies: 1,712 repriced, 0 quarantined" in done.out
    priced = pq.read_table(place / "book" / "repriced").to_pylist()[5]
    row = pq.read_table(book).to_pylist()[5]
    names = [q.name for q in load_registered(settings).questions]
    answers = {name: row[name] for name in names}
    told = run(
        "quote", "--answers", json.dumps(answers), "--plan", row["plan"], "--as-of", "2026-01-01"
    )
    (offer,) = json.loads(told.out)["offers"]
    with TestClient(create_app(Outside(RegisteredReleases(settings)), settings)) as client:
        body = {"answers": answers, "as_of": "2026-01-01", "plans": [row["plan"]]}
        (live,) = client.post("/v1/prices", json=body).json()["offers"]
    assert offer == live
    assert offer["offered_premium"] == str(priced["offered_premium"])


@pytest.mark.usefixtures("demo")
def test_reprice_rehearses_records_itself_and_says_when_it_cannot(
    run: Run, place: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    book, out = place / "out" / "portfolio.parquet", place / "again"
    command = ("reprice", "--portfolio", str(book), "--out", str(out), "--as-of", "2026-01-01")
    tried = run(*command, "--dry-run")
    assert tried.code == 0
    assert "1,712 policies in 1 chunks; about 0.0 minutes" in tried.out
    assert not out.exists()
    with only_writer(out):
        locked = run(*command)
    assert (locked.code, locked.err.count("\n")) == (4, 1)
    assert "another run is writing to" in locked.err
    assert run(*command).code == 0
    (logged,) = mlflow.search_runs(
        filter_string=f"tags.`mlflow.runName` = 'reprice' and params.portfolio = '{book}'"
        " and metrics.seconds > 0",
        order_by=["start_time DESC"],
        max_results=1,
        output_format="list",
    )
    assert logged.data.metrics["policies_out"] == 1712
    assert logged.data.params["release"] == load_registered(settings).hash
    folder = release_folder(settings, settings.alias)
    monkeypatch.setenv("RISKENGINE_TRACKING_URI", "sqlite:////proc/none/mlflow.db")
    away = run(*command, "--release", str(folder))
    assert away.code == 0
    assert "warning: the run is not in MLflow" in away.out


def test_only_the_first_release_of_a_market_is_in_force_at_once(settings: Settings) -> None:
    first = market_release("us_aca")
    second = with_inputs(first, {"age": bins_of(np.arange(18.0, 60.0))})
    asked = [*(question.name for question in first.questions), "plan"]
    rows = book_of(first, 5).select(asked).to_pandas()
    versions = [
        register_release(settings, one, date(2026, 1, 1), rows, replaces=False)
        for one in (first, second)
    ]
    assert versions == [1, 2]
    aliases = {row["version"]: row["aliases"] for row in releases.release_rows(settings)}
    assert aliases == {1: ["champion"], 2: []}


def test_a_revoked_release_prices_no_more(run: Run, tmp_path: Path, settings: Settings) -> None:
    market = market_release("us_aca")
    book, policies = tmp_path / "book.parquet", book_of(market, 20)
    pq.write_table(policies, book)
    asked = [*(question.name for question in market.questions), "plan"]
    register_release(settings, market, date(2026, 1, 1), policies.select(asked).to_pandas())
    folder = release_folder(settings, "us_aca@champion")
    done = run("release", "revoke", "us_aca@champion", "--reason", "wrong area factors")
    assert (done.code, done.err) == (0, "")
    command = ("reprice", "--portfolio", str(book), "--as-of", "2026-01-01", "--out")
    again = run("release", "promote", "us_aca", "1", "--reason", "it was right")
    assert (again.code, "version 1 of us_aca was revoked: wrong area" in again.err) == (2, True)
    refused = run(*command, str(tmp_path / "a"), "--release", "us_aca@champion")
    assert refused.code == 2
    assert "was revoked: wrong area factors; price with another one" in refused.err
    # Who has its folder learns it as the job runs, and how to go on.
    stopped = run(*command, str(tmp_path / "b"), "--release", str(folder))
    assert stopped.code == 3
    assert "What is done is kept; go on with: riskengine reprice --portfolio" in stopped.err
    assert stopped.err.rstrip().endswith("--resume")


@pytest.mark.usefixtures("demo")
def test_mlflow_holds_the_run_and_prices_a_data_frame(place: Path, settings: Settings) -> None:
    import mlflow

    from riskengine.registry import connect

    client = connect(settings)
    version = client.get_model_version_by_alias("riskengine", "champion")
    assert version.tags["digest"] == load_registered(settings).hash
    (run,) = mlflow.search_runs(filter_string="tags.`mlflow.runName` = 'medical_spend'",
                                output_format="list")  # fmt: skip
    assert 0.99 < run.data.metrics["LightGBM.actual_over_expected"] < 1.01
    assert run.data.metrics["LightGBM.tweedie_deviance"] < run.data.metrics["GLM.tweedie_deviance"]
    book = pq.read_table(place / "out" / "portfolio.parquet").to_pandas().head(20)
    risk = mlflow.pyfunc.load_model("models:/medical_spend/1")
    cover = load_registered(settings).medical_spend.spec.features.cover
    repriced = pq.read_table(place / "out" / "book" / "repriced")
    means = repriced["step_pure_premium"].to_pylist()[:20]
    features = book.drop(columns=["policy_id", "member_id", "plan", "expiring_premium"])
    assert risk.predict(features.assign(**cover))["prediction"].tolist() == means
    asked = book[[*(q.name for q in load_registered(settings).questions), "plan"]]
    model = mlflow.pyfunc.load_model("models:/riskengine@champion")
    priced = model.predict(asked, params={"as_of": "2026-01-01"})
    offered = repriced["offered_premium"].to_pylist()[:20]
    assert priced["offered_premium"].tolist() == [float(premium) for premium in offered]


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quote", "--answers", "{age: 43}"], "--answers is not JSON"),
        (["quote", "--answers", "[1]"], "--answers must be a JSON object"),
        (
            ["quote", "--answers", '{"age": 99, "sex": "male"}'],
            "age=99: give a number from",
        ),
        (
            ["quote", "--answers", '{"age": 9, "sex": "male"}', "--plan", "gold"],
            "unknown plan 'gold'; there are free_care",
        ),
        (
            ["quote", "--answers", '{"age": 9, "sex": "male"}', "--release", "nobody"],
            "no release 'nobody' of 'riskengine' can be read",
        ),
        (
            ["quote", "--answers", "{}", "--plan", "free_care", "--plan", "free_care"],
            "a plan is named twice",
        ),
        (["reprice", "--portfolio", "no.parquet", "--out", "x"], "cannot read the portfolio no."),
        (["schemas", "--check", "--folder", "{tmp}/schemas"], "members.json is out of date"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = run(*(argument.replace("{tmp}", str(tmp_path)) for argument in arguments))
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_settings_and_files_that_cannot_be_used_are_one_line_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISKENGINE_PORT", "abc")
    done = run("serve")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "RISKENGINE_PORT: Input should be a valid integer" in done.err
    monkeypatch.setenv("RISKENGINE_PORT", "99999")
    assert "RISKENGINE_PORT: Input should be less than or equal to 65535" in run("serve").err
    monkeypatch.delenv("RISKENGINE_PORT")
    (tmp_path / "file").write_text("")
    done = run("schemas", "--folder", str(tmp_path / "file" / "schemas"))
    assert (done.code, done.err.count("\n")) == (2, 1)
    monkeypatch.setenv("RISKENGINE_TRACKING_URI", "foo://bar")
    done = run("quote", "--answers", "{}")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "can be read from foo://bar: run `riskengine demo`" in done.err


def test_validate_counts_quarantines_and_sets_the_exit_code(
    run: Run, tables: Tables, tmp_path: Path
) -> None:
    for name, table in tables.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    done = run("validate", str(tmp_path), "--quarantine", str(tmp_path / "bad"))
    assert done.code == 0
    assert "not there (optional)" in done.out
    sexes = arrow.array(["unknown"] * 12 + tables["members"]["sex"].to_pylist()[12:])
    pq.write_table(tables["members"].set_column(2, "sex", sexes), tmp_path / "members.parquet")
    done = run("validate", str(tmp_path), "--quarantine", str(tmp_path / "bad"))
    assert done.code == 1
    assert "12 x sex: isin" in done.out
    assert "More than 0.1% of the rows are bad in: members" in done.out
    assert pq.read_metadata(tmp_path / "bad" / "members.parquet").num_rows == 12
    done = run("validate", str(tmp_path), "--quarantine", str(tmp_path / "bad"), "--max-bad", "1%")
    assert done.code == 0
    done = run("validate", str(tmp_path), "--max-bad", "some")
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_profiles_are_built_reported_and_published(
    run: Run, insurer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISKENGINE_STORE", f"sqlite:///{tmp_path}/store.db")
    file, page = str(tmp_path / "profiles.parquet"), tmp_path / "profiles.html"
    dates = ("--as-of", "2024-07-01", "--as-of", "2025-07-01")
    done = run("profiles", "--data", str(insurer), *dates, "--out", file)
    assert (done.code, done.err) == (0, "")
    rows = pq.read_metadata(file).num_rows
    assert f"{rows:,} profiles of 105 features" in done.out
    done = run("profiles", "publish", file)
    assert done.out == f"{rows:,} profiles published; GET /v1/members/{{member_id}}/profile\n"
    done = run("profiles", "report", "--data", str(insurer), *dates, "--out", str(page))
    assert done.code == 0
    assert "Drift between two dates" in page.read_text(encoding="utf-8")
    done = run("profiles", "feast", file, "--out", str(tmp_path / "feast"))
    assert done.code == 0
    assert (tmp_path / "feast" / "definitions.py").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["profiles"], "give --data FOLDER and --out FILE, or a command"),
        (["profiles", "--data", "{tmp}", "--as-of", "2025-01-01", "--out", "p"], "has no members."),
        (
            ["profiles", "--data", "{tmp}/no", "--as-of", "2025-01-01", "--out", "p"],
            "is not a folder: give one of NAME.parquet",
        ),
        (["profiles", "report", "--data", "{tmp}"], "give --as-of DATE"),
        (["profiles", "publish", "no.parquet"], "no.parquet is not there"),
        (["profiles", "feast", "no.parquet", "--out", "{tmp}"], "no.parquet is not there"),
        (["simulate", "--members", "9", "--out", "x", "--market", "mars"], "for market 'mars'"),
        (["validate", "sqlite:///{tmp}/no.db"], "no.db names no file"),
        (["validate", "{tmp}/nowhere"], "is not a folder; give a folder of tables"),
    ],
)
def test_a_mistake_with_tables_is_one_line_too(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = run(*(argument.replace("{tmp}", str(tmp_path)) for argument in arguments))
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.glob("*.db"))


def test_usage_errors_are_exit_code_2_without_a_traceback(run: Run) -> None:
    for arguments in (
        ["reprice"],
        ["quote", "--as-of", "soon", "--answers", "{}"],
        ["nothing"],
        ["serve", "--port", "99999"],
        ["profiles", "--data", "x", "--out", "p", "--as-of", "2024-13-01"],
        ["profiles", "--data", "x", "--out", "p", "--as-of", "2024-01-01", "--engine", "sparc"],
    ):
        done = run(*arguments)
        assert done.code == 2
        assert "Traceback" not in done.err


def test_help_lists_every_command_with_a_sentence(run: Run) -> None:
    told = run("--help").out
    for command in (
        "demo",
        "serve",
        "quote",
        "reprice",
        "validate",
        "schemas",
        "simulate",
        "profiles",
        "train",
        "score",
        "compare",
        "promote",
    ):
        assert re.search(rf"^\s+{command}\s+\w+", told, re.M), command


def _refuse(_: object) -> None:
    message = "it was revoked"
    raise ReleaseError(message)


@pytest.mark.usefixtures("demo")
def test_a_stored_quote_is_replayed_and_a_broken_promise_is_told(
    run: Run, place: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISKENGINE_STORE", f"sqlite:///{place}/store.db")
    assert run("store", "upgrade").out == "The store is at version 0006\n"
    database = Database(f"sqlite:///{place}/store.db")
    outside = Outside(RegisteredReleases(settings), database)
    with TestClient(create_app(outside, settings)) as client:
        body = {"answers": {"age": 43, "sex": "female"}, "as_of": "2026-01-01"}
        quote = client.post("/v1/quotes", json=body).json()
    done = run("quote", "replay", quote["quote_id"])
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("Replayed to the cent.\n")
    for offer in quote["offers"]:
        assert f"  {offer['plan']}: {offer['offered_premium']}\n" in done.out
    with database.writing() as connection:
        connection.exec_driver_sql(
            "update quotes set body = replace(cast(body as text), '\"USD\"', '\"EUR\"')"
        )
    database.close()
    done = run("quote", "replay", quote["quote_id"])
    assert done.code == 1
    assert "differs: currency: stored 'EUR', replayed 'USD'" in done.out
    digest = quote["release"]
    monkeypatch.setattr(releases, "_refuse_revoked", _refuse)
    assert run("release", "show", digest[:12]).code == 2
    assert "differs: currency" in run("quote", "replay", quote["quote_id"]).out
    other = run("quote", "replay", quote["quote_id"], "--release", str(KEPT_RELEASE))
    assert other.code == 2
    assert "was priced by release" in other.err
    assert "no quote 'x' is stored" in run("quote", "replay", "x").err


@pytest.mark.usefixtures("demo")
def test_an_alias_moves_with_a_reason_that_is_kept(run: Run, settings: Settings) -> None:
    done = run("release", "promote", "study", "1", "--to", "challenger", "--reason", "a trial")
    digest = load_registered(settings).hash
    assert (done.code, done.out) == (
        0, f"challenger of study: none -> version 1 ({digest[:12]})\n",
    )  # fmt: skip
    assert RegisteredReleases(settings).named()["study"] == Named(digest, digest)
    (kept,) = decisions(settings, settings.registered_name)
    assert (kept["alias"], kept["reason"], kept["before"]) == ("challenger", "a trial", None)
    for arguments, said in (
        (("study", "1", "--reason", " "), "a promotion needs a reason"),
        (("study", "7", "--reason", "x"), "no version 7 of riskengine is registered"),
        (("study", "1", "--to", "latest", "--reason", "x"), "no service follows alias 'latest'"),
    ):
        refused = run("release", "promote", *arguments)
        assert (refused.code, said in refused.err) == (2, True), refused.err
    table = run("release", "diff", "champion", "challenger", "--as-of", "2026-01-01").out
    assert table.count("+0.00%") == 8


def test_every_setting_is_told_with_its_source(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKENGINE_STORE", "postgresql+psycopg://me:secret@there/base")
    monkeypatch.setenv("RISKENGINE_MARKETS", "study, cn")
    done = run("settings")
    assert Settings().markets == ("study", "cn")
    assert "secret" not in done.out
    assert re.search(
        r"RISKENGINE_STORE +│ postgresql\+psycopg://me:\*\*\*@there/base +│ env", done.out
    )
    assert re.search(r"RISKENGINE_PORT +│ 8000 +│ default", done.out)
