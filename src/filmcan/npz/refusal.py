"""How the readers and the writer of this package refuse: one typed error, one place."""

from __future__ import annotations

from typing import NoReturn, Protocol

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


PLACELESS = (InvalidArtifactError, MemoryError)
"""What is caught to be raised again by `raise_at`."""


def raise_at(error: Exception, named: Named | None, key: str = "") -> NoReturn:
    """Raise an error again with the place it lacks: the file, and the key.

    A function to be called from `except PLACELESS`, where `try` costs nothing: reads are many.

    Raises:
        InvalidArtifactError: The error; memory that is not there is the content's fault, too.
    """
    where = ": ".join(filter(None, (named.name if named else "", key)))
    if not isinstance(error, InvalidArtifactError):
        raise InvalidArtifactError(
            "takes more memory than there is", code="out_of_memory", where=where
        ) from error
    error.where = error.where or where
    raise error
