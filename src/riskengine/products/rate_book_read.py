"""Reading the rate book of a market: its rules of law, its editions, its factor tables.

In the folder of a market, `rate_book_rules.yaml` says what the law lets rate, each
`rate_book_<year>.yaml` is one edition, and the tables it names are CSV files beside it. All is
checked before anything is used; a fault names file, line, value and what to do.
"""

import csv
import io
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from riskengine.errors import SpecError
from riskengine.products.marked_yaml import Marked, Place, read_marked, validated
from riskengine.products.rate_book_edition import (
    Edition,
    Editions,
    FamilyDiscount,
    Share,
    numbers_in,
)
from riskengine.products.rate_book_law import Law, check_answers, check_limits, check_rules
from riskengine.products.underwriting import Underwriting

_BANDS, _LEVELS = ("from", "to", "relativity"), ("level", "relativity")
_OPTIONAL_SHARES = {Share.EXCHANGE_USER_FEE}
_RULES, _EDITIONS = "rate_book_rules.yaml", "rate_book_[0-9]*.yaml"


def read_editions(folder: Path) -> Editions:
    """The rate book of the market in `folder`.

    Raises `SpecError` for: a file that is no rate book; two editions of one name; dates that
    overlap or leave a gap; a factor table with a missing level or band; a factor or adjustment
    that the market forbids; a limit of its law that an edition lacks or oversteps; a number not yet
    in force; loadings that leave too little for claims.
    """
    law = validated(read_marked(folder / _RULES), Law)
    read = [_read_edition(path, law) for path in sorted(folder.glob(_EDITIONS))]
    if not read:
        message = f"{folder} has no edition of a rate book: add rate_book_<year>.yaml"
        raise SpecError(message)
    read.sort(key=lambda one: one[1].effective_from)
    for (_, before), (marked, after) in pairwise(read):
        _check_dates(before, marked, after)
    editions = tuple(edition for _, edition in read)
    return Editions(market=law.market, rules=law.rules, editions=editions)


def _read_edition(path: Path, law: Law) -> tuple[Marked, Edition]:
    marked = _with_tables(read_marked(path))
    edition = validated(marked, Edition)
    if edition.market != law.market:
        message = f"={edition.market} but the rules beside it are for {law.market}: mend one"
        raise marked.fault(("market",), message)
    check_rules(marked, edition, law)
    check_limits(marked, edition, law)
    _check_numbers(marked, edition)
    _check_loadings(marked, edition)
    _check_bounds(marked, edition)
    return marked, edition


def _with_tables(marked: Marked) -> Marked:
    """The edition with the rows of each factor's CSV in the place of the file's name."""
    lines: dict[Place, tuple[Path, int]] = {}
    tariffs = []
    for at, tariff in _parts(marked.content, "tariffs"):
        factors = [
            _with_rows(marked, factor, ("tariffs", at, "factors", position), lines)
            for position, factor in _parts(tariff, "factors")
        ]
        tariffs.append({**tariff, "factors": factors} if isinstance(tariff, dict) else tariff)
    content = marked.content
    if isinstance(content, dict) and tariffs:
        content = {**content, "tariffs": tariffs}
    return marked.with_content(content, lines)


def _parts(content: object, name: str) -> list[tuple[int, object]]:
    """The items of a list in unchecked content; what is no list is left to the validation."""
    items = content.get(name) if isinstance(content, dict) else None
    return list(enumerate(items)) if isinstance(items, list) else []


def _with_rows(
    marked: Marked, factor: object, place: Place, lines: dict[Place, tuple[Path, int]]
) -> dict[str, object]:
    if not isinstance(factor, dict) or not isinstance(factor.get("table"), str):
        raise marked.fault(place, " names no table: add `table: <file>.csv`")
    path = marked.path.parent / factor["table"]
    if not path.is_file():
        raise marked.fault((*place, "table"), f"={factor['table']}: there is no such file")
    rows = _read_rows(path, factor.get("levels") is None, (*place, "rows"), lines)
    return {**{key: value for key, value in factor.items() if key != "table"}, "rows": rows}


def _read_rows(
    path: Path, banded: bool, place: Place, lines: dict[Place, tuple[Path, int]]
) -> list[dict[str, object]]:
    """The rows of a CSV file; `lines` learns where each of them stands."""
    head = _BANDS if banded else _LEVELS
    rows: list[dict[str, object]] = []
    lines[place] = (path, 1)
    try:
        reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
        found = tuple(next(reader, ()))
    except UnicodeDecodeError as error:
        message = f"{path} is not in UTF-8: save it so ({error})"
        raise SpecError(message) from error
    if found != head:
        message = f"{path}:1: columns are {', '.join(found)}: make them {', '.join(head)}"
        raise SpecError(message)
    for cells in reader:
        lines[(*place, len(rows))] = (path, reader.line_num)
        rows.append(_row(cells, banded, f"{path}:{reader.line_num}"))
    return rows


def _row(cells: list[str], banded: bool, where: str) -> dict[str, object]:
    try:
        if not banded:
            level, relativity = cells
            return {"level": level, "relativity": float(relativity)}
        low, high, relativity = cells
        last = int(high) if high else None
        return {"low": int(low), "high": last, "relativity": float(relativity)}
    except ValueError as error:
        message = (
            f"{where}: {','.join(cells)} is no row: from and to are whole numbers (to is empty for"
            " no end), relativity is a number, and there is no other column"
        )
        raise SpecError(message) from error


