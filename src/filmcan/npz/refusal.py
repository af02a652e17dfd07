"""How the readers and the writer of this package refuse: one typed error, one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filmcan.errors import InvalidArtifactError

RAISE_LIMIT = "Raise this limit in ReadLimits if the file is trusted."


def refuse(code: str, message: str, hint: str = "") -> InvalidArtifactError:
    """Return the error to raise; who knows the file and the member adds the place."""
    return InvalidArtifactError(message, code=code, hint=hint)


def over_limit(limit: str, message: str) -> InvalidArtifactError:
    """Return the error for content larger than a field of `ReadLimits`."""
    return refuse("limit_exceeded", f"{message} ({limit})", RAISE_LIMIT)


@contextmanager
def located(where: str) -> Iterator[None]:
    """Give errors that pass the place they lack."""
    try:
        yield
    except InvalidArtifactError as error:
        error.where = error.where or where
        raise
