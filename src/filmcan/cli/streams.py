"""The standard streams at a process's beginning and end: closed, full, or read by nobody."""

from __future__ import annotations

import io
import os
import sys


class OutputFaultError(Exception):
    """What was printed could not be written; never a fault of what a command read or wrote."""

    def __init__(self, reason: OSError) -> None:
        """Keep what the system said."""
        super().__init__(str(reason))
        self.reason = reason


class _Output(io.TextIOWrapper):
    """Standard output whose failures are told from those of a store."""

    def write(self, text: str, /) -> int:
        """Write a text."""
        try:
            return super().write(text)
        except OSError as error:
            raise OutputFaultError(error) from error

    def flush(self) -> None:
        """Write what was kept back."""
        try:
            super().flush()
        except OSError as error:
            raise OutputFaultError(error) from error


def prepare_streams() -> None:
    """Make standard output write any name, and fail with an error of its own.

    A stream that the caller closed gets a stand-in: what is read is at its end, what is printed
    fails when it is written, messages go nowhere. It takes the free descriptor, so that no file
    of a store gets the number that libraries print to.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - a device, for ever
    if sys.stdout is None:
        unwritable = os.open(os.devnull, os.O_RDONLY)
        sys.stdout = open(unwritable, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - likewise
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - likewise
    if isinstance(sys.stdout, io.TextIOWrapper):
        found = sys.stdout
        sys.stdout = _Output(
            found.detach(),
            encoding=found.encoding,
            errors="backslashreplace",  # a name may be more than it can encode
            line_buffering=found.line_buffering,
            write_through=found.write_through,
        )


def discard_output() -> None:
    """Have what could not be written go nowhere, so that it is not tried again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
