"""A book in a database is repriced as it is in a file, and a job goes on with what was read."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from riskengine.cli import main
from riskengine.errors import TableError
from riskengine.sources.snapshot import snapshot
from tests.batch.books import book_of
from tests.golden.market_releases import kept_release, market_release


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A database of 300 policies of `us_aca`, a third without an expiring premium."""
    policies = book_of(market_release("us_aca"), 300).to_pandas()
    policies.loc[policies.index < 100, "expiring_premium"] = None
    url = f"sqlite:///{tmp_path}/book.db"
    policies.to_sql("policies", sa.create_engine(url), index=False)
    policies.sort_values("policy_id").to_parquet(tmp_path / "book.parquet", index=False)
    return url


def test_types_fit_all_parts(database: str, tmp_path: Path) -> None:
    path = tmp_path / "read.parquet"
    query = "SELECT * FROM policies ORDER BY expiring_premium IS NOT NULL, policy_id"
    assert snapshot(database, query, path, rows=50) == 300
    assert pq.read_schema(path).field("expiring_premium").type == "double"
    nulls = [
        pq.read_table(file)["expiring_premium"].null_count
        for file in (path, tmp_path / "book.parquet")
    ]
    assert nulls[0] == nulls[1] >= 100
    assert [one.name for one in tmp_path.iterdir() if one.is_dir()] == []


@pytest.mark.parametrize(
    ("url", "query", "told"),
    [
        ("sqlite:///none.db", "SELECT 1", "names no file"),
        (None, "SELECT * FROM policy", "no such table: policy"),
        (None, "SELECT * FROM policies WHERE 1 = 0", "gives no row"),
        (None, "SELECT 'soon' AS effective_from", "is a text that is no date"),
        ("oddsql://u:secret@h/d", "SELECT 1", "cannot read the database"),
    ],
)
def test_what_cannot_be_read_is_told(
    database: str, tmp_path: Path, url: str | None, query: str, told: str
) -> None:
    with pytest.raises(TableError, match=told) as error:
        snapshot(url or database, query, tmp_path / "read.parquet")
    assert "secret" not in str(error.value)
    assert not (tmp_path / "read.parquet").exists()


def test_the_price_is_that_of_the_file(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RISKENGINE_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")

    def run(portfolio: str, out: str, *more: str) -> str:
        folder = str(kept_release("us_aca"))
        words = ("--portfolio", portfolio, "--out", str(tmp_path / out), "--release", folder)
        command = ["riskengine", "reprice", *words, "--as-of", "2026-07-01", "--workers", "1"]
        monkeypatch.setattr("sys.argv", [*command, *more])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code in (0, None)
        return capsys.readouterr().out

    assert "300 policies read into" in run(database, "a")
    run(str(tmp_path / "book.parquet"), "b")
    one, two = (pq.read_table(tmp_path / out / "repriced").to_pylist() for out in ("a", "b"))
    assert one == two
    # The database has changed since; a job that goes on does not see that.
    with sa.create_engine(database).begin() as connection:
        connection.execute(sa.text("DELETE FROM policies"))
    assert "as it was read" in run(database, "a", "--resume")
