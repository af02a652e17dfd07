"""How an error reaches a person or a script: three parts, one JSON shape, one exit code."""

from __future__ import annotations

import sys

from filmcan.cli.screen import print_json, show_line, show_plainly
from filmcan.errors import (
    BadMediaError,
    FilmcanError,
    InternalError,
    InvalidContentError,
    InvalidIdError,
    StoreUnavailableError,
)

_USAGE = 2
_SEE_HELP = "See filmcan --help."

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
        _print_shape(error.code, error.message, error.where, error.hint)
        return
    sys.stderr.write(f"error: {show_line(error.message)}\n")
    if error.where:
        sys.stderr.write(f"  where: {show_line(error.where)}\n")
    if error.hint:
        sys.stderr.write(f"  do:    {show_line(error.hint)}\n")


def present_usage(message: str, *, as_json: bool) -> None:
    """Print that the command line itself is wrong, as `present_error` does.

    Args:
        message: What the parser says; all commands with a line each where none was given.
        as_json: Whether JSON was asked for.
    """
    if as_json:
        _print_shape("usage", message, "", _SEE_HELP)
    else:
        sys.stderr.write(f"error: {show_plainly(message)}\n  do:    {_SEE_HELP}\n")


def _print_shape(code: str, message: str, where: str, hint: str) -> None:
    print_json({"error": {"code": code, "message": message, "where": where, "hint": hint}})
