"""T4: whatever order of writing, deleting and collecting, the store says what a dict says."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from filmcan.errors import ConflictError, NotFoundError
from filmcan.store.base import Backend
from filmcan.store.deletion import delete_video
from filmcan.store.inspect import inspect_store
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend
from filmcan.store.store import Store
from filmcan.store.sweep import SweepRules, sweep_store
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import build_run_record
from filmcan.testing.made_stores import COMPONENTS, begin_run, clock, commit, read_all
from filmcan.testing.store_suite import publish

VIDEOS = st.sampled_from(["v1", "v2"])
RUNS = st.sampled_from(["r1", "r2", "r3"])
NAMES = st.sampled_from(list(COMPONENTS))
REASONS = st.sampled_from(["dependency_missing", "video_too_long"])

Key = tuple[str, str]


class StoreMachine(RuleBasedStateMachine):
    """A store beside a dict: (video, run) -> component -> reason, and who finished."""

    def __init__(self) -> None:
        super().__init__()
        self.backend = self.make()
        publish(self.backend, "local/README", b"a store")
        self.model: dict[Key, dict[str, str]] = {}
        self.finished: set[Key] = set()
        self.writers: list[tuple[Key, int, RunTransaction]] = []
        self.births: dict[Key, int] = {}
        self.clock = 0

    def make(self) -> Backend:
        raise NotImplementedError

    def reopen(self) -> Backend:
        return self.backend

    @rule(video=VIDEOS, run=RUNS)
    def begin(self, video: str, run: str) -> None:
        key = (video, run)
        try:
            writer = begin_run(self.backend, video, run)
        except ConflictError:
            assert key in self.model
            record = build_run_record(video_id=video, run_id=run, planned=tuple(COMPONENTS))
            writer = RunTransaction.join(self.backend, record, clock)
            self.finished.discard(key)
        else:
            assert key not in self.model
            self.clock += 1
            self.model[key] = {}
            self.births[key] = self.clock
        self.writers.append((key, self.births[key], writer))

    @rule(number=st.integers(0, 9), name=NAMES, reason=REASONS)
    def write(self, number: int, name: str, reason: str) -> None:
        if not self.writers:
            return
        key, birth, writer = self.writers[number % len(self.writers)]
        if self.births.get(key) == birth:
            commit(writer, name, reason=reason)
            self.model[key][name] = reason
            return
        # The run was deleted since this writer began: nobody brings it back.
        before = {path: data for path, data in read_all(self.backend).items() if data}
        with pytest.raises((ConflictError, NotFoundError)):
            commit(writer, name, reason=reason)
        after = read_all(self.backend)
        assert {path for path in set(after) ^ set(before) if after.get(path)} == set()

    @rule(number=st.integers(0, 9))
    def finish(self, number: int) -> None:
        if not self.writers:
            return
        key, birth, writer = self.writers[number % len(self.writers)]
        if self.births.get(key) != birth:
            with pytest.raises((ConflictError, NotFoundError)):
                writer.finish(source={}, peak_rss_bytes=None)
            return
        if writer.finish(source={}, peak_rss_bytes=None).is_finished:
            self.finished.add(key)
        assert (key in self.finished) == (len(self.model[key]) == len(COMPONENTS))

    @rule(video=VIDEOS)
    def delete(self, video: str) -> None:
        receipt = delete_video(self.backend, "local", video)
        assert bool(receipt.files) == any(key[0] == video for key in self.model)
        for key in [key for key in self.model if key[0] == video]:
            self.forget(key)
        assert not any(f"/{video}/" in path for path in read_all(self.backend))

    @rule(video=VIDEOS, run=RUNS)
    def delete_run(self, video: str, run: str) -> None:
        receipt = delete_video(self.backend, "local", video, run)
        assert bool(receipt.files) == ((video, run) in self.model)
        if (video, run) in self.model:
            self.forget((video, run))

    @rule(video=VIDEOS, run=RUNS, name=NAMES)
    def litter(self, video: str, run: str, name: str) -> None:
        if (video, run) in self.model:
            folder = f"local/{video}/{run}/{name}"
            publish(self.backend, f"{folder}/{name}.0123456789ab.npz", b"unlisted")
            publish(self.backend, f"{folder}/_tmp_1_2_x", b"half")

    @rule()
    def collect_nothing_young(self) -> None:
        assert sweep_store(self.backend, SweepRules(keep_last=1), dry_run=False).removals == ()

    @rule()
    def collect(self) -> None:
        rules = SweepRules(keep_last=1, grace_sec=-1.0)
        sweep = sweep_store(self.backend, rules, dry_run=False)
        for key in sorted(self.finished):
            # All runs are as old as each other, so the greatest run id is the latest.
            later = [run for video, run in self.finished if video == key[0] and run > key[1]]
            if later:
                assert f"local/{key[0]}/{key[1]}" in {item.path for item in sweep.removals}
                self.forget(key)
        assert sweep.kept_runs == len(self.model)

    @rule()
    def open_again(self) -> None:
        self.backend = self.reopen()

    @invariant()
    def agrees_with_the_model(self) -> None:
        runs = Store(self.backend).runs()
        found = {
            (run.video_id, run.run_id): {
                name: record.empty_reason for name, record in run.components.items()
            }
            for run in runs
        }
        assert found == self.model
        assert {
            (run.video_id, run.run_id) for run in runs if run.manifest.is_finished
        } == self.finished
        findings = inspect_store(self.backend, with_data=True).findings
        assert [item.issue for item in findings if item.issue.level == "error"] == []

    def forget(self, key: Key) -> None:
        del self.model[key]
        del self.births[key]
        self.finished.discard(key)


class MemoryMachine(StoreMachine):
    def make(self) -> Backend:
        return MemoryBackend()


class LocalMachine(StoreMachine):
    def make(self) -> Backend:
        self.folder = Path(tempfile.mkdtemp())
        return LocalBackend(self.folder)

    def reopen(self) -> Backend:
        return LocalBackend(self.folder)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


TestMemoryMachine = MemoryMachine.TestCase
TestLocalMachine = LocalMachine.TestCase
TestMemoryMachine.settings = settings(
    max_examples=15,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestLocalMachine.settings = settings(TestMemoryMachine.settings, max_examples=4)
