"""Runs the store's writer under strace, one fresh fork per fault, and says what became of it.

Started by `test_kill_points`: reads one fault per line (JSON: call, error or null for a kill,
ordinal, for_ever), writes one finding per line. Imports are made once; strace is attached to each
fork before it takes its first step, so that ordinals count the writer's own calls.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from filmcan.errors import FilmcanError
from filmcan.npz import writer
from filmcan.store.local import LocalBackend
from filmcan.testing.fault_files import WatchedDisk
from filmcan.testing.store_promises import Acked, check_promises, finish_run, write_run

CALLS = (
    "write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2", "open", "openat",
    "unlink", "unlinkat", "mkdir", "mkdirat", "ftruncate", "link", "linkat", "flock",
)  # fmt: skip
STRACE = shutil.which("strace") or "strace"
_SET_PTRACER, _ANY = 0x59616D61, ctypes.c_ulong(-1)
_TOLD_BYTES = 1 << 16


class Child:
    """A fork that waits for strace, then writes a run; what it was told lies in shared memory."""

    def __init__(self, store: Path, strace: list[str]) -> None:
        self._told = mmap.mmap(-1, _TOLD_BYTES)
        ready, go = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(go)
            os._exit(self._work(store, ready))
        os.close(ready)
        with contextlib.suppress(OSError):  # the fork may be dead already
            self.tracer = subprocess.Popen(
                [STRACE, "-f", "-p", str(self.pid), *strace],
                stderr=subprocess.PIPE,
                text=True,
            )
        assert self.tracer.stderr is not None
        first = self.tracer.stderr.readline()
        os.write(go, b"x" if "attached" in first else b"")
        os.close(go)
        if "attached" not in first:
            os.waitpid(self.pid, 0)
            raise PermissionError(first)
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.tracer.communicate()

    def read_told(self) -> tuple[Acked, str]:
        """Return the last thing acknowledged, and the error's text."""
        text = bytes(self._told).rstrip(b"\0").decode()
        told = json.loads(text) if text else {}
        manifest = told.get("manifest")
        acked = Acked(
            None if manifest is None else manifest.encode(),
            told.get("present", {}),
            frozenset(told.get("absent", ())),
        )
        return acked, told.get("error", "")

    def _work(self, store: Path, ready: int) -> int:
        with contextlib.suppress(OSError, AttributeError):  # only Yama asks for it
            ctypes.CDLL(None).prctl(_SET_PTRACER, _ANY, 0, 0, 0)
        if not os.read(ready, 1):
            return 9
        self._document: dict[str, object] = {}
        try:
            write_run(LocalBackend(store), self._tell)
        except FilmcanError as error:
            self._note(error=f"{type(error).__name__}: {error}")
            return 3
        except BaseException:  # noqa: BLE001 - an untyped error is what is looked for
            self._note(error=traceback.format_exc())
            return 4
        return 0

    def _tell(self, acked: Acked) -> None:
        assert acked.manifest is not None
        self._note(
            manifest=acked.manifest.decode(),
            present=dict(acked.present),
            absent=sorted(acked.absent),
        )

    def _note(self, **parts: object) -> None:
        """Write into shared memory: no system call, so nothing more to count."""
        self._document.update(parts)
        data = json.dumps(self._document).encode()
        self._told[:] = data.ljust(_TOLD_BYTES, b"\0")


def count_calls(folder: Path) -> dict[str, int]:
    """Return how often an undisturbed writer's own thread makes each call; strace counts so too."""
    log = folder / "calls"
    child = Child(folder / "store", ["-o", str(log), "-e", f"trace={','.join(CALLS)}"])
    assert child.status == 0, child.read_told()
    found = re.findall(rf"^{child.pid} +(\w+)\(", log.read_text(), re.MULTILINE)
    return dict(Counter(found))


def run_fault(folder: Path, fault: dict[str, object]) -> dict[str, object]:
    """Run the writer under one fault, check what is left, and go on from there."""
    call, ordinal = fault["call"], fault["ordinal"]
    what = f"error={fault['error']}" if fault["error"] else "signal=KILL"
    when = f"{ordinal}+" if fault["for_ever"] else str(ordinal)
    store, log = folder / "store", folder / "log"
    strace = ["-o", str(log), "-e", f"trace={call}", "-e", f"inject={call}:{what}:when={when}"]
    child = Child(store, strace)
    acked, error = child.read_told()
    log_text = log.read_text()
    finding: dict[str, object] = {
        **fault,
        "status": child.status,
        "error_text": error,
        "hit": "(INJECTED)" in log_text or "killed by SIGKILL" in log_text,
        "fault": "",
    }
    try:
        check_promises(store, acked)
        with WatchedDisk(folder):  # flushes are recorded, not waited for
            finish_run(store)
    except (AssertionError, FilmcanError):
        finding["fault"] = traceback.format_exc()
    return finding


def main() -> None:
    """Answer the faults on standard input."""
    writer.OVERLAP_FROM_BYTES = 24_000  # of the run's artifacts, one is written by two threads
    with tempfile.TemporaryDirectory(prefix="kill_points_", dir=sys.argv[1]) as folder:
        serve(Path(folder))


def serve(base: Path) -> None:
    """Count the calls, then run one fault after the other."""
    finish_run(base / "warm")  # schemas are read and modules loaded once, before the forks
    first = base / "count"
    first.mkdir()
    try:
        counts = count_calls(first)
    except PermissionError as refusal:
        answer({"refused": str(refusal)})
        return
    answer({"counts": counts})
    for number, line in enumerate(sys.stdin):
        folder = base / str(number)
        folder.mkdir()
        answer(run_fault(folder, json.loads(line)))
        shutil.rmtree(folder)


def answer(document: dict[str, object]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
