"""P1, P2, P5, P7 (threats.md T1): the real writer, killed or refused at each of its system calls.

`FILMCAN_TEST_SWEEP=full` tries every call with every error; by default every second kill and a
sample of the errors.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FULL_SWEEP = os.environ.get("FILMCAN_TEST_SWEEP") == "full"
ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EINTR")
# `EINTR` for ever never ends: the language tries again after it (PEP 475).
LASTING = ("ENOSPC", "EIO", "EDQUOT")
# Killed before a call that only reads, a writer leaves what it left before the call in front.
EVERY_OPEN = 25
EVERY_KILL = 2
EVERY_ERROR = 6


class Server:
    """The process that runs faults."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("kill_server.py")), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "OPENBLAS_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
        )
        self.first = self.read()

    def read(self) -> dict[str, object]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the server died"
        found: dict[str, object] = json.loads(line)
        return found

    def run(
        self, call: str, error: str | None, ordinal: int, *, for_ever: bool
    ) -> dict[str, object]:
        fault = {"call": call, "error": error, "ordinal": ordinal, "for_ever": for_ever}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fault) + "\n")
        self._process.stdin.flush()
        return self.read()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (Debian: apt-get install strace)")
    memory = Path("/dev/shm")  # noqa: S108 - in a folder of its own; flushes cost nothing there
    in_memory = memory.is_dir() and os.access(memory, os.W_OK)
    server = Server(memory if in_memory else tmp_path_factory.mktemp("kill_points"))
    if "refused" in server.first:
        server.close()
        pytest.skip(f"strace may not attach here: {server.first['refused']}")
    yield server
    server.close()


def list_points(server: Server, every: int) -> Iterator[tuple[str, int]]:
    """Yield calls and ordinals; of calls that open, fewer."""
    counts = server.first["counts"]
    assert isinstance(counts, dict)
    for call, count in sorted(counts.items()):
        step = every * (EVERY_OPEN if call in ("open", "openat", "flock") else 1)
        yield from ((call, ordinal) for ordinal in range(1, count + 1, 1 if FULL_SWEEP else step))


def test_the_writer_makes_the_calls_that_are_attacked(server: Server) -> None:
    counts = server.first["counts"]
    assert isinstance(counts, dict)
    kinds = {call.removesuffix("2").removesuffix("at").removesuffix("64") for call in counts}
    assert {"write", "fsync", "rename", "unlink", "mkdir", "open", "flock"} <= kinds


def test_p1_p2_p7_a_writer_killed_at_any_system_call_loses_nothing(server: Server) -> None:
    for call, ordinal in list_points(server, EVERY_KILL):
        found = server.run(call, None, ordinal, for_ever=False)
        assert found["hit"], found
        assert found["status"] == -9, found
        assert not found["fault"], found["fault"]


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
def test_p5_a_system_call_that_fails_changes_nothing(server: Server, for_ever: bool) -> None:
    errors = LASTING if for_ever else ERRORS
    for number, (call, ordinal) in enumerate(list_points(server, EVERY_ERROR)):
        for error in errors if FULL_SWEEP else (errors[number % len(errors)],):
            found = server.run(call, error, ordinal, for_ever=for_ever)
            assert found["hit"], found
            # Done after all, or refused with a typed error: never anything else.
            assert found["status"] in (0, 3), found["error_text"]
            assert not found["fault"], found["fault"]
