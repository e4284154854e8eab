"""A member's data wherever it is stored: told as one document, and erased in one transaction.

Each store says with `MemberRows` how its rows of a member are found, told and erased. What the law
makes an insurer keep (amounts, dates, hashes) stays, without the member.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from riskengine.security.database import Connections

Row = Mapping[str, Any]


@dataclass(frozen=True)
class MemberRows:
    """Rows of one table that belong to a member.

    `belongs` gives the condition on the table for a member id; `erased` the values to write over a
    row, or None to delete it; `told` opens what is sealed, and keeps what is
    of other members of a household to itself.
    """

    name: str
    table: sa.Table
    belongs: Callable[[str], sa.ColumnElement[bool]]
    erased: Callable[[Row], dict[str, Any] | None]
    told: Callable[[Row, str], dict[str, Any]] = lambda row, _: dict(row)

    def find(self, connection: sa.Connection, member_id: str) -> list[Row]:
        """The rows of a member in the order of their keys; none if there is no such table."""
        if not sa.inspect(connection).has_table(self.table.name):
            return []
        query = sa.select(self.table).where(self.belongs(member_id))
        rows = connection.execute(query.order_by(*self.table.primary_key)).mappings()
        return [dict(row) for row in rows]

    def erase(self, connection: sa.Connection, row: Row) -> None:
        """Erase one row within the transaction of `connection`."""
        same = [column == row[column.name] for column in self.table.primary_key]
        values = self.erased(row)
        if values is None:
            connection.execute(sa.delete(self.table).where(*same))
        else:
            connection.execute(sa.update(self.table).where(*same).values(values))


def export_member(
    database: Connections, holdings: Sequence[MemberRows], member_id: str
) -> dict[str, list[dict[str, Any]]]:
    """Everything stored of a member, by the name of the holding."""
    with database.reading() as connection:
        return {
            one.name: [one.told(row, member_id) for row in one.find(connection, member_id)]
            for one in holdings
        }


def erase_member(
    database: Connections, holdings: Sequence[MemberRows], member_id: str
) -> dict[str, int]:
    """Erase a member everywhere or nowhere; returns the number of rows by holding.

    All rows are found before any is erased: rows of one table may be found through another.
    """
    with database.writing() as connection:
        found = [(one, one.find(connection, member_id)) for one in holdings]
        for one, rows in found:
            for row in rows:
                one.erase(connection, row)
    return {one.name: len(rows) for one, rows in found}


def deleted(_: Row) -> None:
    """Erase a row by deleting it."""


def without(document: Any, names: frozenset[str]) -> Any:
    """A JSON document with the values of these names emptied, however deep they are.

    >>> without({"answers": {"age": 43}, "offers": [{"offered_premium": "100.00"}]},
    ...         frozenset({"answers"}))
    {'answers': None, 'offers': [{'offered_premium': '100.00'}]}
    """
    if isinstance(document, dict):
        return {k: None if k in names else without(v, names) for k, v in document.items()}
    if isinstance(document, list):
        return [without(one, names) for one in document]
    return document
