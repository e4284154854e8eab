"""Every error riskengine raises on purpose, as one tree.

    RiskEngineError
    ├── InputError            what came in breaks its contract
    │   ├── AnswerError       an answer of a quote: unknown, missing or out of range
    │   ├── TableError        a table: missing column, wrong type, too many bad rows
    │   └── SpecError         a model spec, product file or rate book
    ├── UnknownNameError      a plan, factor, level or date that is not there
    │   ├── UnknownMemberError    a member of whom nothing is stored
    │   └── UnknownQuoteError     a quote that was never stored
    ├── ConflictError         what is asked for does not fit what is stored already
    ├── ReleaseError          a release that is missing, changed or cannot be used
    ├── StoreError            a database that cannot be reached or used
    │   └── ProtectionError       keys missing or wrong, or a sealed value that does not open
    ├── AccessError           who asks may not have it
    │   ├── TokenError        no token, or one that is not valid
    │   ├── ScopeError        a caller without the scope, or the second factor, that is needed
    │   └── ConsentError      a member who has not agreed to this use of stored data
    ├── LimitError            more at once than is taken
    └── JobError              a batch job whose result cannot be trusted: rows do not reconcile
        ├── StoppedError      one that stopped on the way; what is done is kept
        └── LockedError       one whose folder another run is writing to

A message says what is wrong, which value, and what to do. The HTTP status of each class is mapped
in `service`, its exit code in `cli`; nothing here knows of either.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class RiskEngineError(Exception):
    """Base of all errors raised on purpose."""


class InputError(RiskEngineError):
    """What came in breaks its contract."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one value of an input.

    `row` is the 0-based position in the batch (0 for a live quote).
    """

    row: int
    field: str
    value: str
    message: str


class AnswerError(InputError):
    """Answers that are unknown, missing or out of range, all of them at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.field}={p.value}: {p.message}" for p in self.problems))


class TableError(InputError):
    """A table that breaks its contract."""


class SpecError(InputError):
    """A model spec, product file or rate book that cannot be read."""


class UnknownNameError(RiskEngineError):
    """A plan, factor, level or date that is not there; it never stands for 1.0 or 0."""


class UnknownMemberError(UnknownNameError):
    """A member of whom nothing is stored."""


class UnknownQuoteError(UnknownNameError):
    """A quote that was never stored."""


class ConflictError(RiskEngineError):
    """What is asked for does not fit what is stored already."""


class ReleaseError(RiskEngineError):
    """A release that is missing, has been changed, or cannot be used."""


class StoreError(RiskEngineError):
    """A database that cannot be reached or used."""


class JobError(RiskEngineError):
    """A batch job whose result cannot be trusted."""


class StoppedError(JobError):
    """A batch job that stopped on the way; what is done is kept, and it can go on."""


class LockedError(JobError):
    """A batch job whose folder another run is writing to."""


class AccessError(RiskEngineError):
    """Who asks may not have what is asked for."""


class TokenError(AccessError):
    """No token, or one that is not valid: forged, expired, revoked, or for somebody else."""


class ScopeError(AccessError):
    """A caller who is known, without the scope or the second factor that is needed."""

    def __init__(self, message: str, scopes: str = "", second_factor: bool = False) -> None:
        self.scopes, self.second_factor = scopes, second_factor
        super().__init__(message)


class ConsentError(AccessError):
    """A member who has not agreed to this use of stored data."""


class LimitError(RiskEngineError):
    """More at once than is taken."""


class ProtectionError(StoreError):
    """Keys that are missing or wrong, or a sealed value that does not open."""
