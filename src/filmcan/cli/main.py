"""The command line's entry: runs one command, ends with its exit code and never in a traceback.

Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 the run's status is
error or the output could not be written, 2 wrong use, 3 content invalid, 4 some of a batch failed,
5 store unavailable, 6 source unreadable, 130 interrupted.

It loads next to nothing, so that Ctrl-C while the commands are loaded ends like any other.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

from filmcan.cli.streams import OutputFaultError, discard_output, prepare_streams

EXIT_NO_OUTPUT = 1
EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit with its code."""
    # Two component threads with four BLAS threads each only fight for the cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    prepare_streams()
    code = invoke(sys.argv[1:])
    with contextlib.suppress(OSError):  # nobody is left to hear of it
        sys.stderr.flush()
    if threading.active_count() > 1:
        # A thread that is still inside native code would crash the interpreter's own ending.
        os._exit(code)
    sys.exit(code)


def invoke(arguments: list[str]) -> int:
    """Run one command and return its exit code, when all it printed has been written."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except OutputFaultError as error:
        discard_output()
        if not isinstance(error.reason, BrokenPipeError):  # whose reader has read enough
            sys.stderr.write(
                f"error: cannot write to standard output: {error.reason.strerror}\n"
                "  do:    Send the output elsewhere; what the command did is done.\n"
            )
        return EXIT_NO_OUTPUT
    return code


def _run(arguments: list[str]) -> int:
    try:
        from filmcan.cli.app import run_command

        code = run_command(arguments)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    if code == EXIT_INTERRUPTED:
        sys.stderr.write("Interrupted. What was committed is kept and readable.\n")
    return code
