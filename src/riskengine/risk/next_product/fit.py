"""Fitting a model of the next product: leave one out, blended and calibrated out-of-fold.

Every owned product is hidden in turn and asked for. What is chosen, the number of rounds and the
shares of logistic and trees, is chosen on customers that were held out; one refit on all customers
serves, as the mean of a few boosters.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from riskengine.risk.fit import digest_of
from riskengine.risk.model import Trained
from riskengine.risk.next_product.book import Book, book_of
from riskengine.risk.next_product.cold_start import fit_owners, prevalence
from riskengine.risk.next_product.held_out import HeldOut, hold_out, tree_parameters
from riskengine.risk.next_product.logit import mean_logit
from riskengine.risk.next_product.model import ColdStart, Learnt, NextProductModel
from riskengine.risk.next_product.thin import fit_thin
from riskengine.risk.spec import ModelSpec
from riskengine.risk.trees import grow_once
from riskengine.vocabulary import Columns

SEEDS = 2
"""Boosters that serve as their mean, where the spec gives no number."""


def fit_next_product(
    spec: ModelSpec, columns: Columns, say: Callable[[str], None]
) -> NextProductModel:
    """Fit `spec` to the columns that `riskengine.risk.columns.training_columns` reads.

    Raises `TableError` where there is too little to learn from.
    """
    book = book_of(spec, columns)
    say("fitting each fold without its customers")
    held_out = hold_out(book)
    say("refitting on all customers")
    return NextProductModel(
        spec=spec,
        parts=(),
        classes=spec.model.products,
        trained=_trained(held_out, digest_of(spec, columns)),
        learnt=_refit(book, held_out),
        held_out=held_out,
    )


def _refit(book: Book, held_out: HeldOut) -> Learnt:
    everything = np.arange(len(book.hidden.place))
    first = book.spec.lightgbm.seed
    given = "seeds" in book.spec.bagging.model_fields_set
    seeds = range(first, first + (book.spec.bagging.seeds if given else SEEDS))
    logit = book.logit(everything, mean_logit(held_out.logits))

    def booster(seed: int) -> str:
        sample = book.sample(everything, logit, seed)
        settings = tree_parameters(book, seed)
        grown = grow_once(settings, sample, book.layout, held_out.rounds[0])
        return str(grown.model_to_string())

    with ThreadPoolExecutor(max_workers=2) as workers:
        growing = workers.map(booster, seeds)
        cold = workers.submit(fit_owners, book.owners, held_out.rounds[1], first).result()
        boosters = tuple(growing)
    return Learnt(
        design=book.design,
        logit=logit,
        boosters=boosters,
        pool=held_out.pool,
        thin=fit_thin(book.flags, book.codes, book.sizes, held_out.full),
        cold=ColdStart(prevalence(book.flags), cold.model_to_string()),
    )


def _trained(held_out: HeldOut, digest: str) -> Trained:
    book = held_out.book
    hidden = book.hidden
    linear, trees = held_out.pool.shares.tolist()
    return Trained(
        actual=hidden.place.astype(np.float64),
        weight=hidden.weight,
        expected=held_out.chances,
        member=book.member[hidden.customer],
        fold=book.fold_of_rows,
        digest=digest,
        rounds=held_out.rounds,
        shares=({"logistic": linear, "trees": trees},),
    )