def _check_dates(before: Edition, marked: Marked, after: Edition) -> None:
    if before.edition == after.edition:
        message = f"={after.edition}: two editions have that name, rename one"
        raise marked.fault(("edition",), message)
    last_wanted = after.effective_from - timedelta(days=1)
    if before.effective_to == last_wanted:
        return
    open_end = before.effective_to is None or before.effective_to > last_wanted
    fault = "overlaps" if open_end else "leaves a gap after"
    ends = "is without end" if before.effective_to is None else f"ends {before.effective_to}"
    message = (
        f"={after.effective_from} {fault} edition {before.edition}, which {ends}: end that one on"
        f" {last_wanted}, or begin this one the day after it ends"
    )
    raise marked.fault(("effective_from",), message)


def _check_numbers(marked: Marked, edition: Edition) -> None:
    for place, number in numbers_in(edition):
        if number.effective_from > edition.effective_from:
            message = (
                f" is in force from {number.effective_from} only, but the edition begins"
                f" {edition.effective_from}: give the value in force then"
            )
            raise marked.fault((*place, "effective_from"), message)


def _check_loadings(marked: Marked, edition: Edition) -> None:
    absent = [s.value for s in Share if s not in edition.shares and s not in _OPTIONAL_SHARES]
    if absent:
        message = f" lacks {', '.join(absent)}: add each, with value 0 where there is none"
        raise marked.fault(("shares",), message)
    left = edition.permissible_loss_ratio
    if left <= 0:
        message = f" add up to {1 - left:g}, which leaves nothing for claims: keep them below 1"
        raise marked.fault(("shares",), message)
    least = edition.minimum_loss_ratio
    levies = (Share.PREMIUM_TAX, Share.EXCHANGE_USER_FEE)
    taken = sum(edition.shares[s].value for s in levies if s in edition.shares)
    if least is not None and left / (1 - taken) < least.value - 1e-12:
        message = (
            f" leave {left / (1 - taken):.4f} of the premium after tax and fees for claims, less"
            f" than the {least.value:g} of {least.reference}: lower an expense or a margin"
        )
        raise marked.fault(("shares",), message)


def _check_bounds(marked: Marked, edition: Edition) -> None:
    """Bounds in order, and the family discount within those of discount `family`."""
    bounds = {one.discount: one for one in edition.discounts}
    for at, one in enumerate(edition.discounts):
        if one.minimum.value > one.maximum.value:
            message = f" is above maximum {one.maximum.value:g}: swap them"
            raise marked.fault(("discounts", at, "minimum"), message)
    household = edition.household
    if not isinstance(household, FamilyDiscount):
        return
    if "family" not in bounds:
        message = " needs bounds: add a discount named family under `discounts`"
        raise marked.fault(("household",), message)
    sizes = [step.members for step in household.steps]
    if sizes != sorted(set(sizes)):
        message = f" are for {sizes} members: list each size once, rising"
        raise marked.fault(("household", "steps"), message)
    low, high = bounds["family"].minimum.value, bounds["family"].maximum.value
    for at, step in enumerate(household.steps):
        if not low <= step.share.value <= high:
            message = f"={step.share.value:g} is outside the bounds {low:g} to {high:g} of `family`"
            raise marked.fault(("household", "steps", at, "share", "value"), f"{message}: mend it")


def read_underwriting(folder: Path, editions: Editions) -> Underwriting:
    """The underwriting rules in `folder` (`underwriting.yaml`), to be priced with `editions`.

    Raises `SpecError` for a file that is no set of rules, two rules of one name, an answer that the
    market forbids to rate, and a loading above what an edition allows.
    """
    marked = read_marked(folder / "underwriting.yaml")
    found = validated(marked, Underwriting)
    if found.market != editions.market:
        message = f"={found.market} but the rate book is for {editions.market}: mend one"
        raise marked.fault(("market",), message)
    strictest = min(editions.editions, key=lambda edition: edition.most_loading)
    most = strictest.most_loading
    check_answers(marked, found, editions)
    _check_conditions(marked, found)
    seen: set[str] = set()
    for at, rule in enumerate(found.rules):
        if rule.rule in seen:
            raise marked.fault(("rules", at, "rule"), f"={rule.rule} is there twice: rename one")
        seen.add(rule.rule)
        if rule.loading is not None and rule.loading.value > most:
            message = (
                f"={rule.loading.value:g} is above the {most:g} that edition {strictest.edition}"
                " allows: lower it, or refer or decline instead"
            )
            raise marked.fault(("rules", at, "loading", "value"), message)
    return found


def _check_conditions(marked: Marked, underwriting: Underwriting) -> None:
    """Raise `SpecError` for a condition on no listed answer, or on a level it cannot have."""
    answers = {answer.field: answer for answer in underwriting.answers}
    for at, rule in enumerate(underwriting.rules):
        for position, test in enumerate(rule.when):
            place: Place = ("rules", at, "when", position)
            answer = answers.get(test.field)
            if answer is None:
                message = f"={test.field} is not under `answers`: list it there, or mend its name"
                raise marked.fault((*place, "field"), message)
            if (test.one_of is None) != (answer.levels is None):
                wanted = "at_least or below" if answer.levels is None else "one_of"
                raise marked.fault(place, f": {test.field} is {answer.allowed}: use {wanted}")
            strange = set(test.one_of or ()) - set(answer.levels or ())
            if strange:
                message = f": {test.field} is never {', '.join(sorted(strange))}: mend or list it"
                raise marked.fault((*place, "one_of"), message)
