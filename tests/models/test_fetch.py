from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import pytest

from filmcan.contract.reading import ObjectReader
from filmcan.errors import AssetError
from filmcan.files import locked
from filmcan.models.cache import CACHE_VARIABLE, Cache
from filmcan.models.catalog import Asset
from filmcan.models.fetch import (
    OFFLINE_VARIABLE,
    FetchProgress,
    accept_digests,
    fetch,
    find_cached,
    get_cached,
    verify,
)
from filmcan.models.sources import base
from filmcan.models.sources.base import FetchOrder, Source
from filmcan.models.sources.local import LocalSource

BuildAsset = Callable[..., Asset]

FETCH_OWN = """
import hashlib, os, sys
from pathlib import Path
from filmcan.models.cache import Cache
from filmcan.models.catalog import Asset, AssetFile
from filmcan.models.fetch import fetch
from filmcan.models.sources.local import LocalSource

root, own, dies = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] == ["dies"]

class Dying(LocalSource):
    def fetch_to(self, target, order):
        target.write_bytes(self.path.read_bytes()[: order.size_bytes // 2])
        os.kill(os.getpid(), 9)

content = own.read_bytes()
source = (Dying if dies else LocalSource)(own)
file = AssetFile("weights.bin", len(content), hashlib.sha256(content).hexdigest(), (source,))
asset = Asset("thing", "model", "1", "MIT", "", "", (file,))
print("ready", flush=True)
fetch(asset, cache=Cache(root), on_progress=lambda progress: print(progress.step, flush=True))
"""


@dataclass(frozen=True)
class MadeSource:
    """A source that writes what it is told, or raises it."""

    kind: ClassVar[str] = "made"

    content: bytes | BaseException
    needs_network: bool = False

    @classmethod
    def parse(cls, reader: ObjectReader, folder: Path) -> Self:
        raise AssertionError

    def describe(self) -> str:
        return "made up"

    def fetch_to(self, target: Path, order: FetchOrder) -> None:
        if isinstance(self.content, BaseException):
            target.write_bytes(b"half a file")
            raise self.content
        target.write_bytes(self.content)


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OFFLINE_VARIABLE, raising=False)


def _files_in(cache: Cache) -> list[Path]:
    """Return every file of the cache that is not a lock."""
    return [
        path
        for path in cache.root.rglob("*")
        if path.is_file() and path.parent.name != "locks" and path.suffix != ".lock"
    ]


def test_a_file_is_fetched_once_and_then_found(cache: Cache, build_asset: BuildAsset) -> None:
    asset = build_asset(b"weights")
    steps: list[FetchProgress] = []
    first = fetch(asset, cache=cache, on_progress=steps.append)
    second = fetch(asset, cache=cache, on_progress=steps.append)
    assert first == second == {"weights.bin": cache.path(asset.files[0])}
    assert first["weights.bin"].read_bytes() == b"weights"
    assert [step.step for step in steps] == ["fetching", "fetched", "cached"]
    assert (steps[0].asset, steps[0].file, steps[0].size_bytes) == ("thing", "weights.bin", 7)
    assert "own.bin" in steps[0].source
    assert _files_in(cache) == [first["weights.bin"]]


def test_without_a_cache_named_the_users_own_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build_asset: BuildAsset
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "mine"))
    asset = build_asset()
    assert find_cached(asset.files[0]) is None
    assert not verify(asset).ok
    path = fetch(asset)["weights.bin"]
    assert path.is_relative_to(tmp_path / "mine")
    assert find_cached(asset.files[0]) == path
    assert get_cached(asset) == {"weights.bin": path}
    assert verify(asset).ok


def test_a_wrong_digest_is_an_error_and_no_other_source_hides_it(
    cache: Cache, build_asset: BuildAsset
) -> None:
    asset = build_asset(b"weights", MadeSource(b"w3ights"), MadeSource(b"weights"))
    with pytest.raises(AssetError, match="wrong digest: expected sha256") as caught:
        fetch(asset, cache=cache)
    assert caught.value.code == "asset_digest"
    assert _files_in(cache) == []


def _with_unknown_digest(asset: Asset, *sources: Source) -> Asset:
    (file,) = asset.files
    unknown = replace(file, sha256=None, size_bytes=None, sources=sources or file.sources)
    return replace(asset, files=(unknown,))


