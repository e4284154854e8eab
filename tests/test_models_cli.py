"""The commands about models: trained, scored, compared and promoted from files."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest

from riskengine.cli.models import _table
from riskengine.errors import UnknownNameError
from riskengine.reporting.risk_words import number
from riskengine.risk.factor_files import read_factor_tables
from riskengine.risk.model import RiskModel
from riskengine.settings import Settings
from tests.test_cli import Run
from tests.test_cli import run as run

SPEC = """
[model]
name = "{name}"
kind = "{kind}"
target = "{target}"
{exposure}
[features]
numeric = ["age", "joined", "smoker", "steps"]
categorical = ["region", "postcode"]
optional = ["steps"]
monotone = {{ {monotone} }}
[folds]
group = "member"
count = 3
[lightgbm]
rounds = 30
learning_rate = 0.1
num_leaves = 6
"""


def spec_of(kind: str = "poisson", name: str = "visits", **changes: str) -> str:
    target = {"poisson": "visits", "binary": "chronic", "multiclass": "channel"}[kind]
    exposure = "" if kind == "multiclass" else 'exposure = "years"'
    monotone = "" if kind == "multiclass" else 'age = "increasing"'
    text = SPEC.format(name=name, kind=kind, target=target, exposure=exposure, monotone=monotone)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def book(rows: int = 1500, seed: int = 1) -> arrow.Table:
    """A table with what real ones have: dates, booleans, large numbers, many levels, gaps."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 90, rows)
    smoker = rng.random(rows) < 0.3
    years = rng.uniform(0.3, 1, rows)
    steps = np.where(rng.random(rows) < 0.2, np.nan, rng.integers(0, 2**33, rows))
    region = np.array(["north", "south", "true", "007"])[rng.integers(0, 4, rows)]
    visits = rng.poisson(years * np.exp(-0.5 + 0.02 * age + 0.4 * smoker))
    channel = np.array(["agent", "app", "phone"])[
        (rng.random(rows) * 3 * (age + 60) / 150).astype(int)
    ]
    return arrow.table(
        {
            "member": [f"m{number // 2}" for number in range(rows)],
            "age": age,
            "joined": arrow.array(20_000 - rng.integers(0, 4000, rows), arrow.int32()).cast(
                arrow.date32()
            ),
            "smoker": smoker,
            "steps": arrow.array(steps, from_pandas=True).cast(arrow.int64()),
            "region": arrow.array(region).dictionary_encode(),
            "postcode": [f"{number:05d}" for number in rng.integers(0, 400, rows)],
            "sex": np.array(["female", "male"])[rng.integers(0, 2, rows)],
            "years": years,
            "visits": visits,
            "chronic": (rng.random(rows) < 0.1 + 0.005 * age).astype(np.int64),
            "channel": channel,
            "constant": np.ones(rows),
        }
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    table = book()
    pq.write_table(table, folder / "book.parquet")
    arrow_csv.write_csv(table.set_column(5, "region", table["region"].cast("string")),
                        folder / "plain.csv")  # fmt: skip
    (folder / "book.csv").write_bytes(b"\xef\xbb\xbf" + (folder / "plain.csv").read_bytes())
    pq.write_table(book(800, 2), folder / "other.parquet")
    (folder / "visits.toml").write_text(spec_of())
    (folder / "flat.toml").write_text(
        spec_of(**{'"age", "joined", ': "", 'age = "increasing"': ""})
    )
    (folder / "channel.toml").write_text(spec_of("multiclass", "channel"))
    return folder


@pytest.fixture(autouse=True)
def settings(place: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RISKENGINE_TRACKING_URI", f"sqlite:///{place}/mlruns/mlflow.db")
    monkeypatch.setenv("RISKENGINE_ARTIFACTS", str(place / "mlruns" / "artifacts"))
    monkeypatch.chdir(place)
    return Settings()


@pytest.fixture
def trained(run: Run, place: Path) -> str:
    """What training prints; it runs once for the module: good is version 1, flat version 2."""
    told = place / "told.txt"
    if not told.exists():
        data = str(place / "book.parquet")
        good = run("train", "visits.toml", "--data", data, "--fairness-by", "sex")
        assert (good.code, good.err) == (0, "")
        flat = run("train", "flat.toml", "--no-report", "--data", data, "--out", "flat")
        assert (flat.code, flat.err) == (0, "")
        told.write_text(good.out)
    return told.read_text()


def test_train_writes_the_model_with_all_that_is_known_of_it(trained: str, place: Path) -> None:
    folder = place / "trained" / "visits"
    assert {path.name for path in folder.iterdir()} >= {
        "model.json", "trained.parquet", "spec.toml", "findings.json", "metrics.json",
        "report.html",
    }  # fmt: skip
    kept = pq.read_table(folder / "trained.parquet")
    table = pq.read_table(place / "book.parquet")
    assert kept.column_names == ["row", "actual", "weight", "member", "fold", "expected"]
    np.testing.assert_allclose(
        kept["actual"].to_numpy() * kept["weight"].to_numpy(), table["visits"].to_numpy()
    )
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["model.deviance.low"] < metrics["model.deviance"] < metrics["mean.deviance"]
    assert re.search(r"held out +model +glm +mean", trained)
    assert f"{number(metrics['model.deviance'])} (" in trained
    assert "Registered as models:/visits/1" in trained


@pytest.mark.usefixtures("trained")
def test_the_registry_keeps_what_made_the_model(place: Path, settings: Settings) -> None:
    import mlflow

    from riskengine.registry import connect, registered

    client = connect(settings)
    run = client.get_run(registered(settings, "visits", "1").run_id)
    assert run.data.metrics["model.gini.low"] < run.data.metrics["model.gini"]
    assert re.fullmatch(r"[0-9a-f]{40}(\+changed)?|not under version control",
                        run.data.params["code"])  # fmt: skip
    assert len(run.data.params["data_digest"]) == 64
    names = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert names >= {"spec.toml", "spec.json", "report.html", "trained.parquet", "charts"}
    model = mlflow.pyfunc.load_model("models:/visits/1")
    few = pq.read_table(place / "book.parquet").slice(0, 20).to_pandas()
    expected = RiskModel.load(place / "trained" / "visits").predict(few)
    few["age"] = few["age"].astype(float)
    few["joined"] = few["joined"].astype("datetime64[us]")
    few["region"] = few["region"].astype(str)
    names_read = list(model.metadata.get_input_schema().input_names())
    found = model.predict(few[names_read])["prediction"].to_numpy()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("trained")
def test_csv_and_parquet_score_alike(run: Run, place: Path, settings: Settings) -> None:
    for data, out in (
        ("book.parquet", "a.parquet"),
        ("book.csv", "b.parquet"),
        ("book.csv", "c.csv"),
    ):
        done = run("score", "--model", "trained/visits", "--data", data, "--out", out,
                   "--key", "member")  # fmt: skip
        assert (done.code, done.err) == (0, "")
        assert f"1,500 rows scored: {out}" in done.out
    first, second = (pq.read_table(place / name) for name in ("a.parquet", "b.parquet"))
    assert first.column_names == ["member", "prediction"]
    assert (
        first["member"].to_pylist() == pq.read_table(place / "book.parquet")["member"].to_pylist()
    )
    assert first["prediction"].to_pylist() == second["prediction"].to_pylist()
    third = arrow_csv.read_csv(place / "c.csv")
    np.testing.assert_allclose(third["prediction"].to_numpy(), first["prediction"].to_numpy())
    from riskengine.registry import registered

    run_id = registered(settings, "visits", "1").run_id
    for uri in ("models:/visits/1", f"runs:/{run_id}", f"runs:/{run_id}/risk_model"):
        by_uri = run("score", "--model", uri, "--data", "book.parquet", "--out", "d.csv")
        assert (by_uri.code, by_uri.err) == (0, "")
        found = arrow_csv.read_csv(place / "d.csv")
        assert found.column_names == ["prediction"]
        assert found["prediction"].to_pylist() == third["prediction"].to_pylist()


@pytest.mark.usefixtures("trained")
def test_batches_do_not_change_a_score(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from riskengine.batch import score

    model = RiskModel.load(place / "trained" / "visits")
    told: list[int] = []
    monkeypatch.setattr(score, "BATCH_ROWS", 400)
    for data in ("book.parquet", "book.csv"):
        told.clear()
        job = score.ScoreJob(place / data, place / "batches.parquet", "postcode")
        assert score.score_file(model, job, told.append) == 1500
        assert told == [400, 800, 1200, 1500]
        found = pq.read_table(place / "batches.parquet")["prediction"].to_numpy()
        whole = model.predict(pq.read_table(place / "book.parquet"))
        np.testing.assert_array_equal(found, whole)


@pytest.mark.usefixtures("trained")
def test_no_row_and_one_row_are_scored(run: Run, place: Path) -> None:
    table = pq.read_table(place / "book.parquet")
    for rows in (0, 1):
        few = table.slice(0, rows)
        pq.write_table(few, place / "few.parquet")
        text = few.set_column(5, "region", few["region"].cast("string"))
        arrow_csv.write_csv(text, place / "few.csv")
        for data in ("few.parquet", "few.csv"):
            done = run("score", "--model", "trained/visits", "--data", data, "--out", "few_out.csv",
                       "--key", "member")  # fmt: skip
            assert (done.code, done.err) == (0, "")
            lines = (place / "few_out.csv").read_text().splitlines()
            assert lines[0] == '"member","prediction"'
            assert len(lines) == rows + 1


def test_classes_are_columns(run: Run, place: Path) -> None:
    done = run("train", "channel.toml", "--no-report", "--data", "book.csv", "--out", "channel")
    assert (done.code, done.err) == (0, "")
    kept = pq.read_table(place / "channel" / "trained.parquet").column_names
    assert kept[-3:] == ["expected_agent", "expected_app", "expected_phone"]
    done = run("score", "--model", "models:/channel/1", "--data", "book.csv", "--out", "m.parquet")
    assert done.code == 0
    found = pq.read_table(place / "m.parquet")
    assert found.column_names == ["agent", "app", "phone"]
    np.testing.assert_allclose(sum(found[name].to_numpy() for name in found.column_names), 1)
    with_class = pq.read_table("book.parquet").append_column(
        "app", pq.read_table("book.parquet")["age"]
    )
    pq.write_table(with_class, place / "app.parquet")
    done = run(
        "score", "--model", "channel", "--data", "app.parquet", "--out", "x.csv", "--key", "app"
    )
    assert "key app is a column of the result (agent, app, phone)" in done.err
    done = run("compare", "channel", "models:/channel/1")
    assert "No difference beyond chance" in done.out


@pytest.mark.usefixtures("trained")
def test_explain_writes_numbers_pictures_and_a_page(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riskengine.risk.explain.MOST_PREDICTIONS", 4_000)
    done = run("explain", "models:/visits/1", "--data", "book.parquet", "--out", "why",
               "--pair", "age,smoker", "--key", "member", "--member", "m7")  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert re.search(r"Mean deviance, held out: .* The tables are ", done.out)
    names = {path.name for path in (place / "why").iterdir()}
    assert names == {
        "importance.csv", "partial_dependence.csv", "pairs.csv", "member.csv", "explain.html",
        "charts", "factor_tables",
    }  # fmt: skip
    model = RiskModel.load(place / "trained" / "visits")
    table = pq.read_table(place / "book.parquet")
    member = arrow_csv.read_csv(place / "why" / "member.csv")
    product = np.prod(member["relativity"].to_numpy())
    assert product == pytest.approx(model.predict(table.slice(15, 1))[0], rel=1e-9), "m7's last row"
    assert member["feature"].to_pylist()[:2] == ["base", "age"]
    told = read_factor_tables(place / "why" / "factor_tables")
    base = (place / "why" / "factor_tables" / "base.csv").read_text()
    assert "judged,held out\n" in base
    assert told.agreement > 0.8
    singles = arrow_csv.read_csv(place / "why" / "partial_dependence.csv")
    smoker = singles.filter(np.array([n == "smoker" for n in singles["feature"].to_pylist()]))
    moved = [
        np.average(model.predict(table.set_column(3, "smoker", arrow.array([value] * 1500))),
                   weights=table["years"].to_numpy())
        for value in (False, True)
    ]  # fmt: skip
    np.testing.assert_allclose(smoker["mean"].to_numpy(), moved, rtol=0.05)
    assert smoker["relativity"][1].as_py() > 1.2 > 0.95 > smoker["relativity"][0].as_py()
    charts = {path.name for path in (place / "why" / "charts").iterdir()}
    assert len(charts) == 2 * (1 + 1 + 6 + 1 + 1)
    assert {"03_age_and_smoker.zh.svg", "feature_01_age.en.svg"} <= charts
    page = (place / "why" / "explain.html").read_text()
    for words in ("What drives the model", "费率手册的系数表", "One member: m7", "1,500 rows"):
        assert words in page
    report = (place / "trained" / "visits" / "report.html").read_text()
    for words in ("What drives the model", "How the prediction follows each feature", "held out:"):
        assert words in report


@pytest.mark.usefixtures("trained")
def test_figures_can_be_read_at_80_columns(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console.Console.width", property(lambda _: 80, lambda *_: None))
    done = run("compare", "trained/visits", "flat")
    assert done.code == 0
    assert "…" not in done.out
    assert re.search(r"^ *A/E +1\.000 \(0\.\d{3}, 1\.\d{3}\) +1\.000", done.out, re.M)


def test_a_row_of_four_figures_is_one_line_of_80_columns() -> None:
    from rich.console import Console

    console = Console(width=80, file=io.StringIO())
    table = _table("held out", "model", "glm", "mean")
    table.add_row("deviance", *["39.25 (37.05, 41.79)"] * 3)
    with console.capture() as shown:
        console.print(table)
    row = next(line for line in shown.get().splitlines() if line.startswith("deviance"))
    assert row.count("39.25 (37.05, 41.79)") == 3


@pytest.mark.usefixtures("trained")
def test_compare_says_which_is_better(run: Run) -> None:
    done = run("compare", "trained/visits", "flat")
    assert (done.code, done.err) == (0, "")
    assert "1,500 held-out rows of 750 members; poisson deviance" in done.out
    assert "the first (trained/visits) is better than the second (flat) beyond chance" in done.out
    done = run("compare", "models:/visits/2", "models:/visits/1", "--data", "other.parquet")
    assert done.code == 0
    assert "800 labelled rows of 400 members" in done.out
    assert "the second (models:/visits/1) is better" in done.out


@pytest.mark.usefixtures("trained")
def test_promote_moves_the_alias_only_where_the_gates_hold(
    run: Run, place: Path, settings: Settings
) -> None:
    from riskengine.registry import connect, decisions

    client = connect(settings)

    def champion() -> str | None:
        found = client.get_registered_model("visits").aliases.get("champion")
        return None if found is None else str(found)

    done = run("promote", "visits", "1")
    assert (done.code, done.err) == (0, "")
    assert "there is no champion yet" in done.out
    assert "fairness" in done.out
    assert champion() == "1"
    tags = client.get_model_version("visits", "1").tags
    assert tags["promotion"] == "promoted"
    assert tags["gate.balance"].startswith("passed: all rows: 1.000")
    done = run("promote", "models:/visits/2")
    assert done.code == 1
    assert re.search(r"champion +│ version 1: -0", done.out)
    assert re.search(r"is refused: [a-z, ]*champion.*The champion stays\.", done.out)
    assert champion() == "1"
    done = run("promote", "visits", "2", "--force", " ")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--force needs a reason" in done.err
    done = run("promote", "visits", "2", "--force", "a trial of the override")
    assert done.code == 0
    assert champion() == "2"
    version = client.get_model_version("visits", "2")
    assert version.tags["promotion.reason"] == "a trial of the override"
    kept = decisions(settings, "visits")
    assert [(one["version"], one["champion_before"], one["outcome"]) for one in kept] == [
        (1, None, "promoted"),
        (2, 1, "refused"),
        (2, 1, "promoted by force"),
    ]
    assert kept[-1]["reason"] == "a trial of the override"
    gates = kept[-1]["gates"]
    assert isinstance(gates, list)
    assert {gate["outcome"] for gate in gates} == {"passed", "refused", "not asked"}
    with pytest.raises(UnknownNameError, match=r"no model stays is registered.*visits"):
        decisions(settings, "stays")
    done = run("promote", "visits", "@champion")
    assert "is the champion already" in done.out
    done = run("train", "visits.toml", "--data", "other.parquet", "--no-report", "--out", "third")
    assert "models:/visits/3" in done.out
    done = run("promote", "visits", "3")
    assert done.code == 1
    assert "cannot be" in done.out
    pq.write_table(book(900, 5), place / "fresh.parquet")
    done = run("promote", "visits", "3", "--data", "fresh.parquet")
    assert re.search(r"champion +│ version 2: 0\.", done.out)
    done = run("score", "--model", "models:/visits@champion", "--data", "fresh.parquet",
               "--out", "s.csv")  # fmt: skip
    assert done.code == 0


@pytest.mark.usefixtures("trained")
def test_unknown_levels_and_gaps_are_predicted_for_analysis_and_refused_for_prices(
    run: Run, place: Path
) -> None:
    table = pq.read_table(place / "book.parquet").slice(0, 3)
    strange = table.set_column(5, "region", arrow.array(["mars", "south", "north"]))
    pq.write_table(strange, place / "strange.parquet")
    done = run("score", "--model", "trained/visits", "--data", "strange.parquet", "--out", "y.csv")
    assert (done.code, done.err) == (0, "")
    (place / "price.toml").write_text(
        spec_of(name="price", **{'exposure = "years"': 'exposure = "years"\npurpose = "pricing"'})
    )
    done = run(
        "train",
        "price.toml",
        "--no-report",
        "--data",
        "book.parquet",
        "--out",
        "price",
        "--no-register",
    )
    assert (done.code, done.err) == (0, "")
    assert "Registered" not in done.out
    done = run("score", "--model", "price", "--data", "strange.parquet", "--out", "z.parquet")
    assert done.code == 2
    assert "region has levels the model does not know: mars" in done.err
    assert not list(place.glob("z.parquet*"))


def test_a_constant_column_and_one_row(run: Run, place: Path) -> None:
    (place / "constant.toml").write_text(
        spec_of(name="constant", **{'"smoker", ': '"smoker", "constant", '})
    )
    done = run("train", "constant.toml", "--no-report", "--data", "book.parquet", "--no-register")
    assert (done.code, done.err) == (0, "")
    one = pq.read_table(place / "book.parquet")
    one = one.filter(one["visits"].to_numpy() > 0).slice(0, 1)
    pq.write_table(one, place / "one.parquet")
    done = run("train", "visits.toml", "--data", "one.parquet", "--out", "one")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "member has 1 distinct values, fewer than the 3 that 3 folds need" in done.err


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train no.toml --data book.csv", "cannot read the model spec no.toml: No such"),
        ("train bad.toml --data book.csv", "bad.toml: line 4 [model.kind]"),
        ("train visits.toml --data no.csv", "no.csv is not there"),
        ("train visits.toml --data no.parquet", "no.parquet is not there"),
        ("train visits.toml --data visits.toml", "cannot read visits.toml as Parquet"),
        ("train visits.toml --data bad.csv", "age is '4o' in row 2 of bad.csv"),
        ("train visits.toml --data semicolon.csv", "separate the columns by commas"),
        ("train visits.toml --data gbk.csv", "save it as UTF-8"),
        ("train visits.toml --data twice.csv", "two columns of the name age"),
        ("train visits.toml --data book.csv --fairness-by race", "lacks the columns race"),
        ("train visits.toml --data book.csv --out full", "is not empty and holds no model"),
        ("score --model nowhere --data book.csv --out x.csv", "nowhere holds no readable"),
        ("score --model models:/visits --data book.csv --out x.csv", "names no model"),
        ("score --model models:/visits/99 --data book.csv --out x.csv", "it has versions 1, 2"),
        ("score --model models:/nobody/1 --data book.csv --out x.csv", "there are "),
        ("score --model runs:/abc --data book.csv --out x.csv", "there is no run abc"),
        ("score --model flat --data book.csv --out x.xlsx", "end it in .parquet or .csv"),
        ("score --model flat --data book.csv --out book.csv", "which is the data"),
        ("score --model flat --data bad.csv --out x.csv", "lacks the columns smoker"),
        ("score --model flat --data book.csv --out x.csv --key id", "has no key column id"),
        ("compare flat nothing", "holds no readable risk model"),
        ("explain flat --data book.csv --out x --pair age", "give two features with a comma"),
        ("explain flat --data book.csv --out x --pair age,sex", "age, sex is no feature"),
        ("explain flat --data book.csv --out x --key member", "give both or neither"),
        ("explain flat --data book.csv --out x --key id --member 1", "lacks the columns id"),
        ("explain flat --data book.csv --out x --key member --member x", "no row has member 'x'"),
        ("promote visits", "which version of visits?"),
        ("promote visits 77", "no version 77 of visits is registered"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    run: Run, place: Path, command: str, message: str
) -> None:
    arguments = command.split()
    (place / "bad.toml").write_text(spec_of().replace('"poisson"', '"poison"'))
    header = "member,age,joined,smoker,steps,region,postcode,years,visits\n"
    row = "m1,{},2020-01-31,true,,north,1,1,0\n"
    (place / "bad.csv").write_text(
        "member,age,steps,region,postcode\nm1,40,1,a,1\nm2,4o,1,a,1\n"
        if arguments[0] == "score"
        else header + row.format(40) + row.format("4o")
    )
    (place / "semicolon.csv").write_text(header.replace(",", ";"))
    (place / "gbk.csv").write_bytes((header + row.format(40).replace("north", "北")).encode("gbk"))
    (place / "twice.csv").write_text(header.replace("years", "years,age"))
    (place / "full").mkdir(exist_ok=True)
    (place / "full" / "file").write_text("")
    done = run(*arguments)
    assert done.code == 2
    assert message in done.err.replace("\n", " ")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert not (place / "x.csv").exists()
