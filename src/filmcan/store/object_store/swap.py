"""Replace an object only if nobody else did, over a network that loses replies (threats B6).

A conditional write that is refused has lost to somebody else, or to its own earlier try whose
reply was lost. Each write therefore carries an id of its own in the object's metadata, with the
ids of the writes before it: looking once tells which of the two it was, also when another writer
has meanwhile built on it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

import tenacity

from filmcan.errors import ConflictError, StoreUnavailableError
from filmcan.store.object_store.client import Client
from filmcan.store.object_store.records import Head, Tuning

_T = TypeVar("_T")

REMEMBERED_WRITES = 64
"""Ids kept in the metadata, whose space is 2 KB: so many writes may overtake a lost reply."""

_BUILT_ON = '"built-on"'
"""The tag of what has been replaced already: no object has it, so every condition on it fails."""


@dataclass(frozen=True, slots=True)
class Version:
    """What to state when replacing an object."""

    head: Head

    def to_text(self) -> str:
        """Return it as the opaque text of the backend protocol."""
        head = self.head
        return "\n".join((str(head.size), head.tag, head.version, *head.writes))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return what `to_text` wrote."""
        size, tag, version, *writes = text.split("\n")
        return cls(Head(int(size), tag, version, tuple(writes)))


def build_write_id() -> str:
    """Return an id that no other write has."""
    return secrets.token_hex(8)


def swap(client: Client, path: str, data: bytes, expected: Version | None) -> Version:
    """Replace an object if it is still `expected`; None: create it if there is none.

    Raises:
        ConflictError: Somebody else changed it; nothing was written.
        StoreUnavailableError: The bucket refused again and again; the bytes may yet arrive whole.
    """
    former = expected.head if expected is not None else None
    writes = (build_write_id(), *(former.writes if former is not None else ()))
    attempt = _Attempt(client, path, data, former, writes[:REMEMBERED_WRITES])
    return Version(repeat(client.tuning, attempt.run))


class TryAgainError(Exception):
    """Nothing happened, or nothing is known yet. `cause` is what the bucket said."""

    def __init__(self, cause: StoreUnavailableError) -> None:
        """Keep it for the last try."""
        super().__init__(str(cause))
        self.cause = cause


def repeat(tuning: Tuning, work: Callable[[], _T]) -> _T:
    """Call a function until it does not say `TryAgainError`, with growing pauses.

    Raises:
        StoreUnavailableError: The cause of the last one.
    """
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(tuning.tries),
        wait=tenacity.wait_random_exponential(tuning.first_pause_sec, tuning.longest_pause_sec),
        retry=tenacity.retry_if_exception_type(TryAgainError),
        reraise=True,
    )
    try:
        return retrying(work)
    except TryAgainError as error:
        raise error.cause from error


@dataclass(frozen=True, slots=True)
class _Attempt:
    client: Client
    path: str
    data: bytes
    former: Head | None
    writes: tuple[str, ...]

    def run(self) -> Head:
        try:
            return self.client.put_if(self.path, self.data, self.former, self.writes)
        except StoreUnavailableError as error:
            if error.code in ("store_denied", "no_store"):
                raise
            return self._find_out(error)

    def _find_out(self, error: StoreUnavailableError) -> Head:
        """Return what is there now if this write led to it."""
        found = self.client.find_head(self.path)
        if found is not None and self.writes[0] in found.writes:
            if found.writes[0] == self.writes[0]:
                return found
            return Head(len(self.data), _BUILT_ON, "", self.writes)
        if self._is_unchanged(found):
            raise TryAgainError(error)
        raise ConflictError(
            "the file changed since it was read" if self.former else "it exists already",
            where=self.path,
            hint="Read it again, then decide.",
        ) from error

    def _is_unchanged(self, found: Head | None) -> bool:
        if found is None or self.former is None:
            return found is self.former
        return found.tag == self.former.tag
