"""One object on its way into a file: it goes on where it broke, and never mixes two objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import BinaryIO, Protocol

from filmcan.errors import InvalidContentError
from filmcan.store.object_store.records import Entry

STUCK_TRIES = 8
"""So many tries in a row that bring nothing new are enough."""


class Ask(Protocol):
    """Makes one request for an object."""

    def __call__(self, start: int, known: Entry | None) -> tuple[Entry, int, Iterable[bytes]]:
        """Return what the object is, from which byte on it comes, and its bytes from there.

        Args:
            start: Where to go on, if that can be done.
            known: The object whose first bytes are here; None at the beginning.
        """
        ...


class Transfer:
    """One download, over as many requests as it takes."""

    def __init__(
        self, ask: Ask, file: BinaryIO, *, limit: int, on_bytes: Callable[[int], None]
    ) -> None:
        """Ask for nothing yet; the file is empty."""
        self._ask = ask
        self._file = file
        self._limit = limit
        self._on_bytes = on_bytes
        self._entry: Entry | None = None
        self._received = 0
        self._furthest = 0
        self._idle_tries = 0

    def go_on(self) -> Entry:
        """Fetch what is missing and return what the object is.

        Raises:
            InvalidContentError: It is larger than the limit; nothing was written.
        """
        entry, start, pieces = self._ask(self._received, self._entry)
        if entry.size > self._limit:
            raise InvalidContentError(
                f"{entry.size} bytes, more than {self._limit}", where=entry.path, code="too_large"
            )
        self._entry, self._received = entry, start
        self._file.seek(start)
        self._file.truncate()
        for piece in pieces:
            self._file.write(piece)
            self._received += len(piece)
            self._on_bytes(len(piece))
        return entry

    def is_stuck(self, _: object) -> bool:
        """Tell, after a try that failed, whether too many in a row brought nothing new."""
        self._idle_tries = 0 if self._received > self._furthest else self._idle_tries + 1
        self._furthest = max(self._furthest, self._received)
        return self._idle_tries >= STUCK_TRIES
