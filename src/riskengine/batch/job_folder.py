"""The folder of a job: what it is of, which chunks are done, and one writer at a time.

A chunk is there in full or not at all: it is written beside its place, brought to the disk, and
moved. Its totals lie in the file's own metadata, so that one move commits both; rows set aside are
written before. `job.json` says what the chunks are of, and nothing else may go on with them.
"""

import fcntl
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as arrow
import pyarrow.parquet as pq

from riskengine.batch.book_totals import BookTotals
from riskengine.errors import InputError, LockedError
from riskengine.tables import is_text

PRICED, QUARANTINE = "repriced", "quarantine"
JOB_FILE, LOCK_FILE, SUMMARY_FILE = "job.json", ".lock", "summary.json"
_LAST_WORDS = 1.0
"""Seconds that a lock is waited for."""
_TOTALS = b"riskengine.totals"
Identity = Mapping[str, str | int | float | list[str] | None]
"""What a job is of; a job goes on only with what is equal in all of it."""


def part_name(number: int) -> str:
    """The file of a chunk.

    >>> part_name(7)
    'part-000007.parquet'
    """
    return f"part-{number:06d}.parquet"


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the folder, made where needed; raises `LockedError` while another run does.

    The lock is the system's own, so that of a dead process is none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("a+", encoding="utf-8") as file:
        if not _locked(file):
            file.seek(0)
            who = file.read().strip() or "unknown"
            message = (
                f"another run is writing to {folder}: {who}. Wait for it, or give another --out"
            )
            raise LockedError(message)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def _locked(file: IO[str]) -> bool:
    """Whether the file could be locked, soon: workers of a run that was killed end in no time."""
    until = time.monotonic() + _LAST_WORDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        else:
            return True


def begin(folder: Path, identity: Identity, *, resume: bool) -> dict[int, BookTotals]:
    """Make the folder ready for a job; the totals of the chunks that are done, by number.

    Without `resume` a finished job is replaced; one that is not finished is refused, as is a folder
    that holds something else. With `resume` the chunks stay, if they are of the same job: raises
    `InputError` naming what differs.
    """
    known = _read_json(folder / JOB_FILE)
    there = [name for name in (PRICED, QUARANTINE) if (folder / name).exists()]
    if known is None and there:
        message = f"{folder / there[0]} is not of a job of ours: give another --out"
        raise InputError(message)
    if known is not None and resume:
        _check_same(folder, known, identity)
    elif known is not None:
        if not (folder / SUMMARY_FILE).is_file():
            message = (
                f"{folder} holds a job that is not finished: go on with it by --resume, or remove"
                " the folder"
            )
            raise InputError(message)
        # What says that the job is done goes first, so that half of it is never taken for all.
        for name in (SUMMARY_FILE, JOB_FILE):
            (folder / name).unlink()
        for name in there:
            shutil.rmtree(folder / name)
    for name in (PRICED, QUARANTINE):
        (folder / name).mkdir(exist_ok=True)
    clear_half_written(folder)
    write_text(folder / JOB_FILE, json.dumps(dict(identity), indent=1) + "\n")
    return dict(sorted(_done(folder)))


def clear_half_written(folder: Path) -> None:
    """Remove what processes that were killed, on any machine, had begun to write."""
    for within in (folder / PRICED, folder / QUARANTINE, folder):
        for half_written in within.glob(".*.*.*"):
            half_written.unlink(missing_ok=True)


def commit_chunk(
    folder: Path, number: int, priced: arrow.Table, quarantined: arrow.Table, totals: BookTotals
) -> None:
    """Put a chunk in its place, the rows set aside first; raises `OSError` as the disk does."""
    aside = folder / QUARANTINE / part_name(number)
    if quarantined.num_rows:
        _write_table(quarantined, aside)
    else:
        aside.unlink(missing_ok=True)
    metadata = {_TOTALS: totals.to_json().encode("utf-8")}
    _write_table(priced.replace_schema_metadata(metadata), folder / PRICED / part_name(number))


def write_text(path: Path, text: str) -> None:
    """Write a text file in full or not at all."""
    beside = _beside(path)
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    _move(beside, path)


def _beside(path: Path) -> Path:
    """Where this process, of all that share the folder, writes a file before it is moved."""
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")


def _write_table(table: arrow.Table, path: Path) -> None:
    beside = _beside(path)
    # A dictionary of numbers or of keys is tried for nothing.
    repeated = [f.name for f in table.schema if is_text(f.type) and not f.name.endswith("_id")]
    try:
        with beside.open("wb") as file:
            pq.write_table(
                table, file, compression="zstd", compression_level=1, use_dictionary=repeated
            )
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    _move(beside, path)


def _move(beside: Path, path: Path) -> None:
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_same(folder: Path, known: Identity, identity: Identity) -> None:
    differing = [
        f"{name} was {known.get(name)}, not {identity.get(name)}"
        for name in dict.fromkeys([*known, *identity])
        if known.get(name) != identity.get(name)
    ]
    if differing:
        message = (
            f"{folder} holds another job: {'; '.join(differing)}. Give the same again, or another"
            " --out"
        )
        raise InputError(message)


def chunk_totals(folder: Path, number: int) -> BookTotals | None:
    """The totals of a chunk that is done; None for one that is not."""
    try:
        metadata = pq.read_schema(folder / PRICED / part_name(number)).metadata or {}
    except FileNotFoundError:
        return None
    return BookTotals.from_json(metadata[_TOTALS])


def _done(folder: Path) -> Iterator[tuple[int, BookTotals]]:
    for path in (folder / PRICED).glob("part-*.parquet"):
        number = int(path.stem.removeprefix("part-"))
        totals = chunk_totals(folder, number)
        if totals is not None:
            yield number, totals


def _read_json(path: Path) -> Identity | None:
    try:
        found: Identity = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found
