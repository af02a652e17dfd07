"""Sources behind URLs: fetched once, identified by their bytes, gone from this machine afterwards."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest

from filmcan.cli.main import invoke
from filmcan.operations.batch_run import BatchOptions, process_batch
from filmcan.operations.batch_videos import BatchRules, VideoResult
from filmcan.store.store import open_store
from filmcan.testing.faulty_proxy import Fault, FaultyProxy, Once, Request
from filmcan.testing.made_batches import make_batch
from filmcan.testing.object_server import BUCKET, ask
from filmcan.testing.store_equality import describe_store, find_difference

ONLY = ("loudness_extractor", "tempo_extractor", "core_optical_flow")
CLIPS = ("clip00.mp4", "clip01.mp4", "clip02.mp4")
_prefixes = itertools.count()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three clips and one file that is none."""
    folder = tmp_path_factory.mktemp("urls") / "media"
    make_batch(folder, 4, distinct=3, broken=1, poison=())
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of this test, in which nothing is known yet."""
    monkeypatch.setenv("FILMCAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def bucket(clips: Path, object_server: str) -> str:
    """Return the URL of a folder in a bucket that holds the clips, and what is passed over."""
    prefix = f"sources/{next(_prefixes)}"
    for path in clips.iterdir():
        ask(object_server, "PUT", f"/{BUCKET}/{prefix}/{path.name}", path.read_bytes())
    for name in (".hidden/clip.mp4", "notes.txt"):
        ask(object_server, "PUT", f"/{BUCKET}/{prefix}/{name}", b"x")
    return f"s3://{BUCKET}/{prefix}/"


def run(
    sources: list[str], store: Path | str, rules: BatchRules | None = None, workers: int = 2
) -> dict[str, VideoResult]:
    options = BatchOptions(str(store), only=ONLY, workers=workers)
    report = process_batch(sources, options, rules)
    return {result.source_name: result for result in report.results}


def list_bodies(proxy: FaultyProxy) -> Counter[str]:
    """Count the requests for the bytes of each source."""
    return Counter(
        request.path.rpartition("/")[2]
        for request in proxy.requests
        if request.method == "GET" and request.path.endswith(".mp4")
    )


def list_left(cache: Path) -> list[str]:
    """Return what is left of copies."""
    return [str(path) for path in (cache / "work").iterdir()] if (cache / "work").exists() else []


def is_for(name: str) -> object:
    def matches(request: Request) -> bool:
        return request.method == "GET" and request.path.endswith(name)

    return matches


def test_a_bucket_is_fetched_once_and_gives_what_its_files_give(
    faulty_proxy: FaultyProxy, bucket: str, clips: Path, cache: Path, tmp_path: Path
) -> None:
    faulty_proxy.plan = Once(Fault("cut_body"), is_for("clip01.mp4"))
    remote, local = tmp_path / "remote", tmp_path / "local"
    results = run([bucket], remote)
    assert faulty_proxy.plan.has_struck
    assert {name: result.how for name, result in results.items()} == {
        **dict.fromkeys(CLIPS, "done"),
        "broken0.mp4": "failed",
    }
    bodies = list_bodies(faulty_proxy)
    assert bodies.pop("clip01.mp4") == 2, "the rest of what was cut is asked for"
    assert bodies == dict.fromkeys(["clip00.mp4", "clip02.mp4", "broken0.mp4"], 1)
    assert list_left(cache) == []
    run([str(clips / name) for name in CLIPS], local)
    described = describe_store(remote)
    for video in described.values():
        source = video["run"]["source"]
        assert source.pop("url") == f"{bucket}{source['name']}"
    assert find_difference(described, describe_store(local)) is None

    faulty_proxy.requests.clear()
    before = sorted(remote.rglob("*"))
    again = run([bucket], remote)
    assert {result.how for result in again.values()} == {"earlier", "failed"}
    assert again["broken0.mp4"].error == results["broken0.mp4"].error
    assert list_bodies(faulty_proxy) == {}
    assert sorted(remote.rglob("*")) == before
