"""How what tells of a person is kept: a seam for encryption at rest and for pseudonyms.

`Plain` keeps it readable, for a machine of one's own; a service with keys injects its own.
"""

from typing import Protocol


class Sealer(Protocol):
    """Seals a content for one row; `about` names the row (table and id) and is bound to it."""

    def seal(self, content: bytes, about: str) -> bytes:
        """The content as it is kept."""
        ...

    def unseal(self, sealed: bytes, about: str) -> bytes:
        """The content again; raises `StoreError` where it cannot be opened."""
        ...

    def pseudonym(self, member_id: str) -> str:
        """What stands for a member in columns that are searched; one member, one pseudonym."""
        ...


class Plain:
    """Keeps everything as it is.

    >>> Plain().unseal(Plain().seal(b"a", "quotes/1"), "quotes/1")
    b'a'
    """

    def seal(self, content: bytes, about: str) -> bytes:  # noqa: ARG002  part of the protocol
        return content

    def unseal(self, sealed: bytes, about: str) -> bytes:  # noqa: ARG002
        return sealed

    def pseudonym(self, member_id: str) -> str:
        return member_id
