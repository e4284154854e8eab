"""Profiles in the store: what was published last is what is served."""

from datetime import date
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as pq
import pytest

from riskengine.errors import InputError, StoreError, TableError, UnknownMemberError
from riskengine.store import ProfileStore, StoredProfile


def profiles(path: Path, rows: list[tuple[str, date, float | None, str | None]]) -> Path:
    names = ["member_id", "as_of", "age", "sex"]
    types = [arrow.string(), arrow.date32(), arrow.float64(), arrow.string()]
    columns = zip(*rows, strict=True)
    arrays = [arrow.array(c, t) for c, t in zip(columns, types, strict=True)]
    pq.write_table(arrow.table(arrays, names), path)
    return path


def test_the_latest_profile_is_served_whatever_the_order(url: str, tmp_path: Path) -> None:
    rows = [
        ("a", date(2026, 1, 1), 41.5, "female"),
        ("a", date(2025, 1, 1), 40.5, "female"),
        ("李", date(2025, 1, 1), None, "male"),
    ]
    with ProfileStore(url) as store:
        assert store.publish(profiles(tmp_path / "p.parquet", rows)) == 3
        latest = StoredProfile("a", date(2026, 1, 1), {"age": 41.5, "sex": "female"})
        assert store.profile("a") == latest
        assert store.profile("李").features == {"sex": "male"}
        older = [("a", date(2025, 7, 1), 41.0, None), ("李", date(2025, 2, 1), 7.0, "male")]
        store.publish(profiles(tmp_path / "p.parquet", older))
        assert store.profile("a") == latest
        assert store.profile("李").features == {"age": 7.0, "sex": "male"}
        store.publish(profiles(tmp_path / "p.parquet", [("a", date(2026, 1, 1), 41.6, None)]))
        assert store.profile("a").features == {"age": 41.6}
    with ProfileStore(url) as again:
        assert again.profile("a").features == {"age": 41.6}


def test_a_member_without_a_profile_is_unknown(tmp_path: Path) -> None:
    with ProfileStore(f"sqlite:///{tmp_path}/store.db") as store:
        with pytest.raises(UnknownMemberError, match="no profile of member 'b'"):
            store.profile("b")
        store.publish(profiles(tmp_path / "p.parquet", [("a", date(2026, 1, 1), 1.0, "male")]))
        with pytest.raises(UnknownMemberError, match="no profile of member 'b'"):
            store.profile("b")


def test_what_is_no_store_or_no_profiles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"cannot use the store: Could not parse .* give sqlite:///"
    ):
        ProfileStore("nowhere")
    with pytest.raises(InputError, match="cannot use the store: Can't load plugin") as told:
        ProfileStore("foo://somebody:secret@there/base")
    assert "secret" not in str(told.value)
    (tmp_path / "text.db").write_text("this is no database, and long enough to be seen as none")
    with (
        ProfileStore(f"sqlite:///{tmp_path}/text.db") as store,
        pytest.raises(StoreError, match="the store cannot be used"),
    ):
        store.profile("a")
    pq.write_table(arrow.table({"member_id": ["a"]}), tmp_path / "p.parquet")
    with (
        ProfileStore(f"sqlite:///{tmp_path}/store.db") as store,
        pytest.raises(TableError, match="holds no profiles: it needs member_id and as_of"),
    ):
        store.publish(tmp_path / "p.parquet")
    for path, said in (
        (tmp_path / "text.db", r"cannot read .*text\.db as Parquet: Parquet magic bytes not found"),
        (tmp_path / "no.parquet", r"no\.parquet is not there: give a Parquet file, or a folder"),
        (tmp_path / "empty", "holds no Parquet files"),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with (
            ProfileStore(f"sqlite:///{tmp_path}/store.db") as store,
            pytest.raises(TableError, match=said),
        ):
            store.publish(path)


def test_a_folder_of_parts_is_published_as_one_file_would_be(tmp_path: Path) -> None:
    folder = tmp_path / "spark"
    folder.mkdir()
    (folder / "_SUCCESS").touch()
    profiles(folder / "part-0.parquet", [("a", date(2026, 1, 1), 41.5, "female")])
    profiles(folder / "part-1.parquet", [("b", date(2026, 1, 1), 7.0, "male")])
    with ProfileStore(f"sqlite:///{tmp_path}/store.db") as store:
        assert store.publish(folder) == 2
        assert store.profile("b").features == {"age": 7.0, "sex": "male"}
