"""Contracts as Frictionless Table Schemas, the files of `data/schemas` that others read.

Generated, never edited: titles, descriptions in both languages, units, levels and keys come from
`riskengine.contracts`.
"""

import re
from inspect import cleandoc
from typing import Any

from riskengine.contracts import CONTRACTS, Contract
from riskengine.errors import TableError
from riskengine.tables import FOREIGN_KEYS, PRIMARY_KEYS, TITLES
from riskengine.vocabulary import Text

_TYPES = {"str": "string", "string[pyarrow]": "string", "float64": "number", "date": "date"}
_CONSTRAINTS = {
    "greater_than_or_equal_to": "minimum",
    "less_than_or_equal_to": "maximum",
    "greater_than": "exclusiveMinimum",
    "isin": "enum",
    "str_matches": "pattern",
}


def table_schema(name: str) -> dict[str, Any]:
    """The Frictionless Table Schema of one contract, ready to be written as JSON.

    Raises `TableError` for a table that has no contract.
    """
    if name not in CONTRACTS:
        message = f"no contract for table {name!r}; there are {', '.join(CONTRACTS)}"
        raise TableError(message)
    schema = CONTRACTS[name].to_schema()
    words, about = _words(CONTRACTS[name])
    references = [
        {"fields": [column], "reference": {"resource": other, "fields": [PRIMARY_KEYS[other]]}}
        for column, other in FOREIGN_KEYS.get(name, {}).items()
    ]
    return {
        "$schema": "https://datapackage.org/profiles/2.0/tableschema.json",
        "name": name,
        "title": TITLES[name].en,
        "title_zh": TITLES[name].zh,
        "description": words.en,
        "description_zh": words.zh,
        "fields": [_field(column, about.get(column.name)) for column in schema.columns.values()],
        "primaryKey": [PRIMARY_KEYS[name]] if name in PRIMARY_KEYS else [],
        "foreignKeys": references,
        "rules": [check.name for check in schema.checks],
    }


def _words(contract: type[Contract]) -> tuple[Text, dict[str, Text]]:
    """What the docstring of a contract says of the table and, by name, of its columns."""
    table, _, columns = cleandoc(contract.__doc__ or "").partition("\n\n")
    en, zh = table.split("\n")
    columns = f"{cleandoc(Contract.__doc__ or '')}\n{columns}"
    told = re.findall(r"^(\w+): (.+(?:\n .+)*)\n\1：(.+(?:\n .+)*)$", columns, re.M)
    about = {
        name: Text(zh=re.sub(r"\n +", "", said_zh), en=re.sub(r"\n +", " ", said_en))
        for name, said_en, said_zh in told
    }
    return Text(zh=zh, en=en), about


def _field(column: Any, about: Text | None) -> dict[str, Any]:
    constraints: dict[str, Any] = {"required": not column.nullable}
    if column.unique:
        constraints["unique"] = True
    for check in column.checks:
        (value,) = check.statistics.values()
        constraints[_CONSTRAINTS[check.name]] = value
    return {
        "name": column.name,
        "type": _TYPES[str(column.dtype)],
        "title": column.title,
        "title_zh": column.metadata["title_zh"],
        **({"description": about.en, "description_zh": about.zh} if about else {}),
        "unit": column.metadata["unit"],
        "constraints": constraints,
    }
