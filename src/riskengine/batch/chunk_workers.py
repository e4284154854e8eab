"""Chunks priced by this process, alone or with others that share the cores of the machine.

Whoever is free takes a run of neighbouring chunks, reads them, prices them and puts each in its
place. So no policy passes from process to process, the bytes do not depend on how many workers
there are, and memory only on the size of a chunk. This process is one of them.

The others are forked from this process, which has read the release; where it has threads, from a
server that has none.
"""

import gc
import multiprocessing
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

from riskengine.batch.book_files import Book, Chunk, Span, quarantine_of
from riskengine.batch.book_totals import BookTotals, totals_of
from riskengine.batch.job_folder import commit_chunk
from riskengine.batch.repriced import Pricing, kernel_of
from riskengine.errors import StoppedError
from riskengine.risk.scoring import Scorer, choose_scorer, chosen_scorer

Numbered = tuple[int, tuple[Span, ...]]
_SHARE, _LONGEST = 2, 10
"""A run is this part of a worker's share of what is left, and at most so many chunks."""
_WORTH = 8
"""Chunks for which a process that has to import the library first is worth its beginning."""
_WARM_ROWS = 500


def price_chunk(pricing: Pricing, folder: Path, number: int, chunk: Chunk) -> BookTotals:
    """Price one chunk and put it in its place in the folder; its totals."""
    kernel = kernel_of(pricing)
    found = kernel.price(chunk.policies)
    lost = sum(one.rows for one in chunk.lost)
    totals = totals_of(found.table, pricing.as_of, list(found.reasons.values()), lost)
    aside = quarantine_of(chunk, found.reasons)
    commit_chunk(folder, number, found.table, aside, totals)
    return totals


def price_chunks(
    pricing: Pricing, book: Book, folder: Path, pending: Sequence[Numbered], workers: int
) -> Iterator[tuple[int, BookTotals]]:
    """Price `pending` chunks with so many workers; number and totals of each as they are done.

    With one worker this process does it. Raises `StoppedError` when a worker is lost or the disk is
    full, `ReleaseError` when a folder of a release holds another one by now.
    """
    try:
        workers = min(workers, len(pending) if _forks() or len(pending) >= _WORTH else 1)
        if workers < 2:
            yield from _price_run(pricing, book, folder, pending)
        else:
            if _forks():
                _warm(pricing, book, pending)
            yield from _with_workers(pricing, book, folder, (pending, workers))
    except BrokenProcessPool as error:
        message = "a worker process was lost: out of memory, perhaps; fewer --workers need less"
        raise StoppedError(message) from error
    except OSError as error:
        message = f"{folder} cannot be written to: {error.strerror or error}"
        raise StoppedError(message) from error


def _price_run(
    pricing: Pricing, book: Book, folder: Path, run: Sequence[Numbered]
) -> Iterator[tuple[int, BookTotals]]:
    # Texts of a chunk are many objects: what was there before need not be looked through with them.
    gc.freeze()
    try:
        for number, chunk in book.read(run):
            yield number, price_chunk(pricing, folder, number, chunk)
    finally:
        gc.unfreeze()


def _priced_run(
    pricing: Pricing, book: Book, folder: Path, run: Sequence[Numbered]
) -> list[tuple[int, BookTotals]]:
    return list(_price_run(pricing, book, folder, run))


def _with_workers(
    pricing: Pricing, book: Book, folder: Path, what: tuple[Sequence[Numbered], int]
) -> Iterator[tuple[int, BookTotals]]:
    pending, workers = what
    left, given = list(pending), set[Future[list[tuple[int, BookTotals]]]]()
    pool = _pool(workers - 1)
    try:
        while left or given:
            # A run more than each is at, so that nobody waits for this process to end its own.
            while len(left) > 1 and len(given) < (2 if len(left) > _LONGEST else 1) * (workers - 1):
                run = _next_run(left, workers)
                given.add(pool.submit(_priced_run, pricing, book, folder, run))
            if left:
                yield from _price_run(pricing, book, folder, _next_run(left, workers))
            done, given = wait(given, 0 if left else None, FIRST_COMPLETED)
            for one in done:
                yield from one.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _forks() -> bool:
    """Whether a fork of this process is safe: no other thread of Python can hold a lock in it."""
    return threading.active_count() == 1


def _pool(processes: int) -> ProcessPoolExecutor:
    begin = (_begin, (chosen_scorer(),))
    if _forks():
        pool = ProcessPoolExecutor(processes, multiprocessing.get_context("fork"), *begin)
        with warnings.catch_warnings():
            # Of the threads of libraries, which wait and are made anew by them after a fork.
            warnings.filterwarnings("ignore", "This process .* multi-threaded", DeprecationWarning)
            pool.submit(os.getpid)  # the first one forks them all, before the pool has a thread
        return pool
    # One process imports the library, the others are forked from it: threads of this one are not.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["riskengine.batch.chunk_workers"])
    return ProcessPoolExecutor(processes, context, *begin)


def _warm(pricing: Pricing, book: Book, pending: Sequence[Numbered]) -> None:
    """Read what pricing reads once, so that a fork has it."""
    for _, chunk in book.read(pending[:1]):
        kernel_of(pricing).price(chunk.policies.slice(0, _WARM_ROWS))


def _next_run(left: list[Numbered], workers: int) -> list[Numbered]:
    """Take chunks off `left`: shorter runs toward the end, so that all workers end together."""
    size = min(_LONGEST, max(1, len(left) // (_SHARE * workers)))
    # Who begins within a row group decodes it from its start on: end with one where it is near.
    ends = (end for end in range(size, len(left)) if not left[end][1][0].start)
    end = next(ends, len(left))
    size = end if end <= _LONGEST else size
    run = left[:size]
    del left[:size]
    return run


def _begin(scorer: Scorer) -> None:
    """A worker scores as its parent does, and ends with it: else it would wait for ever."""
    choose_scorer(scorer)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    with suppress(RuntimeError):
        threading.Thread(target=watch, daemon=True).start()
