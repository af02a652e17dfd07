"""Batches whose results go into a bucket: resumed, shared, and equal to those on a disk."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from filmcan.operations.batch_run import BatchOptions, process_batch
from filmcan.operations.batch_videos import VideoResult
from filmcan.operations.validation import validate_target
from filmcan.store.leases import LEASES, Leases
from filmcan.store.store import open_store
from filmcan.testing.faulty_proxy import FaultyProxy
from filmcan.testing.made_batches import make_batch
from filmcan.testing.object_server import BUCKET
from filmcan.testing.store_equality import describe_store, find_difference

ONLY = ("loudness_extractor", "tempo_extractor", "core_optical_flow")
VIDEOS = 4
_prefixes = itertools.count()


@pytest.fixture
def url(object_server: str) -> str:
    return f"s3://{BUCKET}/batches/{next(_prefixes)}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the list of a batch of four clips and one file that is none."""
    folder = tmp_path_factory.mktemp("bucket") / "media"
    return make_batch(folder, VIDEOS + 1, distinct=VIDEOS, broken=1, poison=())


@pytest.fixture(scope="module")
def on_disk(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Return what the same batch leaves in a folder."""
    store = tmp_path_factory.mktemp("disk") / "store"
    process_batch([str(made)], BatchOptions(str(store), only=ONLY, workers=2))
    return describe_store(store)


class _Watcher:
    """Remembers results, and looks at the store once all but one are there."""

    def __init__(self, held: str, url: str, leases: Leases) -> None:
        self.results: list[VideoResult] = []
        self.begun_while_held: int | None = None
        self._held = held
        self._url = url
        self._leases = leases

    def on_video(self, result: VideoResult, done: int, total: int) -> None:
        self.results.append(result)
        if done == total - 1:
            self.begun_while_held = len(open_store(self._url).runs("made", self._held))
            self._leases.release(f"made/{self._held}")


def test_a_batch_into_a_bucket_is_left_alone_by_the_next_and_equals_one_on_a_disk(
    faulty_proxy: FaultyProxy, made: Path, on_disk: dict[str, object]
) -> None:
    url = f"s3://{BUCKET}/batches/{next(_prefixes)}"
    options = BatchOptions(url, only=ONLY, workers=2)
    first = process_batch([str(made)], options)
    assert sorted(result.how for result in first.results) == ["done"] * VIDEOS + ["failed"]
    assert find_difference(describe_store(url), on_disk) is None
    assert validate_target(url).report.ok
    assert not open_store(url).backend.list_folder(LEASES).files
    faulty_proxy.requests.clear()
    again = process_batch([str(made)], options)
    assert sorted(result.how for result in again.results) == ["earlier"] * VIDEOS + ["failed"]
    assert sum(result.seconds for result in again.results) == 0, "no worker did anything"
    assert faulty_proxy.count().keys() <= {"GET", "HEAD"}, "nothing is written"
    assert not any(".npz" in request.path for request in faulty_proxy.requests)


def test_a_video_whose_lease_another_batch_holds_waits_for_it(url: str, made: Path) -> None:
    held = "v001"
    leases = Leases(open_store(url).backend, "another machine's batch", lambda _: False)
    assert leases.take(f"made/{held}")
    watcher = _Watcher(held, url, leases)
    process_batch([str(made)], BatchOptions(url, only=ONLY[:1], workers=2), observer=watcher)
    assert watcher.begun_while_held == 0
    assert (watcher.results[-1].video_id, watcher.results[-1].how) == (held, "done")
    assert len(open_store(url).runs()) == VIDEOS


def build_command(made: Path, url: str) -> list[str]:
    only = [word for name in ONLY for word in ("--only", name)]
    return [
        sys.executable,
        "-m",
        "filmcan",
        "batch",
        str(made),
        "--store",
        url,
        "--workers",
        "1",
        *only,
    ]


def test_two_batches_on_one_bucket_share_the_work(
    url: str, made: Path, on_disk: dict[str, object]
) -> None:
    both = [
        subprocess.Popen(build_command(made, url), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    told = [batch.communicate() for batch in both]
    assert [batch.returncode for batch in both] == [4, 4], told
    assert find_difference(describe_store(url), on_disk) is None
    assert len(open_store(url).runs()) == VIDEOS, "none was done twice"
    assert not open_store(url).backend.list_folder(LEASES).files
    assert validate_target(url).report.ok


@pytest.mark.slow
def test_a_killed_batch_into_a_bucket_is_resumed(
    url: str, made: Path, on_disk: dict[str, object]
) -> None:
    """Takes 30 s more where the kill struck a worker while it held a video's lock."""
    killed = subprocess.Popen(build_command(made, url), stderr=subprocess.DEVNULL)
    while not any(run.manifest.is_finished for run in open_store(url).runs()):
        assert killed.poll() is None
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    process_batch([str(made)], BatchOptions(url, only=ONLY, workers=2))
    assert find_difference(describe_store(url), on_disk) is None
    assert len(open_store(url).runs()) == VIDEOS
    assert validate_target(url).report.ok