def test_a_file_whose_digest_is_unknown_is_refused_and_nothing_is_fetched(
    cache: Cache, build_asset: BuildAsset
) -> None:
    asset = _with_unknown_digest(build_asset(b"weights"))
    with pytest.raises(AssetError, match=r"no catalog states the digest of weights\.bin") as caught:
        fetch(asset, cache=cache)
    assert caught.value.code == "asset_digest_unknown"
    assert "filmcan models pull thing --accept-digest" in caught.value.hint
    assert not cache.root.exists()
    (issue,) = verify(asset, cache=cache)
    assert issue.code == "asset_digest_unknown"
    assert find_cached(asset.files[0], cache=cache) is None


def test_an_accepted_digest_is_that_of_what_came_and_is_not_remembered(
    cache: Cache, build_asset: BuildAsset
) -> None:
    known = build_asset(b"weights")
    unknown = _with_unknown_digest(known)
    assert accept_digests(unknown, cache=cache) == known
    assert find_cached(known.files[0], cache=cache) is not None
    assert find_cached(unknown.files[0], cache=cache) is None
    steps: list[FetchProgress] = []
    fetch(known, cache=cache, on_progress=steps.append)
    assert [step.step for step in steps] == ["cached"]
    with pytest.raises(AssetError, match="no catalog states"):
        fetch(unknown, cache=cache)


def test_accepting_digests_does_not_touch_one_that_is_known(
    cache: Cache, build_asset: BuildAsset
) -> None:
    wrong = build_asset(b"weights", MadeSource(b"w3ights"))
    assert accept_digests(wrong, cache=cache) == wrong
    with pytest.raises(AssetError, match="wrong digest"):
        fetch(wrong, cache=cache)


def test_what_is_accepted_is_bounded_all_the_same(
    cache: Cache, build_asset: BuildAsset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "MAX_UNKNOWN_BYTES", 6)
    with pytest.raises(AssetError, match="expected 6 bytes, got more than 6"):
        accept_digests(_with_unknown_digest(build_asset(b"weights")), cache=cache)
    assert _files_in(cache) == []


def test_a_local_file_of_another_size_is_refused_and_the_next_source_tried(
    cache: Cache, build_asset: BuildAsset, tmp_path: Path
) -> None:
    (tmp_path / "short").write_bytes(b"weight")
    (tmp_path / "long").write_bytes(b"weights and more")
    wrong = [LocalSource(tmp_path / name) for name in ("absent", "short", "long")]
    with pytest.raises(AssetError, match=r"got 6.*got more than 7") as caught:
        fetch(build_asset(b"weights", *wrong), cache=cache)
    assert caught.value.code == "asset_unreachable"
    assert "absent" in str(caught.value)
    assert _files_in(cache) == []
    path = fetch(build_asset(b"weights", *wrong, MadeSource(b"weights")), cache=cache)
    assert path["weights.bin"].read_bytes() == b"weights"


def test_a_local_file_may_be_a_link_and_later_changes_to_it_leave_the_cache_alone(
    cache: Cache, build_asset: BuildAsset, tmp_path: Path
) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(b"weights")
    link = tmp_path / "link"
    link.symlink_to(blob)
    path = fetch(build_asset(b"weights", LocalSource(link)), cache=cache)["weights.bin"]
    assert not path.is_symlink()
    blob.write_bytes(b"changed")
    assert path.read_bytes() == b"weights"


