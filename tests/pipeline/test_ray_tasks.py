"""Ray: the same plan and the same arrays; a killed worker is no loss (a real local cluster)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from filmcan.operations.process import plan_settings
from filmcan.store.store import open_store
from filmcan.testing.made_batches import make_batch
from filmcan.testing.store_equality import describe_store, find_difference

ONLY = ("loudness_extractor", "core_optical_flow", "text_processor")
MAIN = "from filmcan.cli.main import main; main()"
QUIET = {**os.environ, "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_USAGE_STATS_ENABLED": "0"}

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def build_command(made: Path, store: Path, *options: str) -> list[str]:
    only = [word for name in ONLY for word in ("--only", name)]
    words = [sys.executable, "-c", MAIN, "batch", str(made), "--store", str(store), "--json"]
    return [*words, "--workers", "2", *only, *options]


def run_batch(made: Path, store: Path, *options: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        build_command(made, store, *options),
        capture_output=True,
        text=True,
        check=False,
        env=QUIET,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def find_actors(driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the processes of the cluster's workers; Ray names them for what they run."""
    if driver.poll() is not None:
        return []
    found = []
    for process in psutil.Process(driver.pid).children(recursive=True):
        try:
            title = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if "_Worker.run" in title:
            found.append(process)
    return found


def test_a_killed_worker_and_a_killed_driver_lose_nothing_and_the_store_equals_the_local_one(
    tmp_path: Path,
) -> None:
    made = make_batch(tmp_path / "media", 6, distinct=3, broken=1, poison=())
    serial = tmp_path / "serial"
    assert run_batch(made, serial)[0] == 4
    store = tmp_path / "ray"
    driver = subprocess.Popen(
        build_command(made, store, "--engine", "ray"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=QUIET,
    )
    try:
        actors: list[psutil.Process] = []
        while not actors and driver.poll() is None:
            actors = find_actors(driver)
        for actor in actors[:1]:
            actor.kill()
        while driver.poll() is None and not list(store.glob("made/*/*/manifest.json")):
            pass
        cluster = psutil.Process(driver.pid).children(recursive=True) if actors else []
    finally:
        driver.kill()
        driver.wait()
    for process in cluster:  # only what this test started: the cluster dies with its driver
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    code, report = run_batch(made, store, "--engine", "ray")
    assert (code, report["failed"]) == (4, 1)
    assert find_difference(describe_store(serial), describe_store(store)) is None
    before = len(open_store(store).runs())
    code, report = run_batch(made, store, "--engine", "ray")
    assert (report["done"], report["earlier"]) == (0, 5)
    assert len(open_store(store).runs()) == before


def test_a_worker_takes_what_its_components_state() -> None:
    from filmcan.pipeline.executors.ray_tasks import measure_demand

    small = measure_demand(plan_settings(None, None, ["loudness_extractor"]))
    whole = measure_demand(plan_settings(None, None, None))
    assert (small.cpus, small.gpus) == (1.0, 0.0)
    assert whole.memory_bytes > small.memory_bytes > 0
