"""What the shipped catalog promises: names, licences, digests as documented, sources in order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from filmcan.components.catalog import COMPONENT_NAMES, get_component_class
from filmcan.components.text.text_processor.embedder import find_missing_embedder
from filmcan.components.text.text_processor.speech import find_missing_speech
from filmcan.models.cache import Cache
from filmcan.models.catalog import CATALOG_VARIABLE, FIXTURE_PREFIX, Asset, load_catalog
from filmcan.models.fetch import fetch
from filmcan.models.sources.https import HttpsSource
from filmcan.testing.component_suite import get_default_parameters

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "models.md"
NAMES = (
    *("mediapipe_face", "mediapipe_face_landmarker_task", "ssd_mobilenetv2_oidv4"),
    *("yolox_tiny", "yolox_nano", "yolox_s", "clip_vit_b32", "clip_vit_b32_quantized"),
    *("midas_v21_small", "clap_htsat_unfused", "clap_htsat_unfused_quantized"),
    *("all_minilm_l6_v2", "all_minilm_l6_v2_onnx", "paraphrase_multilingual_minilm_l12_v2"),
    "rapidocr_ppocr",
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


def test_no_digest_of_a_lone_witness_or_an_unknown_revision_is_in_the_catalog() -> None:
    """docs/models.md section 0: such values are listed there for convenience only."""
    doubtful = {
        "759c3cd2b7fe7e93933ad23c4c9181b7396442a2ed746ec7c1d46192c469c46e",  # Xenova's MiniLM
        "6df7c51f2d78e236a03f2b816e613d538c815639d13644fe7c2124f439da9648",  # CLAP's text tower
        "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f",  # CLIP for torch
        "2eca68239006c64af94bdfa68464f34d7627c3dca7bb02932636e616c55a39ff",  # DPT-Hybrid
    }
    document = DOCUMENT.read_text(encoding="utf-8")
    assert all(digest in document for digest in doubtful)
    assert not doubtful & {file.sha256 for asset in load_catalog() for file in asset.files}


def test_c6_each_component_s_models_are_in_the_catalog_with_the_files_it_needs() -> None:
    """Nothing is fetched here, so each names what is absent, and how to get it."""
    for name in COMPONENT_NAMES:
        parameters = get_default_parameters(name)
        component = get_component_class(name)(parameters)
        missing = component.find_missing_dependency() or component.find_missing_option()
        if any("model" in key or key == "embedder" for key in parameters):
            assert "Run: filmcan models pull " in str(missing), name
        else:
            assert missing is None or "models pull mediapipe_face" in missing, name


@pytest.mark.parametrize("name", [name for name in NAMES if "minilm" in name])
def test_every_embedder_of_the_catalog_is_one_that_text_processor_takes(name: str) -> None:
    assert str(find_missing_embedder(name)).endswith(f"Run: filmcan models pull {name}")


@pytest.mark.parametrize("name", [name for name in NAMES if "whisper" in name])
def test_every_whisper_of_the_catalog_is_one_that_text_processor_takes(name: str) -> None:
    assert str(find_missing_speech(name)).endswith(f"Run: filmcan models pull {name}")


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
        ("all_minilm_l6_v2_onnx", ["hf"]),
        ("paraphrase_multilingual_minilm_l12_v2", ["hf"]),
        ("faster_whisper_base", ["hf"]),
        ("raft_2023aug", ["https"]),
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
