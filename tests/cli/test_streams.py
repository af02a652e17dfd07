"""Standard streams that are full, closed or read by nobody: a sentence, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from filmcan.cli.main import invoke
from filmcan.store.local import LocalBackend
from filmcan.testing.made_stores import write_run

FULL = Path("/dev/full")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store with two runs."""
    folder = tmp_path / "store"
    write_run(LocalBackend(folder))
    write_run(LocalBackend(folder), "v2")
    return folder


def run_shell(command: str, store: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of sh; `$F` is filmcan, `$S` the store."""
    return subprocess.run(
        ["/bin/sh", "-c", command.replace("$F", f"{sys.executable} -m filmcan")],
        env={**os.environ, "S": str(store)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not FULL.exists(), reason="no disk that is always full")
@pytest.mark.parametrize(
    "command",
    [
        "list $S",
        "list $S --json",
        "fsck $S --json",
        "--help",
        "schema show core_face_landmarks_npz_v1",
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_told_in_a_sentence(
    command: str, unbuffered: str, store: Path
) -> None:
    done = run_shell(f"PYTHONUNBUFFERED={unbuffered} $F {command} > {FULL}", store)
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write to standard output: No space left")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a shell of its own")
def test_a_closed_output_is_told_only_when_something_was_to_be_printed(store: Path) -> None:
    for command in ("fsck $S", "list $S", "fsck $S --json"):
        done = run_shell(f"$F {command} >&-", store)
        assert done.returncode == 1
        assert done.stderr.startswith("error: cannot write to standard output: Bad file desc")
        assert "Traceback" not in done.stderr
    done = run_shell("$F fsck $S/nothing >&-", store)
    assert done.returncode == 5
    assert "there is no such store" in done.stderr
    assert run_shell("$F fsck $S >&- 2>&- <&-", store).returncode == 1
    assert run_shell("$F delete $S --video local/v1 <&-", store).returncode == 2
    assert run_shell("$F fsck $S 2>&-", store).returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="a shell of its own")
def test_a_reader_that_went_away_is_no_reason_to_speak(store: Path) -> None:
    done = run_shell("(sleep 1; $F list $S; echo $? >&2) | true", store)
    assert done.stderr == "1\n"


def test_an_error_of_the_system_that_is_not_the_outputs_is_not_hidden(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError("a fault of ours")

    monkeypatch.setattr("filmcan.operations.check_store.check_store", fail)
    with pytest.raises(OSError, match="a fault of ours"):
        invoke(["fsck", str(store)])


def test_ctrl_c_while_the_commands_are_loaded_ends_like_any_other(tmp_path: Path) -> None:
    hook = (
        "import builtins, os, signal, sys\n"
        "real = builtins.__import__\n"
        "def load(name, *rest):\n"
        "    if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = load\n"
        "sys.argv = ['filmcan', 'list']\n"
        "from filmcan.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", hook], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 130
    assert done.stderr.startswith("Interrupted.")
    assert "Traceback" not in done.stderr
