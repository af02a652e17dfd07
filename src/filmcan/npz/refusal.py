"""How the readers and the writer of this package refuse: one typed error, one place."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from filmcan.errors import InvalidArtifactError

RAISE_LIMIT = "Raise this limit in ReadLimits if the file is trusted."


def refuse(code: str, message: str, hint: str = "") -> InvalidArtifactError:
    """Return the error to raise; who knows the file and the member adds the place."""
    return InvalidArtifactError(message, code=code, hint=hint)


def over_limit(limit: str, message: str) -> InvalidArtifactError:
    """Return the error for content larger than a field of `ReadLimits`."""
    return refuse("limit_exceeded", f"{message} ({limit})", RAISE_LIMIT)


class Named(Protocol):
    """Whatever has a name for messages."""

    @property
    def name(self) -> str:
        """A base name, never a path with folders."""
        ...


class Place:
    """Gives errors that pass the file and the key they lack; a plain class, as reads are many."""

    __slots__ = ("_key", "_named")

    def __init__(self, named: Named | None, key: str = "") -> None:
        """Remember where we are: in a file, at a key, or both."""
        self._named = named
        self._key = key

    def __enter__(self) -> None:
        """Watch."""
        return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Name the place; memory that is not there is the content's fault, too."""
        if isinstance(error, InvalidArtifactError):
            error.where = error.where or self._where()
        elif isinstance(error, MemoryError):
            raise InvalidArtifactError(
                "takes more memory than there is", code="out_of_memory", where=self._where()
            ) from error

    def _where(self) -> str:
        return ": ".join(filter(None, (self._named.name if self._named else "", self._key)))
