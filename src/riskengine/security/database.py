"""The database behind clients, consents and the audit log, as this package asks for it.

The store's `Database` is one; this package stands below the store and does not know it.
"""

from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa


class Connections(Protocol):
    """Connections to read with, and transactions; faults are `RiskEngineError`s."""

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A connection to read with."""
        ...

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that is committed when the block has ended."""
        ...
