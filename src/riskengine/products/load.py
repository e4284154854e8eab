"""Reading catalogues and rate books from their files; nothing is loaded in part.

A catalogue is a folder: `market.yaml`, one `products/<product>.yaml` for each product it lists, and
beside it, for a product with several plans, `<product>.csv` with a row for each plan: its name in
both languages and the terms of benefits in which plans differ, such as `care.deductible`. A term in
braces in a text, `{care.deductible}`, is the plan's own number.
"""

import copy
import csv
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from riskengine.errors import SpecError
from riskengine.products.marked_yaml import Marked, Model, Place, read_marked, validated
from riskengine.products.product import Catalogue, LaxCurrency, Plan
from riskengine.products.rate_book import RateBook
from riskengine.vocabulary import Frozen

_TEXTS = ("name", "summary", "exclusions", "how_to_claim")
_TERM = re.compile(r"\{([^}]*)\}")
_SHARES = ("coinsurance", "share")
_NAMES: dict[str, Place] = {"plan": ("plan",), "name_zh": ("name", "zh"), "name_en": ("name", "en")}


class _Market(Frozen):
    """`market.yaml`: what all products of a market share, and the order they are shown in."""

    market: str
    currency: LaxCurrency
    products: list[str]


def shipped(market: str) -> Path:
    """The folder of a market that ships with the package; raises `SpecError` when there is none."""
    root = Path(str(files("riskengine.products") / "catalogue"))
    if not (root / market / "market.yaml").is_file():
        there = ", ".join(sorted(folder.name for folder in root.iterdir() if folder.is_dir()))
        message = f"no catalogue for market {market!r}; there are {there}"
        raise SpecError(message)
    return root / market


def read_catalogue(folder: Path) -> Catalogue:
    """The catalogue in `folder`, every plan of every product in the order listed.

    Raises `SpecError` naming file, line, value and fix.
    """
    market = read_yaml(folder / "market.yaml", _Market)
    found = {path.stem for path in (folder / "products").glob("*.*")}
    unlisted = sorted(found - set(market.products))
    if unlisted:
        message = (
            f"{folder / 'market.yaml'}: products leaves out {', '.join(unlisted)}, for which there"
            " are files: list them, or move the files away"
        )
        raise SpecError(message)
    plans = [
        plan
        for product in market.products
        for plan in read_product(folder / "products" / f"{product}.yaml")
    ]
    names = [plan.plan for plan in plans]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"{folder}: more than one plan is called {', '.join(twice)}: rename all but one"
        raise SpecError(message)
    _check_products(folder, plans)
    return Catalogue(market=market.market, currency=market.currency, plans=tuple(plans))


def _check_products(folder: Path, plans: list[Plan]) -> None:
    """That products which others name are there, and no product names itself."""
    known = {plan.product for plan in plans}
    for plan in plans:
        for field in ("supersedes", "requires"):
            for at, named in enumerate(getattr(plan.suitability, field)):
                if named not in known - {plan.product}:
                    others = ", ".join(sorted(known - {plan.product})) or "none"
                    marked = read_marked(folder / "products" / f"{plan.product}.yaml")
                    fault = f"={named!r} is no other product of the market: there are {others}"
                    raise marked.fault(("suitability", field, at), fault)


def read_product(path: Path) -> list[Plan]:
    """The plans of one product; a product without a CSV file is one plan of its own name.

    Raises `SpecError` naming file, line, value and fix.
    """
    marked = read_marked(path)
    content = marked.content
    if not isinstance(content, dict) or content.get("product") != path.stem:
        told = content.get("product") if isinstance(content, dict) else content
        fault = f"={told!r}: product and file must agree: write {path.stem}, or rename the file"
        raise marked.fault(("product",), fault)
    variants = path.with_suffix(".csv")
    if not variants.is_file():
        return [_with_terms(marked.with_content({"plan": path.stem, **content}, {}))]
    return [_with_terms(variant) for variant in _variants(marked, variants)]


def _variants(base: Marked, path: Path) -> Iterator[Marked]:
    """The content of the product with the terms of one row each in place."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        columns = next(rows, [])
        at = [_NAMES.get(name) or ("benefits", *name.split(".")) for name in columns]
        absent = [name for name in _NAMES if name not in columns]
        if absent or len(set(columns)) < len(columns):
            message = f"{path}:1: columns {', '.join(columns)}: have " + (
                f"no {absent[0]}: add it" if absent else "one twice: remove it"
            )
            raise SpecError(message)
        row = None
        for row in rows:
            line = f"{path}:{rows.line_num}"
            if len(row) != len(columns):
                message = (
                    f"{line}: {','.join(row)}: {len(row)} values for {len(columns)} columns: write"
                    " one for each"
                )
                raise SpecError(message)
            content = copy.deepcopy(base.content)
            for keys, name, cell in zip(at, columns, row, strict=True):
                _put(content, keys, _value(cell, name, line))
            yield base.with_content(content, dict.fromkeys(at, (path, rows.line_num)))
        if row is None:
            message = f"{path}:1: there is no plan: write a row for each, or remove the file"
            raise SpecError(message)


def _value(cell: str, name: str, line: str) -> str | float | bool | None:
    """A cell read as YAML reads a scalar; `none` for a term that the plan does without."""
    if not cell.strip():
        message = f"{line}: {name} is empty: write its value, or none"
        raise SpecError(message)
    if name in _NAMES or cell == "none":
        return None if cell == "none" else cell
    value: str | float | bool | None = yaml.safe_load(cell)
    return value


def _put(content: Any, keys: Place, value: object) -> None:
    """Set the value under `keys`; a step that is not there is left to the check of the whole."""
    *parents, last = keys
    for key in parents:
        content = content.setdefault(key, {})
        if not isinstance(content, dict):
            return
    content[last] = value


def _with_terms(marked: Marked) -> Plan:
    """The plan, with its own numbers for the terms that its texts name in braces."""
    plan = validated(marked, Plan)
    dumped = plan.model_dump()
    for field in _TEXTS:
        for language, text in dumped[field].items():
            for term in _TERM.findall(text):
                written = _written(plan, term)
                if written is None:
                    fault = f": plan {plan.plan} has no number {{{term}}}: correct the term"
                    raise marked.fault((field, language), fault)
                text = text.replace(f"{{{term}}}", written)
            dumped[field][language] = text
    return Plan.model_validate(dumped)


def _written(plan: Plan, term: str) -> str | None:
    benefit, *keys = term.split(".")
    value: Any = plan.benefits[benefit].model_dump() if benefit in plan.benefits else None
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return f"{value:.0%}" if keys[-1] in _SHARES else f"{value:,.10g}"


def read_rate_book(folder: Path) -> RateBook:
    """The rate book in `folder` (`rate_book.yaml`); raises `SpecError` as `read_catalogue` does."""
    return read_yaml(folder / "rate_book.yaml", RateBook)


def read_yaml(path: Path, model: type[Model]) -> Model:
    """One YAML file as a `model`; raises `SpecError` naming file, line, value and fault."""
    return validated(read_marked(path), model)
