"""What a caller may be allowed to do, and for which of it a second factor must be shown."""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """One permission of a client, as written in a token."""

    QUOTES = "quotes"
    RECOMMENDATIONS = "recommendations"
    PROFILES = "profiles"
    FEEDBACK = "feedback"
    CONSENTS = "consents"
    RELEASES_READ = "releases:read"
    RELEASES_PROMOTE = "releases:promote"
    MEMBERS_ERASE = "members:erase"
    METRICS = "metrics"


# Releasing prices is a person's decision: a machine cannot show a second factor, so it cannot.
_OF_EVERYBODY = frozenset({Scope.RELEASES_PROMOTE})
_OF_PEOPLE = frozenset({Scope.RELEASES_PROMOTE, Scope.PROFILES, Scope.MEMBERS_ERASE})


@dataclass(frozen=True)
class Caller:
    """Who asks: a client, what it may do, whether it is a person who showed a second factor."""

    client: str
    scopes: frozenset[Scope]
    person: bool = False
    second_factor: bool = False


ANYBODY = Caller("local", frozenset(Scope), person=True, second_factor=True)


def needs_second_factor(scope: Scope, *, person: bool) -> bool:
    """Whether a caller must have shown a second factor to use a scope.

    >>> needs_second_factor(Scope.PROFILES, person=True)
    True
    >>> needs_second_factor(Scope.PROFILES, person=False)
    False
    >>> needs_second_factor(Scope.RELEASES_PROMOTE, person=False)
    True
    """
    return scope in (_OF_PEOPLE if person else _OF_EVERYBODY)
