"""What the shipped catalog promises: names, licences, digests as documented, sources in order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from filmcan.models.cache import Cache
from filmcan.models.catalog import CATALOG_VARIABLE, FIXTURE_PREFIX, Asset, load_catalog
from filmcan.models.fetch import fetch
from filmcan.models.sources.https import HttpsSource

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "models.md"
NAMES = (
    *("mediapipe_face", "mediapipe_face_landmarker_task", "ssd_mobilenetv2_oidv4"),
    *("yolox_tiny", "yolox_nano", "yolox_s", "clip_vit_b32", "clip_vit_b32_quantized"),
    *("midas_v21_small", "clap_htsat_unfused", "clap_htsat_unfused_quantized"),
    *("all_minilm_l6_v2", "paraphrase_multilingual_minilm_l12_v2", "rapidocr_ppocr"),
    *("faster_whisper_tiny", "faster_whisper_base", "faster_whisper_small", "raft_2023aug"),
)


@pytest.fixture(autouse=True)
def _no_catalog_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CATALOG_VARIABLE, raising=False)


def _load_models() -> list[Asset]:
    return [asset for asset in load_catalog() if asset.kind == "model"]


def test_every_documented_model_is_there_under_its_name() -> None:
    assert tuple(asset.name for asset in _load_models()) == NAMES


def test_every_digest_and_size_of_a_model_is_the_documented_one() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    for asset in _load_models():
        for file in asset.files:
            assert f"`{file.sha256}`" in document, f"{asset.name}/{file.path}"
            assert str(file.size_bytes) in document, f"{asset.name}/{file.path}"


def test_every_revision_and_address_is_documented() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    for asset in _load_models():
        for file in asset.files:
            for source in file.sources:
                if source.kind == "hf":
                    assert source.repo in document  # type: ignore[attr-defined]
                    assert source.revision in document  # type: ignore[attr-defined]


def test_no_built_in_name_is_one_of_a_test() -> None:
    assert not [asset.name for asset in load_catalog() if asset.name.startswith(FIXTURE_PREFIX)]


def test_every_address_is_public_https_and_every_licence_can_be_read() -> None:
    for asset in load_catalog():
        assert asset.license
        assert asset.license_url.startswith("https://")
        for file in asset.files:
            for source in file.sources:
                if isinstance(source, HttpsSource):
                    assert source.url.startswith("https://")


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("mediapipe_face", ["https", "wheel"]),
        ("ssd_mobilenetv2_oidv4", ["https", "npm"]),
        ("all_minilm_l6_v2", ["hf", "wheel"]),
        ("rapidocr_ppocr", ["wheel", "https"]),
        ("clip_vit_b32", ["hf"]),
        ("yolox_tiny", ["https"]),
    ],
)
def test_sources_stand_in_the_order_in_which_they_are_tried(name: str, kinds: list[str]) -> None:
    for file in load_catalog().get(name).files[:1]:
        assert [source.kind for source in file.sources] == kinds


def test_the_demo_needs_nothing_but_the_package_registries() -> None:
    for asset in load_catalog().get_set("demo"):
        for file in asset.files:
            kinds = {source.kind for source in file.sources}
            assert kinds & {"wheel", "npm"}, f"{asset.name}/{file.path}"


def test_the_default_set_holds_each_component_s_default_model() -> None:
    names = [asset.name for asset in load_catalog().get_set("default")]
    assert names == [
        *("mediapipe_face", "yolox_tiny", "clip_vit_b32", "midas_v21_small"),
        *("clap_htsat_unfused", "all_minilm_l6_v2", "rapidocr_ppocr"),
    ]


@pytest.mark.network
@pytest.mark.parametrize("name", NAMES)
def test_every_public_source_holds_the_bytes_of_the_catalog(name: str, cache: Cache) -> None:
    """Confirm what docs/models.md calls evidence C; about 3 GB in all."""
    asset = load_catalog().get(name)
    for file in asset.files:
        for source in file.sources:
            if source.kind in ("https", "hf"):
                alone = replace(asset, files=(replace(file, sources=(source,)),))
                fetch(alone, cache=cache)[file.path].unlink()
