"""Chunks priced by this process, or by several that share the cores of the machine.

Chunks are read here, in order, and handed out; a worker prices one and puts it in its place. So the
bytes do not depend on how many workers there are, and memory only on the size of a chunk.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from threading import Thread

from riskengine.batch.book_files import Book, Chunk, Span, quarantine_of
from riskengine.batch.book_totals import BookTotals, totals_of
from riskengine.batch.job_folder import commit_chunk
from riskengine.batch.repriced import Pricing, kernel_of
from riskengine.errors import StoppedError

Numbered = tuple[int, tuple[Span, ...]]
_AHEAD = 2
"""Chunks read before they are needed, by worker."""


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
    """Price `pending` chunks with so many workers; number and totals of each, in their order.

    With one worker this process does it. Raises `StoppedError` when a worker is lost or the disk is
    full, `ReleaseError` when a folder of a release holds another one by now.
    """
    try:
        if min(workers, len(pending)) < 2:
            for number, chunk in book.read(pending):
                yield number, price_chunk(pricing, folder, number, chunk)
        else:
            yield from _with_workers(pricing, book, folder, (pending, workers))
    except BrokenProcessPool as error:
        message = "a worker process was lost: out of memory, perhaps; fewer --workers need less"
        raise StoppedError(message) from error
    except OSError as error:
        message = f"{folder} cannot be written to: {error.strerror or error}"
        raise StoppedError(message) from error


def _with_workers(
    pricing: Pricing, book: Book, folder: Path, what: tuple[Sequence[Numbered], int]
) -> Iterator[tuple[int, BookTotals]]:
    pending, workers = what
    # One process imports the library, the workers are forked from it: threads of this one are not.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["riskengine.batch.chunk_workers"])
    pool = ProcessPoolExecutor(min(workers, len(pending)), context, initializer=_end_with_parent)
    waiting: deque[tuple[int, Future[BookTotals]]] = deque()
    try:
        for number, chunk in book.read(pending):
            waiting.append((number, pool.submit(price_chunk, pricing, folder, number, chunk)))
            if len(waiting) >= _AHEAD * workers:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    with suppress(RuntimeError):
        Thread(target=watch, daemon=True).start()
