"""How an error reaches a person or a script: three parts, one JSON shape, one exit code."""

from __future__ import annotations

import sys

from filmcan.cli.screen import print_json, show_plainly
from filmcan.errors import (
    BadMediaError,
    FilmcanError,
    InternalError,
    InvalidContentError,
    InvalidIdError,
    StoreUnavailableError,
)

_USAGE = 2

_EXIT_CODES: tuple[tuple[type[FilmcanError], int], ...] = (
    (InvalidIdError, _USAGE),
    (InvalidContentError, 3),
    (StoreUnavailableError, 5),
    (BadMediaError, 6),
    (InternalError, 1),
)


def exit_code_for(error: FilmcanError) -> int:
    """Return the exit code of an error; what the caller can mend by asking otherwise is 2."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), _USAGE)


def present_error(error: FilmcanError, *, as_json: bool) -> None:
    """Print an error: as one JSON object on stdout, or in three lines on stderr."""
    if as_json:
        shape = {
            "error": {
                "code": error.code,
                "message": error.message,
                "where": error.where,
                "hint": error.hint,
            }
        }
        print_json(shape)
        return
    lines = [f"error: {error.message}"]
    if error.where:
        lines.append(f"  where: {error.where}")
    if error.hint:
        lines.append(f"  do:    {error.hint}")
    sys.stderr.write(show_plainly("\n".join(lines)) + "\n")
