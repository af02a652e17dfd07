from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from filmcan.errors import AssetError
from filmcan.models.cache import CACHE_VARIABLE, Cache, open_cache
from filmcan.models.catalog import AssetFile

CONTENT = b"weights"
FILE = AssetFile("weights.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), ())

HOLD_WORKSPACE = """
import sys
from pathlib import Path
from filmcan.models.cache import Cache
with Cache(Path(sys.argv[1])).workspace() as work:
    (work / "half").write_bytes(b"half a file")
    print(work, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {CACHE_VARIABLE: "/c"}, "/c"),
        ("linux", {CACHE_VARIABLE: "~/c", "XDG_CACHE_HOME": "/x"}, "/home/me/c"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/filmcan"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/filmcan"),
        ("linux", {}, "/home/me/.cache/filmcan"),
        ("darwin", {"XDG_CACHE_HOME": "/x"}, "/home/me/Library/Caches/filmcan"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/filmcan"),
    ],
)
def test_the_cache_lies_where_the_user_or_the_platform_says(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
) -> None:
    for name in (CACHE_VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert open_cache().root == Path(expected)


def _fetched(cache: Cache, content: bytes) -> Path:
    cache.root.mkdir(exist_ok=True)
    path = cache.root / "fetched"
    path.write_bytes(content)
    return path


def test_a_published_file_lies_under_its_digest_and_is_read_only(cache: Cache) -> None:
    path = cache.publish(FILE, _fetched(cache, CONTENT))
    assert path == cache.root / "assets" / FILE.sha256[:2] / FILE.sha256
    assert cache.find(FILE) == path
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o222 == 0
    assert not (cache.root / "fetched").exists()


def test_a_file_with_a_wrong_digest_is_not_published_and_removed(cache: Cache) -> None:
    fetched = _fetched(cache, b"w3ights")
    with pytest.raises(AssetError, match=f"expected sha256 {FILE.sha256}, got") as caught:
        cache.publish(FILE, fetched)
    assert hashlib.sha256(b"w3ights").hexdigest() in str(caught.value)
    assert caught.value.code == "asset_digest"
    assert not fetched.exists()
    assert cache.find(FILE) is None


def test_a_cached_file_of_another_size_or_kind_is_not_found(cache: Cache) -> None:
    assert cache.find(FILE) is None
    path = cache.path(FILE)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1])
    assert cache.find(FILE) is None
    path.unlink()
    path.mkdir()
    assert cache.find(FILE) is None


def _left(cache: Cache) -> list[str]:
    return sorted(path.name for path in (cache.root / "work").iterdir())


def test_a_workspace_is_gone_afterwards_also_after_an_error(cache: Cache) -> None:
    with cache.workspace() as work:
        (work / "half").write_bytes(b"half a file")
    assert _left(cache) == []

    def fail() -> None:
        with cache.workspace() as work:
            (work / "half").write_bytes(b"half a file")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert _left(cache) == []


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_uses_is_not(
    cache: Cache,
) -> None:
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD_WORKSPACE, str(cache.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        (killed, killed_work), (living, living_work) = (
            (holder, Path(_first_line(holder))) for holder in holders
        )
        killed.kill()
        assert killed.wait() == -signal.SIGKILL
        assert killed_work.is_dir()
        with cache.workspace():
            assert not killed_work.exists()
            assert (living_work / "half").is_file()
        living.communicate("")
        assert living.returncode == 0
        assert _left(cache) == []
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
