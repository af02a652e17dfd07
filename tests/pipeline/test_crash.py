"""P1, P2: runs killed at random moments leave readable runs that list only what is there."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from filmcan.contract.manifest import ComponentRecord
from filmcan.operations.process import process_video
from filmcan.operations.validation import validate_target
from filmcan.store.store import open_store

KILLS = int(os.environ.get("FILMCAN_TEST_KILLS", "50"))
"""How many runs are killed."""

_BEYOND_THE_END = 1.1
"""Moments reach this share of an undisturbed run's time: a few runs are left to finish."""


class _Reporter:
    """Writes a line for every commit that has returned, durably enough for a killed process."""

    def __init__(self, log: Path) -> None:
        self._descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def on_progress(self, fraction: float) -> None:
        pass

    def on_component(self, record: ComponentRecord) -> None:
        os.write(self._descriptor, f"{record.name}\n".encode())


def _run(clip: Path, store: Path, run_id: str, log: Path) -> None:
    process_video(clip, store=store, video_id="v", run_id=run_id, observer=_Reporter(log))


@pytest.mark.slow
def test_p1_killed_runs_list_only_what_is_there_and_the_next_run_succeeds(
    clip: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "filmcan.operations.process",
            "filmcan.components.audio.tempo_extractor.component",
            "filmcan.components.visual.core_optical_flow.component",
        ]
    )
    took = 0.0
    for name in ("first", "second"):  # the first one also waits for the server's imports
        started = time.monotonic()
        undisturbed = context.Process(target=_run, args=(clip, store, name, tmp_path / name))
        undisturbed.start()
        undisturbed.join()
        assert undisturbed.exitcode == 0
        took = time.monotonic() - started
    longest = _BEYOND_THE_END * took
    moments = random.Random(20260131)  # noqa: S311 - moments, not secrets
    killed = unfinished = 0
    for number in range(KILLS):
        run_id, log = f"r{number:03d}", tmp_path / f"log{number}"
        child = context.Process(target=_run, args=(clip, store, run_id, log))
        child.start()
        child.join(moments.uniform(0.0, longest))
        if child.is_alive():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            killed += 1
        child.join()
        committed = log.read_text().split() if log.exists() else []
        folder = store / "local" / "v" / run_id
        if not (folder / "manifest.json").exists():
            assert not committed
            continue
        verdict = validate_target(str(folder))
        assert verdict.report.ok, [str(issue) for issue in verdict.report.errors]
        run = open_store(store).run("local", "v", run_id)
        listed = {name for name, record in run.components.items() if record.artifacts}
        assert set(committed) <= listed
        if not run.manifest.is_finished:
            unfinished += 1
            assert "run_unfinished" in [issue.code for issue in verdict.report.warnings]
    assert killed > KILLS // 3, "the moments came too late to prove anything"
    assert unfinished > 0, "no run was killed between its first and its last commit"
    after = process_video(clip, store=store, video_id="v")
    assert after.status == "ok"
    assert open_store(store).latest("local", "v").run_id == after.run_id
