"""Ctrl-C: the process ends at once with 130 and leaves a readable run."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from filmcan.operations.validation import validate_target
from filmcan.store.store import open_store
from filmcan.testing.made_media import make_clip

_LONG_SEC = 60


@pytest.fixture
def long_run(tmp_path: Path) -> subprocess.Popen[bytes]:
    """Start a run that would take many seconds: flow for each of a thousand frames."""
    clip = make_clip(tmp_path / "long.mp4", frames=1000, size=(320, 240))
    command = [sys.executable, "-c", "from filmcan.cli.main import main; main()"]
    arguments = ["run", str(clip), "--store", str(tmp_path / "store"), "--run-id", "r1"]
    settings = ["--set", "sampling.rate_hz=25", "--set", "sampling.max_samples=1000"]
    return subprocess.Popen(
        [*command, *arguments, *settings], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_an_interrupted_process_ends_with_130_and_leaves_a_readable_run(
    tmp_path: Path, long_run: subprocess.Popen[bytes]
) -> None:
    store = tmp_path / "store"
    while not list(store.glob("local/*/r1/manifest.json")):
        assert long_run.poll() is None, "the run ended before it could be interrupted"
    long_run.send_signal(signal.SIGINT)
    _, err = long_run.communicate(timeout=_LONG_SEC)
    assert long_run.returncode == 130
    assert b"Interrupted" in err
    assert b"Traceback" not in err
    verdict = validate_target(str(store))
    assert verdict.report.ok
    assert [issue.code for issue in verdict.report.warnings] == ["run_unfinished"]
    (run,) = open_store(store).runs()
    assert run.manifest.pending_components