def test_a_fifo_as_a_local_file_is_refused_and_does_not_hang(
    cache: Cache, build_asset: BuildAsset, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(AssetError, match="not a regular file"):
        fetch(build_asset(b"weights", LocalSource(tmp_path / "fifo")), cache=cache)


def test_offline_nothing_is_fetched_from_the_network_and_the_error_says_so(
    cache: Cache, build_asset: BuildAsset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OFFLINE_VARIABLE, "1")
    remote = MadeSource(b"weights", needs_network=True)
    with pytest.raises(AssetError, match=OFFLINE_VARIABLE) as caught:
        fetch(build_asset(b"weights", remote), cache=cache)
    assert caught.value.code == "asset_offline"
    path = fetch(build_asset(b"weights", remote, MadeSource(b"weights")), cache=cache)
    assert path["weights.bin"].read_bytes() == b"weights"
    assert fetch(build_asset(b"weights", remote), cache=cache) == path


@pytest.mark.parametrize("value", ["", "0", "false", "No", "off"])
def test_the_offline_switch_can_be_set_to_no(
    cache: Cache, build_asset: BuildAsset, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(OFFLINE_VARIABLE, value)
    asset = build_asset(b"weights", MadeSource(b"weights", needs_network=True))
    assert fetch(asset, cache=cache)["weights.bin"].is_file()


def test_a_damaged_copy_is_reported_by_verify_and_removed_by_fetch(
    cache: Cache, build_asset: BuildAsset
) -> None:
    asset = build_asset(b"weights")
    path = fetch(asset, cache=cache)["weights.bin"]
    assert verify(asset, cache=cache).ok
    path.chmod(0o644)
    path.write_bytes(b"w3ights")
    (issue,) = verify(asset, cache=cache)
    assert (issue.code, issue.key, issue.where) == ("asset_digest", "weights.bin", "asset thing")
    assert asset.files[0].sha256 in issue.message
    assert path.is_file()
    with pytest.raises(AssetError, match="damaged copy was removed") as caught:
        fetch(asset, cache=cache)
    assert caught.value.code == "asset_digest"
    assert not path.exists()
    assert fetch(asset, cache=cache)["weights.bin"].read_bytes() == b"weights"


def test_a_copy_cut_short_is_no_copy_and_is_fetched_anew(
    cache: Cache, build_asset: BuildAsset
) -> None:
    asset = build_asset(b"weights")
    path = fetch(asset, cache=cache)["weights.bin"]
    path.chmod(0o644)
    path.write_bytes(b"weigh")
    (issue,) = verify(asset, cache=cache)
    assert (issue.code, issue.message) == ("asset_size", "expected 7 bytes, got 5")
    with pytest.raises(AssetError, match="filmcan models pull thing") as caught:
        get_cached(asset, cache=cache)
    assert caught.value.code == "asset_missing"
    assert fetch(asset, cache=cache)["weights.bin"].read_bytes() == b"weights"


def test_verify_names_a_file_that_is_absent_or_cannot_be_read(
    cache: Cache, build_asset: BuildAsset
) -> None:
    asset = build_asset(b"weights")
    (issue,) = verify(asset, cache=cache)
    assert issue.code == "asset_missing"
    assert "filmcan models pull thing" in issue.message
    cache.root.mkdir()
    (cache.root / "assets").write_bytes(b"in the way")
    (issue,) = verify(asset, cache=cache)
    assert issue.code == "asset_unreadable"


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), MemoryError()])
def test_an_interrupted_fetch_leaves_nothing_behind(
    cache: Cache, build_asset: BuildAsset, raised: BaseException
) -> None:
    with pytest.raises(type(raised)):
        fetch(build_asset(b"weights", MadeSource(raised)), cache=cache)
    assert _files_in(cache) == []
    assert list((cache.root / "work").iterdir()) == []


def test_a_full_disk_is_an_error_that_names_the_cache(
    cache: Cache, build_asset: BuildAsset
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(AssetError, match="No space left on device") as caught:
        fetch(build_asset(b"weights", MadeSource(full)), cache=cache)
    assert caught.value.code == "asset_cache"
    assert str(cache.root) in caught.value.where
    assert _files_in(cache) == []


def _start(cache: Cache, own: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FETCH_OWN, str(cache.root), str(own), *words],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_fetch_killed_half_way_leaves_no_file_and_the_next_one_succeeds(
    cache: Cache, build_asset: BuildAsset, tmp_path: Path
) -> None:
    asset = build_asset(b"weights" * 1000)
    with _start(cache, tmp_path / "own.bin", "dies") as dying:
        dying.communicate()
    assert dying.returncode == -signal.SIGKILL
    assert find_cached(asset.files[0], cache=cache) is None
    assert [path.stat().st_size for path in _files_in(cache)] == [3500]
    path = fetch(asset, cache=cache)["weights.bin"]
    assert path.read_bytes() == b"weights" * 1000
    assert _files_in(cache) == [path]


def test_processes_that_want_the_same_file_fetch_it_once(
    cache: Cache, build_asset: BuildAsset, tmp_path: Path
) -> None:
    asset = build_asset(b"weights")
    (cache.root / "locks").mkdir(parents=True)
    with locked(cache.root / "locks" / asset.files[0].sha256):
        processes = [_start(cache, tmp_path / "own.bin") for _ in range(3)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
    outputs = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(outputs) == [["cached"], ["cached"], ["fetching", "fetched"]]
